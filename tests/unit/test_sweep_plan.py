"""The comparison of the table with the bucket finds what the sweep has to read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.store.keys import AVATAR_PREFIX, UploadId, parse_key
from services.uploads.objects import Listed, Reference
from services.uploads.sweep.plan import (
    REPAIR_SECONDS,
    Finding,
    Foreign,
    Live,
    Missing,
    Rules,
    Unreferenced,
    Young,
    compare,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = UploadId("019b0000-0000-7000-8000-000000000001")
SECOND = UploadId("019b0000-0000-7000-8000-000000000002")
THIRD = UploadId("019b0000-0000-7000-8000-000000000003")
SETTLE = 7200
RULES = Rules(FIRST.created + 365 * 86_400, SETTLE)
OLD = FIRST.created


def listed(upload_id: UploadId, modified: float = OLD) -> Listed:
    return Listed(upload_id.avatar_key, modified)


def reference(upload_id: UploadId, username: str = "ada") -> Reference:
    return Reference(upload_id.avatar_key, username)


def find(references: list[Reference], objects: list[Listed], rules: Rules = RULES) -> list[Finding]:
    return list(compare(references, objects, rules))


def test_an_empty_table_and_an_empty_bucket_have_no_findings() -> None:
    assert find([], []) == []


def test_an_object_that_a_row_refers_to_is_live() -> None:
    assert find([reference(FIRST)], [listed(FIRST)]) == [Live(FIRST, recent=False)]


def test_an_old_object_that_no_row_refers_to_is_unreferenced() -> None:
    assert find([], [listed(FIRST)]) == [Unreferenced(FIRST)]


def test_a_row_without_its_object_is_a_missing_object() -> None:
    assert find([reference(FIRST)], []) == [Missing(reference(FIRST))]


def test_findings_come_in_the_order_of_the_keys() -> None:
    rows = [reference(FIRST), reference(SECOND, "bob")]
    assert find(rows, [listed(SECOND), listed(THIRD)]) == [
        Missing(reference(FIRST)),
        Live(SECOND, recent=False),
        Unreferenced(THIRD),
    ]


def test_an_object_that_two_rows_refer_to_is_found_once() -> None:
    rows = [reference(FIRST, "ada"), reference(FIRST, "bob"), reference(SECOND, "cleo")]
    assert find(rows, [listed(FIRST), listed(SECOND)]) == [Live(FIRST, recent=False), Live(SECOND, recent=False)]


def test_two_rows_that_refer_to_one_missing_object_are_both_found() -> None:
    rows = [reference(FIRST, "ada"), reference(FIRST, "bob")]
    assert find(rows, [listed(SECOND)]) == [Missing(rows[0]), Missing(rows[1]), Unreferenced(SECOND)]


def test_a_row_that_refers_to_a_key_outside_avatars_is_a_missing_object() -> None:
    rows = [Reference("aaa", "ada"), reference(FIRST), Reference(SECOND.pending_key, "bob")]
    assert find(rows, [listed(FIRST)]) == [Missing(rows[0]), Live(FIRST, recent=False), Missing(rows[2])]


@pytest.mark.parametrize("is_referenced", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "",
        "logo.png",
        FIRST.text.upper(),
        f"{FIRST.text}.png",
        f"{FIRST.text}/",
        f"old/{FIRST.text}",
        # Version 4: no upload has such an id.
        "019b0000-0000-4000-8000-000000000001",
        "\U0001f600",
    ],
)
def test_an_object_whose_name_no_upload_can_have_is_foreign(name: str, is_referenced: bool) -> None:  # noqa: FBT001 - a table
    key = AVATAR_PREFIX + name
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
    rules = replace(RULES, now=FIRST.created + id_age)
    expected = Young(FIRST) if young else Unreferenced(FIRST)
    assert find([], [listed(FIRST, rules.now - written_age)], rules) == [expected]


@pytest.mark.parametrize(
    ("written_age", "recent"),
    [(REPAIR_SECONDS, False), (REPAIR_SECONDS - 0.001, True), (0, True), (-60, True), (10 * REPAIR_SECONDS, False)],
)
def test_a_live_object_is_recent_for_some_days_after_it_was_written(
    written_age: float,
    recent: bool,  # noqa: FBT001 - a table
) -> None:
    assert find([reference(FIRST)], [listed(FIRST, RULES.now - written_age)]) == [Live(FIRST, recent)]


def test_a_live_object_with_a_young_id_is_live() -> None:
    rules = replace(RULES, now=FIRST.created)
    assert find([reference(FIRST)], [listed(FIRST, rules.now)], rules) == [Live(FIRST, recent=True)]


def test_an_object_is_recent_for_longer_than_the_lifecycle_rule_takes() -> None:
    # A day, then up to the next midnight; S3 may be late by as much.
    assert REPAIR_SECONDS >= 2 * 2 * 86_400


def test_rows_and_objects_are_read_only_as_far_as_needed() -> None:
    taken: list[str] = []

    def objects() -> Iterator[Listed]:
        for upload_id in (FIRST, SECOND, THIRD):
            taken.append(upload_id.avatar_key)
            yield listed(upload_id)

    findings = compare([], objects(), RULES)
    assert next(findings) == Unreferenced(FIRST)
    assert taken == [FIRST.avatar_key]


def compare_naively(references: list[Reference], objects: list[Listed], rules: Rules) -> set[Finding]:
    """The same with sets in memory."""
    referenced, there = {row.avatar for row in references}, {entry.key for entry in objects}
    found: set[Finding] = {Missing(row) for row in references if row.avatar not in there}
    for entry in objects:
        upload_id = parse_key(entry.key, AVATAR_PREFIX)
        if upload_id is None:
            found.add(Foreign(entry.key))
        elif entry.key in referenced:
            found.add(Live(upload_id, recent=rules.now - entry.modified < REPAIR_SECONDS))
        elif rules.now - upload_id.created < SETTLE or rules.now - entry.modified < SETTLE:
            found.add(Young(upload_id))
        else:
            found.add(Unreferenced(upload_id))
    return found


NOW = 1_800_000_000
ID_SCALE = st.sampled_from([0, 60, SETTLE - 1, SETTLE, SETTLE + 1, REPAIR_SECONDS - 1, REPAIR_SECONDS, 10**7])


def make_id(age: int, number: int) -> UploadId:
    text = f"{(NOW - age) * 1000:012x}"
    return UploadId(f"{text[:8]}-{text[8:]}-7000-8000-{number:012x}")


# Few keys, so that rows often refer to objects; and names from all of Unicode, for the order.
IDS = st.builds(make_id, ID_SCALE, st.integers(0, 3)).map(lambda upload_id: upload_id.avatar_key)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=3)
KEYS = IDS | NAMES.map(AVATAR_PREFIX.__add__)
OBJECTS = st.dictionaries(KEYS, ID_SCALE.map(NOW.__sub__))
ROWS = st.dictionaries(NAMES, KEYS | NAMES)


@given(ROWS, OBJECTS)
def test_the_findings_equal_a_comparison_of_sets(rows: dict[str, str], objects: dict[str, int]) -> None:
    references = sorted((Reference(avatar, name) for name, avatar in rows.items()), key=lambda row: row.avatar.encode())
    entries = [Listed(key, objects[key]) for key in sorted(objects, key=str.encode)]
    rules = Rules(NOW, SETTLE)
    found = find(references, entries, rules)
    assert set(found) == compare_naively(references, entries, rules)
    assert len(set(found)) == len(found)
    # No row refers to an unreferenced object, and neither its id nor its modification is recent.
    for finding in found:
        if isinstance(finding, Unreferenced):
            key = finding.upload_id.avatar_key
            assert key not in rows.values()
            assert max(finding.upload_id.created, objects[key]) <= NOW - SETTLE
