"""npm packages that tests use, in the versions of a package-lock.json."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.docs.snippets import skip_or_fail

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_SECONDS = 600


def install_packages(source: Path, folder: Path) -> Path:
    """Copy the source into the folder and install its packages there. Without npm or a registry, tests are skipped."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    if not (npm := shutil.which("npm")):
        skip_or_fail("There is no npm")
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    result = subprocess.run(  # noqa: S603 - npm with the packages in package-lock.json
        install, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if result.returncode:
        skip_or_fail(f"npm could not install the packages of {source.name}: {result.stderr}")
    return folder
