"""Each safeguard is taken out of the code in turn, and the model notices."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from services.uploads import upload
from services.uploads.bucket import Bucket
from services.uploads.sweep import plan
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.uploads import Uploads
from services.uploads.users import Users
from tests.model.explore import Explorer, ViolationError
from tests.model.programs import LIMITS, Code, Sweep
from tests.model.scenarios import make_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.model.scenarios import Scenario

PREFIX, TAG, BOTH = ("prefix",), ("tag",), ("prefix", "tag")


@dataclass(frozen=True)
class Mutant:
    """Code without a safeguard, the strategies that need it, and which invariant the model finds broken."""

    name: str
    code: Code
    strategies: tuple[str, ...]
    broken: str


def mutate_function(owner: Any, name: str, replaced: str, by: str) -> Any:
    """The function with one piece of its source changed."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(replaced) == 1, f"{replaced!r} is not once in {source}"
    around = dict(vars(sys.modules[function.__module__]))
    exec(compile(source.replace(replaced, by), f"<mutant of {name}>", "exec"), around)  # noqa: S102 - our own code
    return around[name]


def mutate(kind: type[Any], name: str, replaced: str, by: str) -> Any:
    """The class with one piece of a method's source changed."""
    return subclass(kind, name, mutate_function(kind, name, replaced, by))


def rename(owner: Any, function_name: str, **names: Any) -> Any:
    """The function as if these names meant something else in its module."""
    function: FunctionType = getattr(owner, function_name)
    moved = FunctionType(function.__code__, function.__globals__ | names, function_name, function.__defaults__)
    moved.__kwdefaults__ = function.__kwdefaults__
    return moved


def subclass(kind: type[Any], name: str, method: Callable[..., Any]) -> Any:
    return type(kind.__name__, (kind,), {name: method})


COPY_AND_ADVANCE = """
            self.bucket.copy(copy)
            hurry()
            return self._advance(username, upload_id)
"""
ADVANCE_AND_COPY = """
            done = self._advance(username, upload_id)
            self.bucket.copy(copy)
            return done
"""
COPY = "            self.bucket.copy(copy)\n"
CONDITION = 'ConditionExpression="attribute_exists(Username) AND (attribute_not_exists(Avatar) OR Avatar < :new)",'


def take_any(stored: Any, *_: Any) -> Any:
    return stored


def delete_nothing(*_: Any) -> set[str]:
    return set()


def see_nothing(*_: Any, **__: Any) -> Outcome:
    return Outcome.LIVE


UNCHECKED = mutate_function(upload, "decide", "check_stored(stored, limits)", "pass")
NEVER_EXPIRED = mutate_function(
    upload, "decide", "if facts.now > upload_id.created + limits.confirm_seconds:", "if False:"
)
BY_ID = subclass(
    Sweeper,
    "sweep",
    rename(
        Sweeper,
        "sweep",
        compare=rename(
            plan,
            "compare",
            _judge=mutate_function(plan, "_judge", "max(upload_id.created, entry.modified)", "upload_id.created"),
        ),
    ),
)
"""A sweep that can't know when an object was written and has nothing but its margin."""

MUTANTS = [
    Mutant(
        "the row is updated before the copy",
        Code(uploads=mutate(Uploads, "_confirm", COPY_AND_ADVANCE, ADVANCE_AND_COPY)),
        PREFIX,
        "I1",
    ),
    Mutant(
        "the old picture is deleted before the row is updated",
        Code(uploads=mutate(Uploads, "_confirm", COPY, f"{COPY}            self.discard((facts.avatar,))\n")),
        BOTH,
        "I1",
    ),
    Mutant(
        "the pending object is deleted before the row is updated",
        Code(
            uploads=mutate(
                Uploads, "_confirm", COPY, f"{COPY}            self.discard(self.strategy.leftovers(upload_id))\n"
            )
        ),
        PREFIX,
        "I6",
    ),
    Mutant("the row is updated on no condition", Code(users=mutate(Users, "advance", CONDITION, "")), BOTH, "I1"),
    Mutant(
        "who meets a repeat of the same confirm deletes what it made",
        Code(uploads=mutate(Uploads, "_advance", "if is_superseded(upload_id, error.avatar):", "if True:")),
        BOTH,
        "I[16]",
    ),
    Mutant(
        "the copy is of whatever is there by then",
        Code(bucket=mutate(Bucket, "copy", "CopySourceIfMatch=step.etag,", "")),
        BOTH,
        "I3",
    ),
    Mutant(
        "the bytes are not checked",
        Code(uploads=subclass(Uploads, "_decide", rename(Uploads, "_decide", decide=UNCHECKED))),
        BOTH,
        "I3",
    ),
    Mutant(
        "whose upload it is is not asked",
        Code(uploads=subclass(Uploads, "_gather", rename(Uploads, "_gather", own=take_any))),
        BOTH,
        "I2",
    ),
    Mutant(
        "an upload can be confirmed at any time",
        Code(uploads=subclass(Uploads, "_decide", rename(Uploads, "_decide", decide=NEVER_EXPIRED))),
        PREFIX,
        "I[16]",
    ),
    Mutant(
        "the row is not looked at again where the object is missing",
        Code(uploads=mutate(Uploads, "_decide", "replace(facts, avatar=self.users.avatar_of(username))", "facts")),
        BOTH,
        "I6",
    ),
    Mutant("the sweep has no margin", Code(sweeper=BY_ID, settle_seconds=LIMITS.confirm_seconds), PREFIX, "I1"),
    Mutant("the sweep doesn't wait for the confirm window", Code(settle_seconds=0), PREFIX, "I1"),
    Mutant("the sweep deletes nothing", Code(sweeper=subclass(Sweeper, "_delete", delete_nothing)), BOTH, "I5"),
    Mutant("the sweep heals nothing", Code(sweeper=subclass(Sweeper, "_look_at_live", see_nothing)), TAG, "I1"),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_without_a_safeguard_an_invariant_breaks(mutant: Mutant, covered: Callable[[str], None]) -> None:
    for strategy in mutant.strategies:
        problem = find_violation(make_scenarios(strategy), mutant.code)
        assert problem, f"The model finds nothing wrong with it under {strategy}"
        assert re.search(mutant.broken, problem.splitlines()[0])
    covered(f"model: caught that {mutant.name}")


def test_the_margin_alone_is_enough() -> None:
    with_sweeps = [scenario for scenario in make_scenarios("prefix") if Sweep() in scenario.programs]
    assert find_violation(with_sweeps, Code(sweeper=BY_ID)) is None


def find_violation(scenarios: Iterable[Scenario], code: Code) -> str | None:
    for scenario in scenarios:
        try:
            Explorer(scenario, code).explore()
        except ViolationError as violation:
            return str(violation)
    return None
