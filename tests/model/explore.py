"""Explores every state that a scenario can reach, whatever the order of its steps and wherever its programs crash.

A state is the world, the position of each program, the calls that still run although their caller no longer waits, and
the number of mishaps that may still happen. Each state is visited once, whatever led to it, so that all can be visited.
"""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from services.store.kinds import PENDING_PREFIXES, PERMANENT_PREFIXES
from services.store.states import is_marked
from services.uploads.sweep.plan import is_full_hour
from tests.fake.aws import Aws
from tests.fake.world import WRITES, Call, Object, Step, Timeout, World, take_step
from tests.model.programs import ANSWER, CLOCK, Code, Confirm, Direct, Remove, Sweep, find_next

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.store.keys import Upload
    from tests.model.scenarios import Scenario

NOT_BEGUN, OVER, DEAD = -1, -2, -3
"""Values of `Place.node` for a program that is at none of its nodes."""


class Place(NamedTuple):
    """The position of a program: a node, and the progress of the call that it makes there."""

    node: int
    progress: Any = None


class Ghost(NamedTuple):
    """A call whose caller crashed, gave up or tries again. It can continue at any time, or never."""

    upload: Upload | None
    call: Call
    progress: Any


class State(NamedTuple):
    """Worlds and ghosts are numbers, since a state is hashed each time it is reached."""

    world: int
    places: tuple[Place, ...]
    ghosts: tuple[int, ...]
    mishaps: int
    posts: tuple[int, ...]
    """The scenario's posts that have not happened yet."""
    swept: bool
    """Whether a full sweep has run since the forms expired."""


Said = tuple["str | Call", ...]
"""A description of a step, turned into text only if it is printed."""


class ViolationError(AssertionError):
    pass


@dataclass
class Statistics:
    """`endings`: how often all programs crashed at once, followed by a clean-up."""

    states: int = 0
    transitions: int = 0
    deaths: int = 0
    timeouts: int = 0
    endings: int = 0

    def add(self, other: Statistics) -> None:
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in asdict(self).items())


@dataclass
class _Node:
    program: int
    answers: tuple[Any, ...]
    call: Call | None


@dataclass
class Explorer:
    scenario: Scenario
    code: Code = field(default_factory=Code)
    statistics: Statistics = field(default_factory=Statistics)
    _worlds: list[World] = field(default_factory=list[World])
    _world_numbers: dict[World, int] = field(default_factory=dict[World, int])
    _ghosts: list[Ghost] = field(default_factory=list[Ghost])
    _ghost_numbers: dict[Ghost, int] = field(default_factory=dict[Ghost, int])
    _nodes: list[_Node] = field(default_factory=list[_Node])
    _children: dict[tuple[int, Any], int] = field(default_factory=dict[tuple[int, Any], int])
    _ways: dict[tuple[int, Place], list[tuple[int, Step]]] = field(
        default_factory=dict[tuple[int, Place], list[tuple[int, Step]]]
    )
    """The ways in which a call can continue, by world and place."""
    _late_ways: dict[tuple[int, int], list[tuple[int, int | None]]] = field(
        default_factory=dict[tuple[int, int], "list[tuple[int, int | None]]"]
    )
    """The same for ghosts, by world and ghost: the world afterwards, and the ghost unless its call is over."""
    _posted: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    """The world after a post, by world and post."""
    _parents: dict[State, tuple[State, Said] | None] = field(default_factory=dict[State, "tuple[State, Said] | None"])
    """The state before each state, and what led from one to the other."""
    _judged: set[int] = field(default_factory=set[int])
    """The worlds whose invariants were checked."""
    _names: list[str] = field(init=False)
    """By program."""
    _roots: list[int] = field(init=False)
    """The first node of each program."""

    def explore(self) -> Statistics:
        """
        Raises:
            ViolationError: an invariant does not hold. The message lists the steps that lead there.
        """
        # Millions of tuples have no cycles, and searching them for cycles takes as long as the exploration.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return self._explore()
        finally:
            if was_enabled:
                gc.enable()

    def _explore(self) -> Statistics:
        start = State(
            self._number(self.scenario.world),
            tuple(Place(NOT_BEGUN) for _ in self.scenario.programs),
            (),
            self.scenario.mishaps,
            tuple(range(len(self.scenario.posts))),
            swept=False,
        )
        programs = self.scenario.programs
        self._names = [f"{type(program).__name__.lower()} {number}" for number, program in enumerate(programs, start=1)]
        self._roots = [self._make_node(index, ()) for index in range(len(programs))]
        self._parents[start] = None
        waiting = [start]
        transitions = 0
        while waiting:
            state = waiting.pop()
            for said, successor in self._successors(state):
                transitions += 1
                if successor in self._parents:
                    continue
                self._parents[successor] = (state, said)
                if successor.world not in self._judged:
                    self._check(successor)
                waiting.append(successor)
        self.statistics.states += len(self._parents)
        self.statistics.transitions += transitions
        return self.statistics

    def _successors(self, state: State) -> Iterator[tuple[Said, State]]:
        for index, place in enumerate(state.places):
            if place.node == NOT_BEGUN:
                yield from self._begin(state, index)
            elif place.node >= 0:
                yield from self._go_on(state, index, place)
                if state.mishaps:
                    yield from self._go_wrong(state, index, place)
        if state.ghosts:
            yield from self._haunt(state)
        if state.posts:
            yield from self._post(state)
        yield from self._tick(state)
        if state.swept:
            yield from self._expire(state)

    # Programs

    def _begin(self, state: State, index: int) -> Iterator[tuple[Said, State]]:
        program = self.scenario.programs[index]
        if isinstance(program, Confirm) and self._worlds[state.world].now < program.upload.id.created:
            return
        yield self._move(state, index, self._roots[index], state.world, ("begins ", self._names[index]))

    def _go_on(self, state: State, index: int, place: Place) -> Iterator[tuple[Said, State]]:
        call = self._call_at(place)
        ways = self._ways.get((state.world, place))
        if ways is None:
            ways = self._ways[state.world, place] = self._take(state.world, call, place.progress)
        for world, step in ways:
            said = (self._names[index], ": ", call)
            if step.is_over:
                yield self._move(state, index, self._child(place.node, step.answer), world, said)
            else:
                places = _set(state.places, index, Place(place.node, step.progress))
                yield (*said, " (begun)"), _with(state, world, places)

    def _go_wrong(self, state: State, index: int, place: Place) -> Iterator[tuple[Said, State]]:
        """The program crashes, or its call times out. After a timeout it gives up or, as botocore does, tries again."""
        call, name = self._call_at(place), self._names[index]
        ghosts = [state.ghosts]
        if call.operation in WRITES:
            program = self.scenario.programs[index]
            upload = program.upload if isinstance(program, Confirm) else None
            ghosts.append((*state.ghosts, self._number_ghost(Ghost(upload, call, place.progress))))
        for running_on in ghosts:
            wronged = State(state.world, state.places, running_on, state.mishaps - 1, state.posts, swept=state.swept)
            self.statistics.deaths += 1
            yield (
                (name, " crashes at ", call),
                _with(wronged, state.world, _set(state.places, index, Place(DEAD))),
            )
            self.statistics.timeouts += 1
            yield self._move(
                wronged, index, self._child(place.node, Timeout()), state.world, (name, ": ", call, " times out")
            )
            if running_on is not state.ghosts:
                yield (
                    (name, ": ", call, " is tried again"),
                    _with(wronged, state.world, _set(state.places, index, Place(place.node))),
                )

    def _haunt(self, state: State) -> Iterator[tuple[Said, State]]:
        for index, number in enumerate(state.ghosts):
            ghost = self._ghosts[number]
            ways = self._late_ways.get((state.world, number))
            if ways is None:
                ways = self._late_ways[state.world, number] = [
                    (world, None if step.is_over else self._number_ghost(ghost._replace(progress=step.progress)))
                    for world, step in self._take(state.world, ghost.call, ghost.progress)
                ]
            for world, left in ways:
                if left is None:
                    remaining = (*state.ghosts[:index], *state.ghosts[index + 1 :])
                else:
                    remaining = _set(state.ghosts, index, left)
                yield (
                    ("late: ", ghost.call),
                    State(world, state.places, remaining, state.mishaps, state.posts, state.swept),
                )

    def _move(self, state: State, index: int, node: int, world: int, said: Said) -> tuple[Said, State]:
        """Go to this node, and past the steps that take no time: reading the clock, and the response to the client."""
        swept = state.swept
        while (call := self._nodes[node].call) is not None:
            if call == CLOCK:
                node = self._child(node, self._worlds[world].now)
            elif call.operation == ANSWER:
                said = (*said, f", answers {call.given[0]}")
                program = self.scenario.programs[index]
                if isinstance(program, (Confirm, Remove)):
                    problem = self.scenario.judge(program, call.given[0], self._worlds[world], state.mishaps)
                    if problem:
                        raise ViolationError(self._tell(state, said, problem))
                elif call.given[0] == "Swept" and self._began_late_enough(node):
                    swept = True
                node = self._child(node, None)
            else:
                break
        places = _set(state.places, index, Place(OVER if call is None else node))
        return said, State(world, places, state.ghosts, state.mishaps, state.posts, swept)

    def _began_late_enough(self, node: int) -> bool:
        clock = self._nodes[node].answers[0]
        return clock >= self.scenario.settled and is_full_hour(clock)

    # The surroundings

    def _post(self, state: State) -> Iterator[tuple[Said, State]]:
        world = self._worlds[state.world]
        for number in state.posts:
            post = self.scenario.posts[number]
            if post.upload.id.created <= world.now < self.scenario.settled_at(post.upload):
                posted = self._posted.get((state.world, number))
                if posted is None:
                    posted = self._posted[state.world, number] = self._number(world.put(post.key, post.stored))
                remaining = tuple(other for other in state.posts if other != number)
                yield (
                    (f"posts {post.stored.body} to {post.key}",),
                    State(posted, state.places, state.ghosts, state.mishaps, remaining, state.swept),
                )

    def _tick(self, state: State) -> Iterator[tuple[Said, State]]:
        """Time passes, but not beyond the margin of an upload that is being confirmed."""
        world = self._worlds[state.world]
        later = next((moment for moment in self.scenario.moments if moment > world.now), None)
        # A full sweep always runs before lifecycle rules do: it runs every six hours, and they run once a day.
        if later is None or (later >= self.scenario.last and not state.swept):
            return
        for index, place in enumerate(state.places):
            program = self.scenario.programs[index]
            if place.node >= 0 and isinstance(program, Confirm) and self.scenario.settled_at(program.upload) <= later:
                return
        ghosts = tuple(number for number in state.ghosts if self._lasts(self._ghosts[number], later))
        world_later = self._number(replace(world, now=later))
        yield (
            (f"it is {later:.0f}",),
            State(world_later, state.places, ghosts, state.mishaps, state.posts, state.swept),
        )

    def _lasts(self, ghost: Ghost, later: float) -> bool:
        return ghost.upload is not None and self.scenario.settled_at(ghost.upload) > later

    def _expire(self, state: State) -> Iterator[tuple[Said, State]]:
        world = self._worlds[state.world]
        for key, stored in world.objects:
            if is_expired(key, stored, world.now):
                yield (
                    (f"the lifecycle rule deletes {key}",),
                    _with(state, self._number(world.remove(key)), state.places),
                )

    # Bookkeeping

    def _take(self, world: int, call: Call, progress: Any) -> list[tuple[int, Step]]:
        return [(self._number(step.world), step) for step in take_step(self._worlds[world], call, progress)]

    def _number(self, world: World) -> int:
        number = self._world_numbers.get(world)
        if number is None:
            number = self._world_numbers[world] = len(self._worlds)
            self._worlds.append(world)
        return number

    def _number_ghost(self, ghost: Ghost) -> int:
        number = self._ghost_numbers.get(ghost)
        if number is None:
            number = self._ghost_numbers[ghost] = len(self._ghosts)
            self._ghosts.append(ghost)
        return number

    def _make_node(self, program: int, answers: tuple[Any, ...]) -> int:
        call = find_next(self.scenario.programs[program], self.code, answers)
        self._nodes.append(_Node(program, answers, call))
        return len(self._nodes) - 1

    def _child(self, node: int, answer: Any) -> int:
        child = self._children.get((node, answer))
        if child is None:
            parent = self._nodes[node]
            child = self._children[node, answer] = self._make_node(parent.program, (*parent.answers, answer))
        return child

    def _call_at(self, place: Place) -> Call:
        call = self._nodes[place.node].call
        assert call
        return call

    # Judgement

    def _check(self, state: State) -> None:
        self._judged.add(state.world)
        world = self._worlds[state.world]
        problem = self.scenario.find_problem(world) or self._find_problem_of_endings(world)
        if problem:
            raise ViolationError(self._tell(state, (), problem))

    def _find_problem_of_endings(self, world: World) -> str | None:
        """All programs crash here. Then an upload is confirmed again, or none is."""
        for program in (None, *self.scenario.repeats(world)):
            self.statistics.endings += 1
            aws = Aws(world)
            if program:
                outcome = Direct(aws.call, world.now).run(program, self.code)
                problem = self.scenario.judge_answer(program, outcome, aws.world)
                if problem:
                    return f"after all programs crashed, and {program}: {problem}"
            problem = self.scenario.find_problem(aws.world) or self._find_problem_at_last(aws)
            if problem:
                return f"in the end ({f'with {program}' if program else 'with no repeat'}): {problem}"
        return None

    def _find_problem_at_last(self, aws: Aws) -> str | None:
        """After a sweep, lifecycle rules and another sweep only referenced objects remain."""
        for moment in (find_full_hour(max(aws.now, self.scenario.settled)), self.scenario.last):
            aws.world = replace(aws.world, now=moment)
            for key, stored in aws.objects.items():
                if is_expired(key, stored, moment):
                    aws.remove(key)
            Direct(aws.call, moment).run(Sweep(self.scenario.tells), self.code)
        return (
            self.scenario.find_problem(aws.world)
            or self.scenario.find_leftovers(aws.world)
            or self.scenario.find_unheard(aws.world)
        )

    def _tell(self, state: State, said: Said, problem: str) -> str:
        steps = [_say(said)] if said else []
        at = state
        while parent := self._parents.get(at):
            at, said = parent
            steps.append(_say(said))
        way = "\n".join(f"{number:>3}. {step}" for number, step in enumerate(reversed(steps), start=1))
        world = self._worlds[state.world]
        rows = [(row.username, row.values) for row in world.rows]
        objects = [(key, stored.body, stored.tags) for key, stored in world.objects]
        return f"{problem}\n{way}\nobjects: {objects}\nrows: {rows}"


DAY = 86_400


def is_expired(key: str, stored: Object, now: float) -> bool:
    """Whether a rule in `infra.documents.bucket` deletes the object: two days after it was written at the latest."""
    is_pending = key.startswith(PENDING_PREFIXES) or (
        key.startswith(PERMANENT_PREFIXES) and is_marked(dict(stored.tags))
    )
    return is_pending and now >= stored.modified + 2 * DAY


def find_full_hour(moment: float) -> float:
    """The first moment from this one on at which a full sweep runs, if sweeps run once an hour."""
    while not is_full_hour(moment):
        moment += 3600
    return moment


def _set(places: tuple[Any, ...], index: int, place: Any) -> tuple[Any, ...]:
    return (*places[:index], place, *places[index + 1 :])


def _with(state: State, world: int, places: tuple[Place, ...]) -> State:
    return State(world, places, state.ghosts, state.mishaps, state.posts, state.swept)


def _say(said: Said) -> str:
    return "".join(part if isinstance(part, str) else _name(part) for part in said)


def _name(call: Call) -> str:
    return f"{call.operation} {', '.join(str(given) for given in call.given)}"
