"""Writes the state of a stack that an earlier commit's program has made, for the test of an upgrade.

    uv run python -m tests.infra.former_stack a459f79

The program runs on Pulumi's engine, in the account of the emulator, with the packages that are installed here.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import runpy
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.infra.cloud import Cloud
from tests.infra.stacks import Stack

ROOT = Path(__file__).parents[2]
PROGRAM = ("Dockerfile", "requirements", "infra", "services")
PACKAGES = ("infra", "services")
ACCOUNT = "000000000000"
"""The emulator's."""

FILE = Path(__file__).with_suffix(".json.gz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(  # noqa: S603
            ["git", "archive", given.commit, *PROGRAM],  # noqa: S607
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        stack = Stack(Path(folder) / "stack", Cloud(account=ACCOUNT), program=lambda: run(Path(folder)))
        stack.up({"architecture": "ARM64"})
        # The state has the paths of the seeded pictures.
        state = json.dumps(stack.export()).replace(folder, ".")
    FILE.write_bytes(gzip.compress(state.encode(), mtime=0))


def read_state() -> str:
    """The state as JSON, with the paths of this folder."""
    return gzip.decompress(FILE.read_bytes()).decode().replace('"./infra/', f'"{ROOT}/infra/')


def run(folder: Path) -> None:
    """Run the program in this folder with its own modules in place of those of this commit."""
    for name in [*sys.modules]:
        if name.partition(".")[0] in PACKAGES:
            del sys.modules[name]
    sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / "infra"), run_name="__main__")


if __name__ == "__main__":
    main()
