"""Writes down what each image installs, in requirements/: exact versions, and the hashes of what may be downloaded.

`uv run requirements`, after a change of the dependencies or of `exclude-newer` in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
SERVICES = ("auth", "uploads", "frontend")


def main() -> None:
    try:
        export(FOLDER)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # uv has said what is wrong


def export(folder: Path) -> None:
    """One file a service. They name no registry, and hold for every platform.

    Raises:
        subprocess.CalledProcessError: the dependencies can't be resolved; uv's message is on stderr.
    """
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as project:
        # Not the project's own folder: uv would stay with the versions of a uv.lock that somebody has lying there.
        shutil.copy(ROOT / "pyproject.toml", project)
        for service in SERVICES:
            command = [
                os.environ.get("UV", "uv"),  # set by `uv run`, to itself
                *("export", "--quiet", "--project", project, "--python", sys.executable),
                *("--only-group", service, "--no-emit-project"),
                *("--format", "requirements.txt", "--no-header", "--no-annotate"),
                *("--output-file", str(folder / f"{service}.txt")),
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - uv, with our own arguments


if __name__ == "__main__":
    main()
