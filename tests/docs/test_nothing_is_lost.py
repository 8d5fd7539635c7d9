"""The figures of docs/nothing-is-lost.md are those of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.settings import limits
from services.store.clients import CLIENT_CONFIG
from services.uploads.confirm import MAX_TRIES
from services.uploads.deadline import LAST_CALL_SECONDS
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.__main__ import DONE, INVALID_SETTINGS, NEEDS_ATTENTION, TOO_MANY_ORPHANS
from services.uploads.sweep.plan import FULL_HOURS, MIN_DELETIONS, RECENT_SECONDS, REPAIR_SECONDS
from services.uploads.sweep.settings import Settings as SweepSettings
from services.uploads.webhook import TIME_LIMIT_SECONDS
from services.web.server import GRACE_SECONDS

PAGE = (Path(__file__).parents[2] / "docs/nothing-is-lost.md").read_text()
CONFIG: Any = CLIENT_CONFIG
CALLS = CONFIG.retries["total_max_attempts"]
BACKOFF_SECONDS = 1
"""Maximum before a second try (botocore's standard mode: a random part of 2^0 seconds)."""
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
        f"| timeout to connect to AWS | {CONFIG.connect_timeout} s |",
        f"| timeout to wait for a response of AWS | {CONFIG.read_timeout} s |",
        f"| tries of one call | {CALLS}, with a pause of at most {BACKOFF_SECONDS} s between them |",
        f"| time after which a confirm starts no further call | {LAST_CALL_SECONDS} s |",
        f"| maximum time until a confirm responds | {LAST_CALL_SECONDS + CALL_SECONDS} s |",
        f"| form | {FORM} s (`FORM_SECONDS`) |",
        f"| confirm window, from the presign | {WINDOW} s (`CONFIRM_SECONDS`) |",
        f"| margin after the window, in which the sweep deletes nothing | {MARGIN} s (`MARGIN_SECONDS`) |",
        "it is checked again, three times;",
        f"for up to {GRACE_SECONDS} s",
        f"| {DONE} | nothing needs attention |",
        f"| {NEEDS_ATTENTION} | a row is dangling",
        f"| {INVALID_SETTINGS} | a setting is wrong |",
        f"| {TOO_MANY_ORPHANS} | there were too many orphans",
        f"(and more than {MIN_DELETIONS})",
        "in the last three hours",
        "In every sixth hour (0, 6, 12 and 18 UTC)",
        "in the last four days",
    ],
)
def test_the_page_states_the_figures_of_the_code(said: str) -> None:
    assert said in PAGE


def test_the_figures_that_the_page_writes_in_words() -> None:
    assert MAX_TRIES == 3
    assert TIME_LIMIT_SECONDS == 5
    assert REPAIR_SECONDS == 4 * 86_400
    assert RECENT_SECONDS == 3 * 3600
    assert FULL_HOURS == 6


def test_the_description_of_the_share_has_the_number_that_is_always_deleted() -> None:
    assert f"more than {MIN_DELETIONS}," in str(limits.MaxDeletedShare)


def test_a_confirm_responds_before_the_gateway_times_out() -> None:
    assert LAST_CALL_SECONDS + CALL_SECONDS < 30
