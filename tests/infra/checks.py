"""What can be wrong with a run of any program, preview or up. Each check answers with a line per fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.infra.policies import find_policy_faults
from tests.infra.schema import find_deprecations, find_type_faults
from tests.infra.texts import find_leaks, find_text_faults
from tests.infra.values import find_value_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.deployment import Deployment

CHECKS: tuple[Callable[[Deployment], list[str]], ...] = (
    find_type_faults,
    find_value_faults,
    find_text_faults,
    find_leaks,
    find_deprecations,
    find_policy_faults,
)
