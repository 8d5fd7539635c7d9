"""The figures on the page about crashes are those of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.store.clients import CLIENT_CONFIG
from services.uploads.confirm import LAST_CALL_SECONDS, MAX_TRIES
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.__main__ import DONE, INVALID_SETTINGS, NEEDS_ATTENTION
from services.uploads.sweep.plan import REPAIR_SECONDS
from services.uploads.sweep.settings import Settings as SweepSettings
from services.web.server import GRACE_SECONDS

PAGE = (Path(__file__).parents[2] / "docs/nothing-is-lost.md").read_text()
CONFIG: Any = CLIENT_CONFIG
CALLS = CONFIG.retries["total_max_attempts"]
BACKOFF_SECONDS = 1
"""At most, before a second try (botocore's standard mode: a random part of 2^0 seconds)."""
CALL_SECONDS = CALLS * (CONFIG.connect_timeout + CONFIG.read_timeout) + (CALLS - 1) * BACKOFF_SECONDS


FORM, WINDOW, MARGIN = (
    next(field.default for field in msgspec.structs.fields(kind) if field.name == name)
    for kind, name in (
        (UploadsSettings, "form_seconds"),
        (UploadsSettings, "confirm_seconds"),
        (SweepSettings, "margin_seconds"),
    )
)


@pytest.mark.parametrize(
    "said",
    [
        f"| to connect to AWS | {CONFIG.connect_timeout} s |",
        f"| to wait for an answer of AWS | {CONFIG.read_timeout} s |",
        f"| tries of one call | {CALLS}, with a pause of at most {BACKOFF_SECONDS} s between them |",
        f"| after which a confirm begins no further call | {LAST_CALL_SECONDS} s |",
        f"| so that it answers within | {LAST_CALL_SECONDS + CALL_SECONDS} s |",
        f"| form | {FORM} s (`FORM_SECONDS`) |",
        f"| confirm window, from the presign | {WINDOW} s (`CONFIRM_SECONDS`) |",
        f"| margin, after which the sweep may judge | {MARGIN} s (`MARGIN_SECONDS`) |",
        "it is checked again, three times;",
        f"for up to {GRACE_SECONDS} s",
        f"| {DONE} | all is well again |",
        f"| {NEEDS_ATTENTION} | a row dangles",
        f"| {INVALID_SETTINGS} | a setting is wrong |",
        "in the last four days",
    ],
)
def test_the_page_says_what_the_code_does(said: str) -> None:
    assert said in PAGE


def test_numbers_in_words() -> None:
    assert MAX_TRIES == 3
    assert REPAIR_SECONDS == 4 * 86_400


def test_the_answer_comes_before_the_gateway_gives_up() -> None:
    assert LAST_CALL_SECONDS + CALL_SECONDS < 30
