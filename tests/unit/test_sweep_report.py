"""The report of a sweep, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from services.uploads.sweep.__main__ import DONE, NEEDS_ATTENTION, TOO_MANY_ORPHANS, choose_status
from services.uploads.sweep.report import MAX_NAMES, MEANINGS, NAMED, Outcome, Report


def test_each_outcome_is_counted() -> None:
    report = Report(dry_run=False)
    for times, outcome in enumerate(Outcome):
        for _ in range(times):
            report.add(outcome, "x")
    assert list(report.counts.values()) == list(range(len(Outcome)))


def test_each_outcome_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Outcome)


def test_reports_share_no_state() -> None:
    Report(dry_run=False).add(Outcome.DANGLING, "x")
    assert not Report(dry_run=False).needs_attention
    assert not any(Report(dry_run=False).names.values())


@pytest.mark.parametrize("outcome", Outcome)
def test_a_report_needs_attention_for_each_of_these_outcomes(outcome: Outcome) -> None:
    report = Report(dry_run=False)
    assert not report.needs_attention
    report.add(outcome, "x")
    assert report.needs_attention is (
        outcome in {Outcome.SKIPPED, Outcome.KEPT, Outcome.DANGLING, Outcome.FAILED, Outcome.UNTOLD}
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_the_report_names_changes_and_outcomes_that_need_attention(outcome: Outcome) -> None:
    report = Report(dry_run=False)
    report.add(outcome, "ada -> avatars/1")
    assert report.as_json()["names"] == ({outcome.value: ["ada -> avatars/1"]} if outcome in NAMED else {})
    assert ("ada -> avatars/1" in report.as_text()) is (outcome in NAMED)


def test_the_named_outcomes() -> None:
    assert set(NAMED) == {
        Outcome.DELETED,
        Outcome.RESTORED,
        Outcome.UNTOLD,
        Outcome.REPLACED,
        Outcome.SKIPPED,
        Outcome.KEPT,
        Outcome.DANGLING,
        Outcome.FAILED,
    }


def test_the_report_keeps_names_of_all_outcomes_but_live() -> None:
    report = Report(dry_run=False)
    for outcome in Outcome:
        report.add(outcome, f"avatars/{outcome}")
    assert report.names == {outcome: [f"avatars/{outcome}"] for outcome in Outcome if outcome is not Outcome.LIVE}


@pytest.mark.parametrize("outcome", NAMED)
def test_the_report_keeps_the_first_names_up_to_a_limit(outcome: Outcome) -> None:
    report = Report(dry_run=False)
    for number in range(MAX_NAMES + 50):
        report.add(outcome, f"avatars/{number}")
    [other, *_] = set(NAMED) - {outcome}
    report.add(other, "ada")
    assert report.counts[outcome] == MAX_NAMES + 50
    assert report.names[outcome] == [f"avatars/{number}" for number in range(MAX_NAMES)]
    assert report.names[other] == ["ada"]
    assert len(report.as_text().splitlines()) == 1 + 2 + MAX_NAMES + 1


def test_the_json_has_every_count_and_is_one_line() -> None:
    report = Report(dry_run=True, rows=3, listed={"avatar": 4, "banner": 3})
    report.add(Outcome.LIVE, "avatars/1")
    report.add(Outcome.DANGLING, "ada -> avatars/2")
    line = json.dumps(report.as_json())
    assert "\n" not in line
    assert json.loads(line) == {
        "dry_run": True,
        "rows": 3,
        "listed": 7,
        "live": 1,
        "young": 0,
        "deferred": 0,
        "pending": 0,
        "foreign": 0,
        "gone": 0,
        "deleted": 0,
        "restored": 0,
        "replaced": 0,
        "skipped": 0,
        "kept": 0,
        "dangling": 1,
        "failed": 0,
        "told": 0,
        "waiting": 0,
        "untold": 0,
        "names": {"dangling": ["ada -> avatars/2"]},
    }


def test_the_text_shows_each_count_with_its_meaning() -> None:
    report = Report(dry_run=False, rows=1234567)
    for _ in range(1200):
        report.add(Outcome.DELETED, "avatars/1")
    report.add(Outcome.DANGLING, "ada -> avatars/2")
    assert report.as_text().splitlines() == [
        " 1,234,567 rows that have or had a picture",
        "     1,200 deleted: orphans: no row refers to them, nor ever will",
        "         1 dangling: rows whose object is missing",
        *["           deleted: avatars/1"] * MAX_NAMES,
        "           dangling: ada -> avatars/2",
    ]


def test_the_report_of_a_dry_run_states_that_it_was_one() -> None:
    assert "Dry run" in Report(dry_run=True).as_text()
    assert "Dry run" not in Report(dry_run=False).as_text()


def test_the_report_says_why_no_orphan_was_deleted() -> None:
    report = Report(dry_run=False, excess="30 orphans are more than MAX_DELETIONS, which is 10")
    assert (
        "No orphan was deleted: 30 orphans are more than MAX_DELETIONS, which is 10." in report.as_text().splitlines()
    )
    assert report.as_json()["excess"] == report.excess
    assert "excess" not in Report(dry_run=False).as_json()


def test_each_kind_of_report_has_an_exit_status() -> None:
    report = Report(dry_run=False)
    assert choose_status(report) == DONE
    report.add(Outcome.KEPT, "avatars/1")
    assert choose_status(report) == NEEDS_ATTENTION
    report.excess = "too many"
    assert choose_status(report) == TOO_MANY_ORPHANS
