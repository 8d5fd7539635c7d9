"""The environment variables of the tests: those of the developer's machine do not change any result."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

GIVEN = {"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
"""The variables that select an emulator that is already running (`tests/given.py`)."""

PROXIES = {"HTTP_PROXY", "ALL_PROXY"}
"""Plain HTTP requests go only to this machine. Package installers use HTTPS and may need their proxy."""

COLOURS = {"FORCE_COLOR", "CLICOLOR_FORCE", "PYTHON_COLORS"}
"""These variables colour the output of a command even if it is a pipe."""


def isolate(environ: MutableMapping[str, str]) -> None:
    kept = GIVEN if environ.get("AWS_ENDPOINT_URL") else set[str]()
    for name in [*environ]:
        if (name.startswith(("AWS_", "PULUMI_")) and name not in kept) or name.upper() in PROXIES | COLOURS:
            del environ[name]
    environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")
