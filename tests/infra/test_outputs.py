from __future__ import annotations

from typing import Any

import pulumi
import pytest

from tests.infra.outputs import refuse_to_judge_outputs


def test_an_output_that_is_used_as_a_value_is_an_error() -> None:
    """Every run of the program in these tests would fail with it (`Stack`)."""
    output_class: Any = pulumi.Output
    output = object.__new__(output_class)
    with refuse_to_judge_outputs():
        with pytest.raises(TypeError, match="uses an output as a value"):
            bool(output)
        with pytest.raises(TypeError, match="uses an output as a value"):
            assert output == "alarms"
    assert bool(output)
