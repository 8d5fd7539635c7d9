"""What each AWS that tests run on does and does not do, found out there; the page that says so is made of it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.emulator.probes import PROBES, make_place
from tests.targets import GAPS, Target, Trait

if TYPE_CHECKING:
    from infra.local.clients import Aws


@pytest.mark.every_aws
@pytest.mark.parametrize("trait", Trait, ids=lambda trait: trait.name.lower())
def test_a_target_does_just_what_is_not_named_as_a_gap(trait: Trait, target: Target, aws: Aws) -> None:
    place = make_place(aws, f"probe-{uuid.uuid4().hex[:12]}")
    assert PROBES[trait](place) == (trait not in GAPS[target])
