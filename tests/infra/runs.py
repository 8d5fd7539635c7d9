from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.infra.engine import Deployment, run_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.infra.cloud import Cloud


@dataclass(frozen=True)
class Runs:
    """Each program is run once, as preview and as up, with the same configuration."""

    scratch: Path
    project: str = "project"
    stack: str = "stack"
    cloud: Cloud | None = None
    _known: dict[Any, Deployment] = field(default_factory=dict[Any, Deployment])

    def run(
        self,
        program: Path | str,
        *,
        config: Mapping[str, str] | None = None,
        secret_config: Mapping[str, str] | None = None,
        preview: bool = False,
    ) -> Deployment:
        """A program is a folder or, if it is short, its text."""
        settings = (tuple((config or {}).items()), tuple((secret_config or {}).items()), preview)
        key = (program, *settings)
        if key not in self._known:
            folder = program if isinstance(program, Path) else self._write(program)
            self._known[key] = run_program(
                folder,
                project=self.project,
                stack=self.stack,
                config=config,
                secret_config=secret_config,
                preview=preview,
                cloud=self.cloud,
            )
        return self._known[key]

    def _write(self, text: str) -> Path:
        folder = self.scratch / str(len(self._known))
        folder.mkdir()
        (folder / "__main__.py").write_text(text)
        return folder
