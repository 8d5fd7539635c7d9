"""Installs the packages of our services and of the Node peers, and builds the Go peer, each in a folder of its own in
the user's cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS = Path(__file__).parent / "peers"
REQUIREMENTS = Path(__file__).parent.parent / "requirements"
INSTALL_SECONDS = 300


class NotInstalledError(Exception):
    pass


def install_peer(name: str) -> Path:
    """Install the peer's packages and return the path of its server.

    Raises:
        NotInstalledError: the reason in one line.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalledError("Node with npm is not installed")
    folder = _cache() / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("server.mjs", "package.json", "package-lock.json"):
        shutil.copy(PEERS / name / file, folder)
    wanted, installed = (folder / "package-lock.json").read_text(), folder / "installed.json"
    if installed.exists() and installed.read_text() == wanted:
        return folder / "server.mjs"
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    # Written last, so that an interrupted installation is repeated.
    installed.write_text(wanted)
    return folder / "server.mjs"


def build_go_peer() -> Path:
    """Build the peer in Go and return its program.

    Raises:
        NotInstalledError: the reason in one line.
    """
    go = shutil.which("go")
    if go is None:
        raise NotInstalledError("Go is not installed")
    program = _cache() / "go-http" / "server"
    # Go has a cache of its own, and builds only what has changed.
    _run([go, "build", "-o", str(program), "."], PEERS / "go-http")
    return program


def install_service(service: str) -> Path:
    """Install the packages of the service's image in a virtual environment and return its Python.

    Raises:
        NotInstalledError: the reason in one line.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise NotInstalledError("uv is not installed")
    folder, requirements = _cache() / service, REQUIREMENTS / f"{service}.txt"
    python = folder / "bin" / "python"
    wanted, installed = f"{sys.version}\n{requirements.read_text()}", folder / "installed.txt"
    if installed.exists() and installed.read_text() == wanted:
        return python
    _run([uv, "venv", "--clear", "--python", sys.executable, str(folder)], REQUIREMENTS)
    _run([uv, "pip", "install", "--python", str(python), "--require-hashes", "-r", str(requirements)], REQUIREMENTS)
    installed.write_text(wanted)
    return python


def _run(command: Sequence[str], folder: Path) -> None:
    program = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"{program} took more than {INSTALL_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if " error " in f" {line.replace(':', ' ')} "]
        raise NotInstalledError(errors[0] if errors else f"{program} ended with status {done.returncode}")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "three-phase-upload" / "bench"
