"""The comparison of the table with the bucket finds what the sweep has to read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.store.keys import Upload, parse_key
from services.store.kinds import AVATAR
from services.uploads.objects import Listed, Reference
from services.uploads.sweep.plan import (
    FULL_HOURS,
    MIN_DELETIONS,
    RECENT_SECONDS,
    REPAIR_SECONDS,
    Deferred,
    Finding,
    Foreign,
    Live,
    Missing,
    Orphan,
    Rules,
    Unreferenced,
    Young,
    compare,
    decide_orphan,
    find_excess,
    is_full_hour,
)
from services.uploads.sweep.report import Outcome, Report
from tests.rows import make_row, make_upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.store.table import Row

FIRST = make_upload("019b0000-0000-7000-8000-000000000001")
SECOND = make_upload("019b0000-0000-7000-8000-000000000002")
THIRD = make_upload("019b0000-0000-7000-8000-000000000003")
SETTLE = 7200
RULES = Rules(FIRST.id.created + 365 * 86_400, SETTLE, full=False)
OLD = FIRST.id.created


def listed(upload_id: Upload, modified: float = OLD) -> Listed:
    return Listed(upload_id.permanent_key, modified)


def reference(upload_id: Upload, username: str = "ada") -> Reference:
    return Reference(upload_id.permanent_key, username)


def find(references: list[Reference], objects: list[Listed], rules: Rules = RULES) -> list[Finding]:
    return list(compare(AVATAR, references, objects, rules))


def test_an_empty_table_and_an_empty_bucket_have_no_findings() -> None:
    assert find([], []) == []


def test_an_object_that_a_row_refers_to_is_live() -> None:
    assert find([reference(FIRST)], [listed(FIRST)]) == [Live(FIRST, read_tags=False, read_checksum=False)]


def test_an_old_object_that_no_row_refers_to_is_unreferenced() -> None:
    assert find([], [listed(FIRST)]) == [Unreferenced(FIRST)]


def test_a_row_without_its_object_is_a_missing_object() -> None:
    assert find([reference(FIRST)], []) == [Missing(reference(FIRST))]


def test_findings_come_in_the_order_of_the_keys() -> None:
    rows = [reference(FIRST), reference(SECOND, "bob")]
    assert find(rows, [listed(SECOND), listed(THIRD)]) == [
        Missing(reference(FIRST)),
        Live(SECOND, read_tags=False, read_checksum=False),
        Unreferenced(THIRD),
    ]


def test_an_object_that_two_rows_refer_to_is_found_once() -> None:
    rows = [reference(FIRST, "ada"), reference(FIRST, "bob"), reference(SECOND, "cleo")]
    assert find(rows, [listed(FIRST), listed(SECOND)]) == [
        Live(FIRST, read_tags=False, read_checksum=False),
        Live(SECOND, read_tags=False, read_checksum=False),
    ]


def test_two_rows_that_refer_to_one_missing_object_are_both_found() -> None:
    rows = [reference(FIRST, "ada"), reference(FIRST, "bob")]
    assert find(rows, [listed(SECOND)]) == [Missing(rows[0]), Missing(rows[1]), Unreferenced(SECOND)]


def test_a_row_that_refers_to_a_key_outside_avatars_is_a_missing_object() -> None:
    rows = [Reference("aaa", "ada"), reference(FIRST), Reference(SECOND.pending_key, "bob")]
    assert find(rows, [listed(FIRST)]) == [
        Missing(rows[0]),
        Live(FIRST, read_tags=False, read_checksum=False),
        Missing(rows[2]),
    ]


@pytest.mark.parametrize("is_referenced", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "",
        "logo.png",
        FIRST.id.text.upper(),
        f"{FIRST.id.text}.png",
        f"{FIRST.id.text}/",
        f"old/{FIRST.id.text}",
        # Version 4: no upload has such an id.
        "019b0000-0000-4000-8000-000000000001",
        "\U0001f600",
    ],
)
def test_an_object_whose_name_no_upload_can_have_is_foreign(name: str, is_referenced: bool) -> None:  # noqa: FBT001 - a table
    key = AVATAR.permanent_prefix + name
    rows = [Reference(key, "ada")] if is_referenced else []
    assert find(rows, [Listed(key, OLD)]) == [Foreign(key)]


@pytest.mark.parametrize(
    ("id_age", "written_age", "young"),
    [
        (SETTLE, SETTLE, False),
        (SETTLE - 0.001, SETTLE, True),
        (SETTLE, SETTLE - 0.001, True),
        # Either is enough: a new seed has an old id, and with an inaccurate clock an object can be older than its id.
        (SETTLE - 0.001, 10 * SETTLE, True),
        (10 * SETTLE, 0, True),
        (10 * SETTLE, -60, True),
        (-60, 10 * SETTLE, True),
    ],
)
def test_an_object_is_young_until_its_id_and_its_modification_are_old_enough(
    id_age: float,
    written_age: float,
    young: bool,  # noqa: FBT001 - a table
) -> None:
    rules = replace(RULES, now=FIRST.id.created + id_age)
    expected = Young(FIRST) if young else Unreferenced(FIRST)
    assert find([], [listed(FIRST, rules.now - written_age)], rules) == [expected]


@pytest.mark.parametrize(
    ("written_age", "full", "read_tags"),
    [
        (-60, False, True),
        (0, False, True),
        (RECENT_SECONDS - 0.001, False, True),
        (RECENT_SECONDS, False, False),
        (RECENT_SECONDS, True, True),
        (REPAIR_SECONDS - 0.001, False, False),
        (REPAIR_SECONDS - 0.001, True, True),
        (REPAIR_SECONDS, True, False),
        (10 * REPAIR_SECONDS, True, False),
    ],
)
def test_tags_are_read_for_some_hours_and_by_a_full_sweep_for_some_days(
    written_age: float,
    full: bool,  # noqa: FBT001 - a table
    read_tags: bool,  # noqa: FBT001 - a table
) -> None:
    rules, written = replace(RULES, full=full), RULES.now - written_age
    read_checksum = written_age < RECENT_SECONDS
    assert find([reference(FIRST)], [listed(FIRST, written)], rules) == [Live(FIRST, read_tags, read_checksum)]
    # An object without a row that is old enough to be an orphan is inspected at the same times, and always when it is
    # too old to have the tag.
    if written_age >= SETTLE:
        inspected = read_tags or written_age >= REPAIR_SECONDS
        assert find([], [listed(FIRST, written)], rules) == [Unreferenced(FIRST) if inspected else Deferred(FIRST)]


def test_one_hour_in_six_is_that_of_a_full_sweep() -> None:
    midnight = 1_799_971_200
    assert midnight % 86_400 == 0
    full = [hour for hour in range(24) if is_full_hour(midnight + 3600 * hour)]
    assert full == [hour for hour in range(24) if is_full_hour(midnight + 3600 * hour + 3599.9)] == [0, 6, 12, 18]


def test_hourly_sweeps_read_a_tag_long_before_its_lifecycle_rule_deletes_the_object() -> None:
    # The rule deletes an object a day after it was written at the earliest. The tag is read by each sweep of the first
    # hours; if all of those fail, by the full sweeps of the rest of that day.
    assert RECENT_SECONDS // 3600 == 3
    assert (24 - RECENT_SECONDS // 3600) // FULL_HOURS == 3


def test_a_live_object_with_a_young_id_is_live() -> None:
    rules = replace(RULES, now=FIRST.id.created)
    assert find([reference(FIRST)], [listed(FIRST, rules.now)], rules) == [
        Live(FIRST, read_tags=True, read_checksum=True)
    ]


def test_an_object_is_recent_for_longer_than_the_lifecycle_rule_takes() -> None:
    # A day, then up to the next midnight; S3 may be late by as much.
    assert REPAIR_SECONDS >= 2 * 2 * 86_400


def test_rows_and_objects_are_read_only_as_far_as_needed() -> None:
    taken: list[str] = []

    def objects() -> Iterator[Listed]:
        for upload_id in (FIRST, SECOND, THIRD):
            taken.append(upload_id.permanent_key)
            yield listed(upload_id)

    findings = compare(AVATAR, [], objects(), RULES)
    assert next(findings) == Unreferenced(FIRST)
    assert taken == [FIRST.permanent_key]


def compare_naively(references: list[Reference], objects: list[Listed], rules: Rules) -> set[Finding]:
    """The same with sets in memory."""
    referenced, there = {row.key for row in references}, {entry.key for entry in objects}
    found: set[Finding] = {Missing(row) for row in references if row.key not in there}
    for entry in objects:
        upload_id = parse_key(entry.key, AVATAR.permanent_prefix)
        if upload_id is None:
            found.add(Foreign(entry.key))
            continue
        upload = Upload(AVATAR, upload_id)
        if entry.key in referenced:
            age = rules.now - entry.modified
            found.add(Live(upload, age < (REPAIR_SECONDS if rules.full else RECENT_SECONDS), age < RECENT_SECONDS))
        elif rules.now - upload_id.created < SETTLE or rules.now - entry.modified < SETTLE:
            found.add(Young(upload))
        elif not rules.full and RECENT_SECONDS <= rules.now - entry.modified < REPAIR_SECONDS:
            found.add(Deferred(upload))
        else:
            found.add(Unreferenced(upload))
    return found


NOW = 1_800_000_000
ID_SCALE = st.sampled_from(
    [0, 60, *(edge + by for edge in (SETTLE, RECENT_SECONDS, REPAIR_SECONDS) for by in (-1, 0, 1)), 10**7]
)


def make_id(age: int, number: int) -> Upload:
    text = f"{(NOW - age) * 1000:012x}"
    return make_upload(f"{text[:8]}-{text[8:]}-7000-8000-{number:012x}")


# Few keys, so that rows often refer to objects; and names from all of Unicode, for the order.
IDS = st.builds(make_id, ID_SCALE, st.integers(0, 3)).map(lambda upload_id: upload_id.permanent_key)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=3)
KEYS = IDS | NAMES.map(AVATAR.permanent_prefix.__add__)
OBJECTS = st.dictionaries(KEYS, ID_SCALE.map(NOW.__sub__))
ROWS = st.dictionaries(NAMES, KEYS | NAMES)


@given(ROWS, OBJECTS, st.booleans())
def test_the_findings_equal_a_comparison_of_sets(rows: dict[str, str], objects: dict[str, int], full: bool) -> None:  # noqa: FBT001 - given by Hypothesis
    references = sorted((Reference(avatar, name) for name, avatar in rows.items()), key=lambda row: row.key.encode())
    entries = [Listed(key, objects[key]) for key in sorted(objects, key=str.encode)]
    rules = Rules(NOW, SETTLE, full=full)
    found = find(references, entries, rules)
    assert set(found) == compare_naively(references, entries, rules)
    assert len(set(found)) == len(found)
    # No row refers to an unreferenced object, and neither its id nor its modification is recent.
    for finding in found:
        if isinstance(finding, Unreferenced):
            key = finding.upload.permanent_key
            assert key not in rows.values()
            assert max(finding.upload.id.created, objects[key]) <= NOW - SETTLE


@pytest.mark.parametrize(
    ("orphans", "rows", "listed_objects", "excess"),
    [
        (0, 0, 0, None),
        (1, 1, 1, None),
        (1, 0, 1, "no row has or had a picture"),
        (1000, 1, 10_000, None),
        (1001, 1, 10_010, "MAX_DELETIONS, which is 1,000"),
        (1001, 1, 100_000, "MAX_DELETIONS, which is 1,000"),
        (
            1000,
            1,
            9_999,
            "1,000 orphans among 9,999 objects of the kind avatar are more than MAX_DELETED_SHARE, which is 0.1",
        ),
        (MIN_DELETIONS, 1, MIN_DELETIONS, None),
        (MIN_DELETIONS + 1, 1, MIN_DELETIONS + 1, "MAX_DELETED_SHARE"),
        (MIN_DELETIONS + 1, 1, 10 * (MIN_DELETIONS + 1), None),
    ],
)
def test_a_number_and_a_share_of_the_listed_objects_bound_the_deletions(
    orphans: int, rows: int, listed_objects: int, excess: str | None
) -> None:
    report = Report(dry_run=False, rows=rows, listed={"avatar": listed_objects, "banner": 1_000_000})
    found = find_excess({"avatar": orphans}, report, 1000, 0.1)
    assert found is None if excess is None else excess in (found or "")


KEPT, GONE = True, False


@pytest.mark.parametrize(
    ("row", "is_there", "decided", "if_doubtful"),
    [
        (make_row("ada", "", SECOND.permanent_key), KEPT, Outcome.LIVE, Outcome.LIVE),
        # The row refers to a later picture, or the user removed this one: any former row proves it.
        (make_row("ada", "", THIRD.permanent_key), KEPT, Outcome.DELETED, Outcome.DELETED),
        (make_row("ada", "", removed=SECOND.id.text), GONE, Outcome.DELETED, Outcome.DELETED),
        (make_row("ada", "", removed=THIRD.id.text), GONE, Outcome.DELETED, Outcome.DELETED),
        # A confirm stopped before it updated the row, or the table was restored to a state before it did.
        (make_row("ada", "", FIRST.permanent_key), KEPT, Outcome.DELETED, Outcome.KEPT),
        (make_row("ada", ""), GONE, Outcome.DELETED, Outcome.KEPT),
        (make_row("ada", "", removed=FIRST.id.text), GONE, Outcome.DELETED, Outcome.KEPT),
        (None, GONE, Outcome.DELETED, Outcome.KEPT),
        # The owner's own row has no object.
        (make_row("ada", "", FIRST.permanent_key), GONE, Outcome.KEPT, Outcome.KEPT),
        (make_row("ada", "", THIRD.permanent_key), GONE, Outcome.KEPT, Outcome.KEPT),
        (make_row("ada", "", THIRD.permanent_key, SECOND.id.text), GONE, Outcome.KEPT, Outcome.KEPT),
    ],
)
def test_an_orphan_is_deleted_if_its_owners_row_permits_it(
    row: Row | None,
    is_there: bool,  # noqa: FBT001 - a table
    decided: Outcome,
    if_doubtful: Outcome,
) -> None:
    orphan = Orphan(SECOND, "ada")
    assert decide_orphan(orphan, row, is_there=is_there, is_doubtful=False) is decided
    assert decide_orphan(orphan, row, is_there=is_there, is_doubtful=True) is if_doubtful
