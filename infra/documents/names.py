"""Names of a stack's resources, which contain the stack's name, so that two stacks in one account share none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.settings.environment import METRICS_NAMESPACE

PROJECT = "three-phase-upload"
MAX_SCHEDULE_NAME = 64
"""EventBridge Scheduler has the lowest limit of all names that contain the stack's name."""


@dataclass(frozen=True, slots=True)
class StackNames:
    stack: str

    @property
    def prefix(self) -> str:
        """Prefix of the names that allow no full stop, unlike the name of a stack."""
        prefix = f"{PROJECT}-{self.stack.replace('.', '-')}"
        # `a.b` and `a-b` are two stacks.
        return f"{prefix}-{hashlib.sha256(self.stack.encode()).hexdigest()[:6]}" if "." in self.stack else prefix

    @property
    def schedule(self) -> str:
        return f"{self.prefix}-sweep"

    @property
    def metrics_namespace(self) -> str:
        return f"{METRICS_NAMESPACE}/{self.stack}"

    def log_group(self, name: str) -> str:
        return f"/{PROJECT}/{self.stack}/{name}"

    def check(self) -> None:
        """
        Raises:
            ValueError: the stack's name is too long.
        """
        if excess := max(0, len(self.schedule) - MAX_SCHEDULE_NAME):
            raise ValueError(
                f"The name {self.stack} of the stack is too long: it may have {len(self.stack) - excess} characters"
            )
