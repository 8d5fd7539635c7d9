"""What the process of a service loads, writes and ends with."""

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
logging.getLogger("services.x").info("too little to be said")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
warnings.warn("old", DeprecationWarning, stacklevel=1)
{end}
"""


def run(end: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(end=end)
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-W", "always", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_all_output_is_json_even_that_of_an_uncaught_error() -> None:
    done = run("raise ValueError('the end')")
    assert done.stderr == ""
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["level"], line["logger"]) for line in said] == [
        ("warning", "uvicorn.error"),
        ("warning", "py.warnings"),
        ("critical", "services.web.logging"),
    ]
    assert said[-1]["exception"].endswith("ValueError: the end")
    assert done.returncode == 1


def test_an_interrupt_ends_a_service_without_a_traceback() -> None:
    done = run("raise KeyboardInterrupt")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "You must specify a region."), ({"AWS_DEFAULT_REGION": "eu-central-1"}, "Unable to locate credentials")],
)
def test_a_service_without_what_boto3_needs_ends_with_one_line(given: dict[str, str], said: str) -> None:
    environ = inherit_environ() | {"AWS_EC2_METADATA_DISABLED": "true"} | given
    done = subprocess.run(
        [sys.executable, "-m", "services.uploads"],
        cwd=ROOT,
        env=environ | SETTINGS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", said)


def test_the_frontend_does_not_import_the_library_of_metrics() -> None:
    # Its image lacks this package.
    program = "import sys, services.frontend.__main__; sys.exit('aws_lambda_powertools' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0  # noqa: S603 - our own
