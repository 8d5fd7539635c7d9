"""docs/emulators.md agrees with `tests/targets.py`, which `tests/emulator/test_traits.py` checks."""

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
    """A table with a row for each trait, and the numbered reasons for missing traits below it."""
    reasons = list(dict.fromkeys(reason for target in COLUMNS for reason in GAPS[target].values()))
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"|---|{'---|' * len(COLUMNS)}"]
    for trait in Trait:
        gaps = [GAPS[target].get(trait) for target in COLUMNS]
        marks = [f"no ({reasons.index(gap) + 1})" if gap else "yes" for gap in gaps]
        lines.append(f"| {trait.value} | {' | '.join(marks)} |")
    return [*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]


def test_the_page_has_the_matrix_of_traits() -> None:
    matrix = "\n".join(draw_matrix())
    assert f"\n{matrix}\n" in PAGE.read_text(), f"The matrix is now:\n\n{matrix}"


def test_a_trait_that_the_embedded_emulator_lacks_is_lacked_by_all() -> None:
    assert GAPS[Target.EMBEDDED].keys() <= set.intersection(*(set(GAPS[target]) for target in COLUMNS))
