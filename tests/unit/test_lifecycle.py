"""The emulator's layer computes when a lifecycle rule deletes an object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from infra.documents.bucket import lifecycle_rules
from infra.local.emulator.lifecycle import Expiration, find_expiration, round_up_to_midnight
from services.frontend.inspector import read_expiry
from services.store.kinds import AVATAR

MORNING = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DAY_AFTER_NEXT = datetime(2026, 11, 24, tzinfo=UTC)
RED, BIG = {"Key": "Colour", "Value": "red"}, {"Key": "Size", "Value": "big"}


def make_rule(
    condition: dict[str, Any], *, days: int = 1, name: str = "rule", status: str = "Enabled"
) -> dict[str, Any]:
    return {"ID": name, "Status": status, "Filter": condition, "Expiration": {"Days": days}}


def expires(rule: dict[str, Any], key: str = f"{AVATAR.pending_prefix}1", **tags: str) -> bool:
    return find_expiration([rule], key, tags, MORNING) is not None


@pytest.mark.parametrize(
    ("condition", "key", "tags", "fits"),
    [
        ({"Prefix": AVATAR.pending_prefix}, f"{AVATAR.pending_prefix}1", {}, True),
        ({"Prefix": AVATAR.pending_prefix}, AVATAR.pending_prefix, {}, True),
        ({"Prefix": AVATAR.pending_prefix}, "pending", {}, False),
        ({"Prefix": AVATAR.pending_prefix}, "avatars/pending/1", {}, False),
        ({"Prefix": AVATAR.pending_prefix}, "Pending/1", {}, False),
        ({"Prefix": ""}, "avatars/1", {}, True),
        ({}, "avatars/1", {}, True),
        ({"Tag": RED}, "avatars/1", {"Colour": "red"}, True),
        ({"Tag": RED}, "avatars/1", {"Colour": "red", "Size": "big"}, True),
        ({"Tag": RED}, "avatars/1", {"Colour": "Red"}, False),
        ({"Tag": RED}, "avatars/1", {"colour": "red"}, False),
        ({"Tag": RED}, "avatars/1", {}, False),
        ({"And": {"Tags": [RED, BIG]}}, "avatars/1", {"Colour": "red", "Size": "big"}, True),
        ({"And": {"Tags": [RED, BIG]}}, "avatars/1", {"Colour": "red"}, False),
        (
            {"And": {"Prefix": AVATAR.pending_prefix, "Tags": [RED]}},
            f"{AVATAR.pending_prefix}1",
            {"Colour": "red"},
            True,
        ),
        ({"And": {"Prefix": AVATAR.pending_prefix, "Tags": [RED]}}, "avatars/1", {"Colour": "red"}, False),
        ({"And": {"Prefix": AVATAR.pending_prefix, "Tags": [RED]}}, f"{AVATAR.pending_prefix}1", {}, False),
    ],
)
def test_a_rule_applies_by_its_filter(
    condition: dict[str, Any],
    key: str,
    tags: dict[str, str],
    fits: bool,  # noqa: FBT001 - a table
) -> None:
    assert expires(make_rule(condition), key, **tags) is fits


def test_a_rule_without_a_filter_applies_by_its_prefix() -> None:
    rule = {"ID": "old", "Status": "Enabled", "Prefix": AVATAR.pending_prefix, "Expiration": {"Days": 1}}
    assert expires(rule, f"{AVATAR.pending_prefix}1")
    assert not expires(rule, "avatars/1")


def test_a_disabled_rule_deletes_nothing() -> None:
    assert not expires(make_rule({}, status="Disabled"))


def test_a_rule_without_an_expiration_deletes_nothing() -> None:
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    assert not expires({"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": ""}, **abort})
    assert not expires(make_rule({}) | {"Expiration": {"ExpiredObjectDeleteMarker": True}})


def test_without_rules_an_object_stays() -> None:
    assert find_expiration([], f"{AVATAR.pending_prefix}1", {}, MORNING) is None


def test_the_earliest_rule_wins() -> None:
    rules = [make_rule({}, days=3, name="late"), make_rule({}, days=1, name="early"), make_rule({}, days=2)]
    assert find_expiration(rules, f"{AVATAR.pending_prefix}1", {}, MORNING) == Expiration(DAY_AFTER_NEXT, "early")


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)),
        (datetime(2026, 11, 23, 0, 0, 0, 1, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)),
        (datetime(2026, 11, 23, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        # Midnight is in UTC, whatever the time zone of the input.
        (datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 23, tzinfo=UTC)),
        (datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=-2))), datetime(2026, 11, 24, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_midnight_utc(moment: datetime, midnight: datetime) -> None:
    assert round_up_to_midnight(moment) == midnight
    assert round_up_to_midnight(moment).utcoffset() == timedelta()


def test_an_object_lives_for_whole_days_and_up_to_midnight() -> None:
    # AWS's example: an object created on the 15th at 10:30 expires after three days, at midnight on the 19th.
    found = find_expiration(
        [make_rule({}, days=3)], f"{AVATAR.pending_prefix}1", {}, datetime(2014, 1, 15, 10, 30, tzinfo=UTC)
    )
    assert found == Expiration(datetime(2014, 1, 19, tzinfo=UTC), "rule")


@pytest.mark.parametrize(
    ("key", "tags", "rule"),
    [
        (f"{AVATAR.pending_prefix}1", {}, "pending-prefix"),
        ("avatars/1", {"Status": "Pending"}, "pending-tag"),
        ("avatars/1", {}, None),
        ("avatars/1", {"Status": "Done"}, None),
    ],
)
def test_the_bucket_s_rules_delete_pending_objects(key: str, tags: dict[str, str], rule: str | None) -> None:
    expected = Expiration(DAY_AFTER_NEXT, rule) if rule else None
    assert find_expiration(lifecycle_rules(), key, tags, MORNING) == expected


def test_the_expiration_header_has_s3_s_form_and_the_inspector_reads_it() -> None:
    expiration = Expiration(DAY_AFTER_NEXT, "pending-prefix")
    assert expiration.header == 'expiry-date="Tue, 24 Nov 2026 00:00:00 GMT", rule-id="pending-prefix"'
    assert read_expiry(expiration.header) == DAY_AFTER_NEXT
