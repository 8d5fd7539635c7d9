"""Larger worlds than the explorer's: users, uploads, strategies, sweeps, days and mishaps chosen by Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.store.kinds import AVATAR, KINDS
from services.uploads.sweep.plan import FULL_HOURS
from tests.fake.aws import Aws
from tests.fake.world import WRITES, Call, Timeout, take_step
from tests.model.explore import is_expired
from tests.model.programs import ANSWER, CLOCK, LIMITS, Code, Confirm, Direct, Program, Remove, Sweep, find_next
from tests.model.scenarios import DAY, SETTLE_SECONDS, START, Scenario, make_post, make_world, presign_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.store.keys import Upload
    from services.store.kinds import Kind

CODE = Code()
STRATEGIES = st.sampled_from(["prefix", "tag"])
PEOPLE = st.sampled_from(["ada", "eve"])
ANY_KIND = st.sampled_from([*KINDS.values()])
PICK = st.integers(0, 11)


@dataclass(frozen=True)
class Presigned:
    upload: Upload
    owner: str
    strategy: str


@dataclass
class Process:
    program: Program
    answers: tuple[Any, ...] = ()
    progress: Any = None
    wronged: bool = False


@dataclass
class Ghost:
    call: Call
    progress: Any
    program: Program


class Uploads(RuleBasedStateMachine):
    covered: ClassVar[dict[str, int]] = {"runs": 0, "steps": 0, "mishaps": 0}

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world("tag", rows=("ada", "eve"))
        # Under one of the two strategies live objects can have tags.
        self.scenario = Scenario("machine", "tag", (), self.world)
        self.uploads: list[Presigned] = []
        self.posted: dict[Upload, set[str]] = {}
        self.processes: list[Process] = []
        self.ghosts: list[Ghost] = []
        self.covered["runs"] += 1

    @initialize(strategy=STRATEGIES)
    def begin_with_an_upload(self, strategy: str) -> None:
        self.presign("ada", strategy, AVATAR)
        self.post(0, "good")

    # What clients do

    @rule(owner=PEOPLE, strategy=STRATEGIES, kind=ANY_KIND)
    def presign(self, owner: str, strategy: str, kind: Kind) -> None:
        upload = presign_at(self.world.now - START + len(self.uploads) / 1000, kind)
        self.uploads.append(Presigned(upload, owner, strategy))

    @rule(which=PICK, body=st.sampled_from(["good", "other", "bad", "twin"]))
    def post(self, which: int, body: str) -> None:
        presigned = _pick(self.uploads, which)
        if self.world.now < presigned.upload.id.created + LIMITS.confirm_seconds:
            post = make_post(presigned.strategy, presigned.upload, body, presigned.owner)
            self.world = self.world.put(post.key, post.stored)
            self.posted.setdefault(presigned.upload, set()).add(body)

    @rule(
        which=PICK, username=PEOPLE, service=STRATEGIES, key_of=STRATEGIES, as_it_is=st.booleans(), first=st.booleans()
    )
    def confirm(self, which: int, username: str, service: str, key_of: str, *, as_it_is: bool, first: bool) -> None:
        presigned = _pick(self.uploads, which)
        if as_it_is:
            username, service, key_of = presigned.owner, presigned.strategy, presigned.strategy
        self.processes.append(Process(Confirm(username, presigned.upload, key_of, first, service)))

    @rule(username=PEOPLE, kind=ANY_KIND)
    def remove(self, username: str, kind: Kind) -> None:
        self.processes.append(Process(Remove(username, kind)))

    @rule()
    def sweep(self) -> None:
        self.processes.append(Process(Sweep()))

    # How programs continue

    @precondition(lambda self: self.processes)
    @rule(which=PICK)
    def go_on(self, which: int) -> None:
        self._go_on(_pick(self.processes, which))

    @precondition(lambda self: self.processes)
    @rule(which=PICK)
    def finish(self, which: int) -> None:
        process = _pick(self.processes, which)
        while process in self.processes:
            self._go_on(process)

    @precondition(lambda self: self.processes)
    @rule(which=PICK, how=st.sampled_from(["crashes", "gives up", "tries again"]), runs_on=st.booleans())
    def go_wrong(self, which: int, how: str, *, runs_on: bool) -> None:
        process = _pick(self.processes, which)
        call = find_next(process.program, CODE, process.answers)
        if call is None or call == CLOCK or call.operation == ANSWER:
            return
        self.covered["mishaps"] += 1
        process.wronged = True
        if runs_on and call.operation in WRITES:
            self.ghosts.append(Ghost(call, process.progress, process.program))
        process.progress = None
        if how == "crashes":
            self.processes.remove(process)
        elif how == "gives up":
            process.answers += (Timeout(),)

    @precondition(lambda self: self.ghosts)
    @rule(which=PICK, way=PICK)
    def continue_ghost(self, which: int, way: int) -> None:
        ghost = _pick(self.ghosts, which)
        step = _pick([*take_step(self.world, ghost.call, ghost.progress)], way)
        self.world, ghost.progress = step.world, step.progress
        if step.is_over:
            self.ghosts.remove(ghost)

    # Time

    @rule(seconds=st.sampled_from([30, 600, LIMITS.confirm_seconds, SETTLE_SECONDS + 1]))
    def wait(self, seconds: int) -> None:
        """A program that would still run after its upload's margin finishes first."""
        later = self.world.now + seconds
        is_long = seconds > LIMITS.confirm_seconds
        for process in [*self.processes]:
            if self._is_settled(process.program, later, is_long=is_long):
                while process in self.processes:
                    self._go_on(process)
        self.ghosts = [ghost for ghost in self.ghosts if not self._is_settled(ghost.program, later, is_long=is_long)]
        self.world = replace(self.world, now=later)

    @rule()
    def let_days_pass(self) -> None:
        """One sweep an hour runs to its end; then the lifecycle rules run."""
        self.wait(SETTLE_SECONDS + 1)
        for _ in range(FULL_HOURS):
            self._sweep_alone()
            self.wait(3600)
        self.wait(3 * DAY)
        for key, stored in self.world.objects:
            if is_expired(key, stored, self.world.now):
                self.world = self.world.remove(key)

    # Invariants

    @invariant()
    def nothing_is_broken(self) -> None:
        problem = self.scenario.find_problem(self.world)
        assert problem is None, problem

    def teardown(self) -> None:
        """All programs crash; then the sweep and the lifecycle rules clean up."""
        self.processes.clear()
        self.ghosts.clear()
        self.let_days_pass()
        self._sweep_alone()
        problem = self.scenario.find_problem(self.world) or self.scenario.find_leftovers(self.world)
        assert problem is None, problem

    def _go_on(self, process: Process) -> None:
        self.covered["steps"] += 1
        call = find_next(process.program, CODE, process.answers)
        if call is None:
            self.processes.remove(process)
        elif call == CLOCK:
            process.answers += (self.world.now,)
        elif call.operation == ANSWER:
            if isinstance(process.program, Remove):
                self._judge_removal(process.program, call.given[0], wronged=process.wronged)
            if isinstance(process.program, Confirm):
                self._judge(process.program, call.given[0], wronged=process.wronged)
            process.answers += (None,)
        else:
            step = next(take_step(self.world, call, process.progress))
            self.world, process.progress = step.world, step.progress
            if step.is_over:
                process.answers += (step.answer,)

    def _judge(self, confirm: Confirm, outcome: str, *, wronged: bool) -> None:
        upload = confirm.upload
        presigned = next(presigned for presigned in self.uploads if presigned.upload == upload)
        value = self.world.find_value(confirm.username, upload.kind)
        current = value.key or ""
        is_removed = bool(value.removed and value.removed >= upload.id.text)
        posted = self.posted.get(upload, set())
        is_own = confirm.username == presigned.owner
        may_be: dict[str, bool] = {
            "Confirmed": (is_removed or current >= upload.permanent_key) and is_own,
            "SupersededError": is_removed or current > upload.permanent_key,
            "RemovedError": is_removed,
            "ExpiredError": self.world.now > upload.id.created + LIMITS.confirm_seconds,
            "DeadlineExceededError": True,
            "DigestMismatchError": bool(posted - {"good"}),
            "UnknownUploadError": not is_own or confirm.strategy != presigned.strategy or not posted,
            "OtherStrategyError": confirm.service != confirm.strategy,
            # Other posts, delayed copies and repairs by other confirms look the same to a confirm.
            "KeepsChangingError": True,
            "Unavailable": wronged,
        }
        assert may_be[outcome], f"{outcome} for {confirm}, whose row refers to {current}"

    def _judge_removal(self, remove: Remove, outcome: str, *, wronged: bool) -> None:
        value = self.world.find_value(remove.username, remove.kind)
        may_be = {
            "Removed": bool(value.removed),
            "KeepsChangingError": True,
            "DeadlineExceededError": True,
            "Unavailable": wronged,
        }
        assert may_be[outcome], f"{outcome} for {remove}, and the row has {value}"

    def _sweep_alone(self) -> None:
        aws = Aws(self.world)
        Direct(aws.call, aws.now).run(Sweep(), CODE)
        self.world = aws.world

    @staticmethod
    def _is_settled(program: Program, later: float, *, is_long: bool) -> bool:
        return later >= program.upload.id.created + SETTLE_SECONDS if isinstance(program, Confirm) else is_long


def _pick(choices: Sequence[Any], which: int) -> Any:
    return choices[which % len(choices)]


Uploads.TestCase.settings = settings(
    max_examples=400,
    stateful_step_count=60,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class TestUploads(Uploads.TestCase):
    pass


@pytest.fixture(autouse=True, scope="module")
def _report(covered: Callable[[str], None]) -> Iterator[None]:
    yield
    counted = ", ".join(f"{count:,} {name}" for name, count in Uploads.covered.items())
    covered(f"model, by chance: {counted}")
