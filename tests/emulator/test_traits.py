"""The traits that each AWS target has and lacks, on which docs/emulators.md is based."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.emulator.probes import PROBES, make_sandbox
from tests.targets import GAPS, Target, Trait

if TYPE_CHECKING:
    from infra.local.clients import Aws


@pytest.mark.every_aws
@pytest.mark.parametrize("trait", Trait, ids=lambda trait: trait.name.lower())
def test_a_target_lacks_exactly_the_traits_in_its_gaps(trait: Trait, target: Target, aws: Aws) -> None:
    sandbox = make_sandbox(aws, f"probe-{uuid.uuid4().hex[:12]}")
    assert PROBES[trait](sandbox) == (trait not in GAPS[target])
