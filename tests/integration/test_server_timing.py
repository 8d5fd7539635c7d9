"""The demo's uploads service sends how long its calls to AWS took; by default it does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.uploads.settings import Settings
from tests.pictures import make_picture

if TYPE_CHECKING:
    from tests.conftest import User


def test_a_confirm_s_response_has_the_time_of_each_call_to_aws(user: User) -> None:
    form = user.upload_unconfirmed("image/png", make_picture())
    measured = user.confirm(form).raise_for_status().headers["Server-Timing"]
    calls = dict(re.findall(r"(\w+);dur=([\d.]+)(?:, |$)", measured))
    assert sorted(calls) == ["CopyObject", "GetItem", "GetObject", "UpdateItem"]
    assert list(calls)[2:] == ["CopyObject", "UpdateItem"], "The two reads are made in parallel, and come first."
    assert all(float(milliseconds) > 0 for milliseconds in calls.values())


def test_a_repeated_confirm_has_its_own_calls_only(user: User) -> None:
    form = user.upload_unconfirmed("image/png", make_picture())
    user.confirm(form).raise_for_status()
    repeated = user.confirm(form).raise_for_status().headers["Server-Timing"]
    assert sorted(re.findall(r"(\w+);dur=", repeated)) == ["GetItem", "GetObject"]


def test_a_request_without_a_call_to_aws_has_no_times(user: User) -> None:
    assert "Server-Timing" not in user.declare().raise_for_status().headers


def test_the_times_are_not_sent_by_default() -> None:
    assert Settings(origin="https://a", table="users", bucket="pictures", jwks_url="https://a").server_timing is False
