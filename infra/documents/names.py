"""Names of a stack's resources, which contain the stack's name, so that two stacks in one account share none."""

from __future__ import annotations

from dataclasses import dataclass

from services.settings.environment import METRICS_NAMESPACE

PROJECT = "three-phase-upload"


@dataclass(frozen=True, slots=True)
class StackNames:
    stack: str

    @property
    def prefix(self) -> str:
        """Prefix of the names that allow no full stop, unlike the name of a stack."""
        return f"{PROJECT}-{self.stack.replace('.', '-')}"

    @property
    def metrics_namespace(self) -> str:
        return f"{METRICS_NAMESPACE}/{self.stack}"

    def log_group(self, name: str) -> str:
        return f"/{PROJECT}/{self.stack}/{name}"
