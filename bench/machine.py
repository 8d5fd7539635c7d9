"""Describes a run: its date, commit, machine and versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("litestar", "uvicorn", "uvloop", "boto3", "pyjwt", "fastapi", "django", "django-s3-file-field", "gunicorn")


def describe_run(seconds: float, rounds: int) -> dict[str, str]:
    commit = _read_output("git", "rev-parse", "--short", "HEAD")
    changed = " with changes" if _read_output("git", "status", "--porcelain", "--", "services", "bench") else ""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": commit + changed,
        "rounds": f"{rounds} of {seconds:g} s for each subject",
        "machine": f"{_find_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()} ({platform.python_build()[0]}, {platform.python_compiler()})",
        "Node": _read_output("node", "--version") or "none",
        "packages": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
    }


def _find_processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _read_output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except FileNotFoundError:
        return ""
