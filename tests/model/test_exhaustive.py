"""I1 to I7 and I9 in every state that confirms, repeats, posts, sweeps and lifecycle rules can reach, with crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.model.explore import Explorer, Statistics
from tests.model.scenarios import Scenario, make_scenarios, make_telling_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCENARIOS = [
    scenario
    for strategy in ("prefix", "tag")
    for scenario in (*make_scenarios(strategy), *make_telling_scenarios(strategy))
]


@pytest.fixture(scope="module")
def total(covered: Callable[[str], None]) -> Iterator[Statistics]:
    statistics = Statistics()
    yield statistics
    covered(f"model: {statistics}")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[f"{scenario.strategy}: {scenario.name}" for scenario in SCENARIOS])
def test_the_invariants_hold_in_every_state(scenario: Scenario, total: Statistics) -> None:
    total.add(Explorer(scenario).explore())
