"""Installs the peers that run under Node, each in a folder of its own in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
INSTALL_SECONDS = 300
NEWEST = "2026-11-21"
"""What came later is not installed, as in pyproject.toml: a package.json does not say what its packages need."""


class NotInstalledError(Exception):
    pass


def install_peer(name: str) -> Path:
    """The server's file, beside what it needs.

    Raises:
        NotInstalledError: says in one line why not.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalledError("there is no Node with npm")
    folder = _cache() / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PEERS / name / "server.mjs", folder)
    wanted, installed = (PEERS / name / "package.json").read_text(), folder / "installed.json"
    if installed.exists() and installed.read_text() == wanted:
        return folder / "server.mjs"
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    (folder / "package.json").write_text(wanted)
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--before", NEWEST]
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"npm took more than {INSTALL_SECONDS} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if " error " in f" {line} "]
        raise NotInstalledError(said[0] if said else f"npm ended with status {done.returncode}")
    # Last, so that a broken install is not taken for one.
    installed.write_text(wanted)
    return folder / "server.mjs"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "three-phase-upload" / "bench"
