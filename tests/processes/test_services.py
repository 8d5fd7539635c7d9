"""The process of a service: its output and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.stack import inherit_environ

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "ORIGIN": "https://pictures.example",
    "TABLE": "users",
    "BUCKET": "pictures",
    "JWKS_URL": "http://auth/jwks",
}
PROGRAM = """
import logging, sys, warnings
from services.web.logging import set_up_logging
set_up_logging("auth")
logging.getLogger("services.x").info("below the level")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
warnings.warn("old", DeprecationWarning, stacklevel=1)
{last_statement}
"""


def run(last_statement: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(last_statement=last_statement)
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-W", "always", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_all_output_is_json_even_for_an_uncaught_error() -> None:
    done = run("raise ValueError('the end')")
    assert done.stderr == ""
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(entry["level"], entry["logger"]) for entry in entries] == [
        ("warning", "uvicorn.error"),
        ("warning", "py.warnings"),
        ("critical", "services.web.logging"),
    ]
    assert entries[-1]["exception"].endswith("ValueError: the end")
    assert done.returncode == 1


def test_an_interrupt_ends_a_service_without_a_traceback() -> None:
    done = run("raise KeyboardInterrupt")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("variables", "message"),
    [({}, "You must specify a region."), ({"AWS_DEFAULT_REGION": "eu-central-1"}, "Unable to locate credentials")],
)
def test_a_service_without_region_or_credentials_ends_with_one_line(variables: dict[str, str], message: str) -> None:
    environ = inherit_environ() | {"AWS_EC2_METADATA_DISABLED": "true"} | variables
    done = subprocess.run(
        [sys.executable, "-m", "services.uploads"],
        cwd=ROOT,
        env=environ | SETTINGS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", message)


SERVING = """
import gc
import os
from services.uploads import __main__
from services.uploads.settings import Settings
from services.web.server import serve

async def report(scope, receive, send):
    print(gc.isenabled(), gc.get_freeze_count() > 0)
    await send({"type": "lifespan.startup.failed"})

print(gc.isenabled())
serve("uploads", Settings, os.environ, lambda settings: report)
"""


def test_a_service_collects_garbage_only_once_it_serves() -> None:
    environ = inherit_environ() | SETTINGS | {"HOST": "127.0.0.1"}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-u", "-c", SERVING], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[:2] == ["False", "True True"], done.stderr
