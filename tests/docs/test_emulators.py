"""The page on what the tests run on, against what the tests go by; `tests/emulator/test_traits.py` finds that out."""

from __future__ import annotations

from pathlib import Path

from tests.containers.emulators import LOCALSTACK, MINISTACK
from tests.targets import GAPS, Target, Trait

PAGE = Path(__file__).parents[2] / "docs" / "emulators.md"
COLUMNS = {
    Target.EMBEDDED: "embedded",
    Target.LOCALSTACK: f"`{LOCALSTACK}`",
    Target.MINISTACK: f"`{MINISTACK}`",
}


def draw_matrix() -> list[str]:
    """A line for each trait; the reasons for what is missing are numbered below."""
    reasons = list(dict.fromkeys(reason for target in COLUMNS for reason in GAPS[target].values()))
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"|---|{'---|' * len(COLUMNS)}"]
    for trait in Trait:
        gaps = [GAPS[target].get(trait) for target in COLUMNS]
        marks = [f"no ({reasons.index(gap) + 1})" if gap else "yes" for gap in gaps]
        lines.append(f"| {trait.value} | {' | '.join(marks)} |")
    return [*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]


def test_the_page_has_the_matrix_that_the_tests_go_by() -> None:
    matrix = "\n".join(draw_matrix())
    assert f"\n{matrix}\n" in PAGE.read_text(), f"The matrix is now:\n\n{matrix}"


def test_what_the_embedded_emulator_lacks_no_test_could_need() -> None:
    assert GAPS[Target.EMBEDDED].keys() <= set.intersection(*(set(GAPS[target]) for target in COLUMNS))
