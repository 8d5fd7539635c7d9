"""Tests are skipped on an AWS that lacks a trait that they need."""

from __future__ import annotations

import pytest

from tests.targets import CHOICES, Target, Trait, runs_on

EMBEDDED, LOCALSTACK, MINISTACK = Target.EMBEDDED, Target.LOCALSTACK, Target.MINISTACK


@pytest.mark.parametrize(
    ("choice", "needs", "expected"),
    [
        ("all", set[Trait](), {EMBEDDED, LOCALSTACK, MINISTACK}),
        ("all", {Trait.IAM}, {EMBEDDED, MINISTACK}),
        ("all", {Trait.FORM_TAGGING}, {EMBEDDED, LOCALSTACK}),
        ("both", {Trait.IAM}, {EMBEDDED}),
        ("embedded", {Trait.IAM}, {EMBEDDED}),
        ("localstack", set[Trait](), {LOCALSTACK}),
        ("localstack", {Trait.IAM}, {EMBEDDED}),
        ("ministack", {Trait.IAM}, {MINISTACK}),
        ("ministack", {Trait.FORM_TAGGING, Trait.IAM}, {EMBEDDED}),
    ],
)
def test_where_a_test_runs(choice: str, needs: set[Trait], expected: set[Target]) -> None:
    assert {target for target in Target if runs_on(target, CHOICES[choice], needs)} == expected
