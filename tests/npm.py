"""Installs the npm packages of a test, as its package-lock.json pins them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.docs.snippets import skip_or_fail

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_SECONDS = 600


def install_packages(source: Path, folder: Path) -> Path:
    """Copy this folder with its package-lock.json, install the packages in the copy, and return it. Without npm or a
    registry the test is skipped.
    """
    shutil.copytree(source, folder, dirs_exist_ok=True)
    if not (npm := shutil.which("npm")):
        skip_or_fail("There is no npm to install packages with")
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    result = subprocess.run(  # noqa: S603 - npm with the packages in package-lock.json
        install, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if result.returncode:
        skip_or_fail(f"The packages of {source.name} could not be installed: {result.stderr}")
    return folder
