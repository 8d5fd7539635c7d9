"""Every state that the programs of a scenario can come to, in whatever order their steps happen and wherever they die.

A state is the world, where each program is, the calls that still run although nobody waits for them any more, and how
many mishaps may still happen. Two ways to the same state are one, so that all of them can be looked at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from services.keys import AVATAR_PREFIX, PENDING_PREFIX
from services.state import is_marked
from tests.model.programs import ANSWER, CLOCK, Code, Confirm, Direct, Sweep, find_next
from tests.model.world import WRITES, Call, Now, Object, Step, Timeout, World, take_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.keys import UploadId
    from tests.model.scenarios import Scenario

NOT_BEGUN, OVER, DEAD = -1, -2, -3
"""Where a program is, besides at one of its nodes."""


class Place(NamedTuple):
    """Where a program is: at a node, and how far in the call that it makes there."""

    node: int
    progress: Any = None


class Ghost(NamedTuple):
    """A call whose caller is gone, or has given up and tries again. It may go on at any time, or never."""

    upload_id: UploadId | None
    call: Call
    progress: Any


class State(NamedTuple):
    world: int
    places: tuple[Place, ...]
    ghosts: tuple[Ghost, ...]
    mishaps: int
    posts: tuple[int, ...]
    """Which of the scenario's posts are still to come."""
    swept: bool
    """Whether a sweep has looked at everything since the forms ran out."""


class ViolationError(AssertionError):
    pass


@dataclass
class Statistics:
    """`endings`: how often everything was let die at once, and was then cleared up."""

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
    _nodes: list[_Node] = field(default_factory=list[_Node])
    _children: dict[tuple[int, Any], int] = field(default_factory=dict[tuple[int, Any], int])
    _steps: dict[tuple[int, Call, Any], list[tuple[int, Step]]] = field(
        default_factory=dict[tuple[int, Call, Any], list[tuple[int, Step]]]
    )
    _parents: dict[State, tuple[State, str] | None] = field(default_factory=dict[State, "tuple[State, str] | None"])

    def explore(self) -> Statistics:
        """
        Raises:
            ViolationError: an invariant does not hold; the text is the way there, step by step.
        """
        start = State(
            self._number(self.scenario.world),
            tuple(Place(NOT_BEGUN) for _ in self.scenario.programs),
            (),
            self.scenario.mishaps,
            tuple(range(len(self.scenario.posts))),
            swept=False,
        )
        self._roots = [self._make_node(index, ()) for index in range(len(self.scenario.programs))]
        self._parents[start] = None
        waiting = [start]
        while waiting:
            state = waiting.pop()
            self.statistics.states += 1
            for label, successor in self._successors(state):
                self.statistics.transitions += 1
                if successor in self._parents:
                    continue
                self._parents[successor] = (state, label)
                self._check(successor)
                waiting.append(successor)
        return self.statistics

    def _successors(self, state: State) -> Iterator[tuple[str, State]]:
        for index, place in enumerate(state.places):
            if place.node == NOT_BEGUN:
                yield from self._begin(state, index)
            elif place.node >= 0:
                yield from self._go_on(state, index, place)
                if state.mishaps:
                    yield from self._go_wrong(state, index, place)
        yield from self._haunt(state)
        yield from self._post(state)
        yield from self._tick(state)
        yield from self._expire(state)

    # Programs

    def _begin(self, state: State, index: int) -> Iterator[tuple[str, State]]:
        program = self.scenario.programs[index]
        if isinstance(program, Confirm) and self._world(state).now < program.upload_id.created:
            return
        yield self._move(state, index, self._roots[index], state.world, f"begins {self._name(index)}")

    def _go_on(self, state: State, index: int, place: Place) -> Iterator[tuple[str, State]]:
        call = self._call_at(place)
        for world, step in self._take(state.world, call, place.progress):
            label = f"{self._name(index)}: {_say(call)}"
            if step.is_over:
                yield self._move(state, index, self._child(place.node, step.answer), world, label)
            else:
                places = _set(state.places, index, Place(place.node, step.progress))
                yield f"{label} (begun)", state._replace(world=world, places=places)

    def _go_wrong(self, state: State, index: int, place: Place) -> Iterator[tuple[str, State]]:
        """The program dies, or its call is not answered; then it gives up, or tries once more, as botocore does."""
        call, left = self._call_at(place), state.mishaps - 1
        ghosts = [state.ghosts]
        if call.operation in WRITES:
            program = self.scenario.programs[index]
            upload_id = program.upload_id if isinstance(program, Confirm) else None
            ghosts.append((*state.ghosts, Ghost(upload_id, call, place.progress)))
        for running_on in ghosts:
            wronged = state._replace(mishaps=left, ghosts=running_on)
            self.statistics.deaths += 1
            yield (
                f"{self._name(index)} dies at {_say(call)}",
                wronged._replace(places=_set(state.places, index, Place(DEAD))),
            )
            self.statistics.timeouts += 1
            yield self._move(
                wronged,
                index,
                self._child(place.node, Timeout()),
                state.world,
                f"{self._name(index)}: {_say(call)} times out",
            )
            if running_on is not state.ghosts:
                yield (
                    f"{self._name(index)}: {_say(call)} is tried again",
                    wronged._replace(places=_set(state.places, index, Place(place.node))),
                )

    def _haunt(self, state: State) -> Iterator[tuple[str, State]]:
        for index, ghost in enumerate(state.ghosts):
            for world, step in self._take(state.world, ghost.call, ghost.progress):
                remaining = _set(state.ghosts, index, ghost._replace(progress=step.progress))
                if step.is_over:
                    remaining = (*state.ghosts[:index], *state.ghosts[index + 1 :])
                yield f"late: {_say(ghost.call)}", state._replace(world=world, ghosts=remaining)

    def _move(self, state: State, index: int, node: int, world: int, label: str) -> tuple[str, State]:
        """Go to this node, and past what takes no time: reading the clock, and the answer to the client."""
        program = self.scenario.programs[index]
        while (call := self._nodes[node].call) is not None:
            if call == CLOCK:
                node = self._child(node, self._worlds[world].now)
            elif call.operation == ANSWER:
                label = f"{label}, answers {call.given[0]}"
                if isinstance(program, Confirm):
                    problem = self.scenario.judge(program, call.given[0], self._worlds[world], state.mishaps)
                    if problem:
                        raise ViolationError(self._tell(state, label, problem))
                elif call.given[0] == "Swept" and self._began_late_enough(node):
                    state = state._replace(swept=True)
                node = self._child(node, None)
            else:
                places = _set(state.places, index, Place(node))
                return label, state._replace(world=world, places=places)
        return label, state._replace(world=world, places=_set(state.places, index, Place(OVER)))

    def _began_late_enough(self, node: int) -> bool:
        clock = self._nodes[node].answers[0]
        return clock >= self.scenario.settled

    # The surroundings

    def _post(self, state: State) -> Iterator[tuple[str, State]]:
        world = self._world(state)
        for number in state.posts:
            post = self.scenario.posts[number]
            if post.upload_id.created <= world.now < self.scenario.settled_at(post.upload_id):
                posted = world.put(post.key, post.stored)
                remaining = tuple(other for other in state.posts if other != number)
                yield (
                    f"posts {post.stored.body} to {post.key}",
                    state._replace(world=self._number(posted), posts=remaining),
                )

    def _tick(self, state: State) -> Iterator[tuple[str, State]]:
        """Time goes on, but not past the margin of an upload that somebody is still confirming."""
        world = self._world(state)
        later = next((moment for moment in self.scenario.moments if moment > world.now), None)
        # There is always a sweep before lifecycle rules come to it: it runs every hour, and they once a day.
        if later is None or (later >= self.scenario.last and not state.swept):
            return
        for index, place in enumerate(state.places):
            program = self.scenario.programs[index]
            if (
                place.node >= 0
                and isinstance(program, Confirm)
                and self.scenario.settled_at(program.upload_id) <= later
            ):
                return
        ghosts = tuple(
            ghost for ghost in state.ghosts if ghost.upload_id and self.scenario.settled_at(ghost.upload_id) > later
        )
        yield f"it is {later:.0f}", state._replace(world=self._number(replace(world, now=later)), ghosts=ghosts)

    def _expire(self, state: State) -> Iterator[tuple[str, State]]:
        world = self._world(state)
        if state.swept:
            for key, stored in world.objects:
                if is_expired(key, stored, world.now):
                    yield f"the lifecycle rule takes {key}", state._replace(world=self._number(world.remove(key)))

    # Bookkeeping

    def _take(self, world: int, call: Call, progress: Any) -> list[tuple[int, Step]]:
        known = self._steps.get((world, call, progress))
        if known is None:
            known = [(self._number(step.world), step) for step in take_step(self._worlds[world], call, progress)]
            self._steps[world, call, progress] = known
        return known

    def _number(self, world: World) -> int:
        number = self._world_numbers.get(world)
        if number is None:
            number = self._world_numbers[world] = len(self._worlds)
            self._worlds.append(world)
        return number

    def _world(self, state: State) -> World:
        return self._worlds[state.world]

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

    def _name(self, index: int) -> str:
        return f"{type(self.scenario.programs[index]).__name__.lower()} {index + 1}"

    # Judgement

    def _check(self, state: State) -> None:
        if state.world in self._judged:
            return
        self._judged.add(state.world)
        world = self._world(state)
        problem = self.scenario.find_problem(world) or self._find_problem_of_endings(world)
        if problem:
            raise ViolationError(self._tell(state, "", problem))

    _judged: set[int] = field(default_factory=set[int])

    def _find_problem_of_endings(self, world: World) -> str | None:
        """As if everything died right here: once with somebody who confirms again, once without."""
        for program in (None, *self.scenario.repeats(world)):
            self.statistics.endings += 1
            now = Now(world)
            if program:
                outcome = Direct(now.call, world.now).run(program, self.code)
                problem = self.scenario.judge_answer(program, outcome, now.world)
                if problem:
                    return f"after everything died and {program}: {problem}"
            problem = self.scenario.find_problem(now.world) or self._find_problem_at_last(now)
            if problem:
                return f"in the end ({f'with {program}' if program else 'with no repeat'}): {problem}"
        return None

    def _find_problem_at_last(self, now: Now) -> str | None:
        """A sweep, some days with their lifecycle rules, and one more sweep: nothing is left but what is referenced."""
        for moment in (max(now.world.now, self.scenario.settled), self.scenario.last):
            now.world = replace(now.world, now=moment)
            for key, stored in now.world.objects:
                if is_expired(key, stored, moment):
                    now.world = now.world.remove(key)
            Direct(now.call, moment).run(Sweep(), self.code)
        return self.scenario.find_problem(now.world) or self.scenario.find_leftovers(now.world)

    def _tell(self, state: State, label: str, problem: str) -> str:
        steps = [label] if label else []
        at = state
        while parent := self._parents.get(at):
            at, said = parent
            steps.append(said)
        way = "\n".join(f"{number:>3}. {step}" for number, step in enumerate(reversed(steps), start=1))
        world = self._world(state)
        objects = [(key, stored.body, stored.tags) for key, stored in world.objects]
        return f"{problem}\n{way}\nobjects: {objects}\nrows: {world.rows}"


DAY = 86_400


def is_expired(key: str, stored: Object, now: float) -> bool:
    """By the rules in `infra.documents.bucket`, a day or two after the object was written."""
    is_pending = key.startswith(PENDING_PREFIX) or (key.startswith(AVATAR_PREFIX) and is_marked(dict(stored.tags)))
    return is_pending and now >= stored.modified + 2 * DAY


def _set(places: tuple[Any, ...], index: int, place: Any) -> tuple[Any, ...]:
    return (*places[:index], place, *places[index + 1 :])


def _say(call: Call) -> str:
    return f"{call.operation} {', '.join(str(given) for given in call.given)}"
