"""Scenarios: a small world, and the programs that run in it. The explorer tries every order of their steps."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from services.store.keys import (
    DIGEST_FIELD,
    PENDING_TAG,
    TOKEN_FIELD,
    USERNAME_FIELD,
    Upload,
    UploadId,
    parse_key,
)
from services.store.kinds import AVATAR, BANNER, KINDS, Kind
from services.uploads.strategies import STRATEGIES, hash_token
from services.uploads.sweep.plan import RECENT_SECONDS
from tests.fake.world import DIGESTS, TWINS, Object, World
from tests.model.programs import LIMITS, MARGIN_SECONDS, Confirm, Program, Remove, Sweep, make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.store.table import Row, Value

SETTLE_SECONDS = LIMITS.confirm_seconds + MARGIN_SECONDS
DAY = 86_400

PICTURES = frozenset({"good", "other", "blank"})

START = 1_750_003_600
"""When the first upload is presigned, in seconds since the epoch. A sweep at `SETTLED` or `D_SETTLED` is a full one."""


def presign_at(seconds: float, kind: Kind = AVATAR) -> Upload:
    """An upload that is presigned this long after the start."""
    text = f"{int((START + seconds) * 1000):012x}"
    return Upload(kind, UploadId(f"{text[:8]}-{text[8:]}-7000-8000-000000000000"))


SEED, A, B, C = presign_at(-10 * DAY), presign_at(0), presign_at(1), presign_at(2)
OLDEST = presign_at(-20 * DAY)
RUBBISH = presign_at(3)
"""An upload whose declared file is no picture."""
D = presign_at(SETTLE_SECONDS + 30)
"""An upload that is presigned when the margin of the first three is over."""

OPEN = START + 60.0
"""When A, B and C can be confirmed."""
LATE = START + LIMITS.confirm_seconds + 30.0
"""After their confirm window. A confirm that read the clock earlier may still be running."""
SETTLED = START + SETTLE_SECONDS + 60.0
"""After the margin. D can be confirmed."""
LATER = START + RECENT_SECONDS + 3600.0
"""Too late for a sweep to read the tags of A, unless it is a full one."""
D_SETTLED = START + 4.0 * SETTLE_SECONDS
LAST = START + 12 * DAY
"""After lifecycle rules have deleted everything pending."""


@dataclass(frozen=True)
class Post:
    """A post of a form, the first one or a repeat."""

    upload: Upload
    key: str
    stored: Object


@dataclass(frozen=True)
class Scenario:
    name: str
    strategy: str
    programs: tuple[Program, ...]
    world: World
    posts: tuple[Post, ...] = ()
    mishaps: int = 0
    """Maximum number of crashes and timeouts. A crash of all programs at once is always tried and does not count."""
    moments: tuple[float, ...] = (OPEN,)

    @property
    def settled(self) -> float:
        return SETTLED if not self._has_later else D_SETTLED

    @property
    def last(self) -> float:
        return LAST

    @property
    def _has_later(self) -> bool:
        return any(isinstance(program, Confirm) and program.upload == D for program in self.programs)

    @staticmethod
    def settled_at(upload: Upload) -> float:
        return upload.id.created + SETTLE_SECONDS

    # The invariants of the design

    def find_problem(self, world: World) -> str | None:
        """The invariants that hold in every state, whatever is running."""
        checks = (self._find_problem_of_row, self._find_problem_of_telling)
        places = [(row, kind) for row in world.rows for kind in KINDS.values()]
        problems = (check(world, row, kind) for row, kind in places for check in checks)
        return next((problem for problem in problems if problem), None)

    def _find_problem_of_row(self, world: World, row: Row, kind: Kind) -> str | None:
        username, value, before = row.username, row.of(kind), self.world.find_value(row.username, kind)
        if replace(value, told=before.told) != before and not self._is_acted_on(kind):
            return f"I2: the {kind.name} of {username} is {value}, and no program acts on that kind"
        if value.key is None:
            return None
        if parse_key(value.key, kind.permanent_prefix) is None:
            return f"I2: the {kind.name} of {username} is {value.key}"
        if before.key is not None and value.key < before.key:
            return f"The row of {username} went back to {value.key}"
        if value.removed and (
            value.key <= kind.permanent_prefix + value.removed or self._is_presigned_before_removal(value.key, kind)
        ):
            return f"I7: {value.key} is the {kind.name} of {username} after its removal"
        return self._find_problem_of_picture(username, value.key, world.find(value.key))

    @staticmethod
    def _find_problem_of_telling(world: World, row: Row, kind: Kind) -> str | None:
        username, value = row.username, row.of(kind)
        heard, current = world.find_heard(username, kind), _find_current(kind, value)
        if (value.told or "") > heard.get("id", ""):
            return f"I9: {username}'s row says that the application was told of {value.told}, and it heard {heard}"
        if heard.get("id", "") > current:
            return f"I9: the application heard {heard}, and the {kind.name} of {username} is {value}"
        if heard and heard["id"] == current and heard.get("key") != value.key:
            return f"I9: the application heard {heard}, and the {kind.name} of {username} is {value.key}"
        return None

    def find_unheard(self, world: World) -> str | None:
        """What holds after the clean-up (I9): the application was told of each row's state."""
        for row in world.rows if self.tells else ():
            for kind in KINDS.values():
                heard, current = world.find_heard(row.username, kind).get("id", ""), _find_current(kind, row.of(kind))
                if not heard == (row.of(kind).told or "") == current:
                    return f"I9: the application heard {heard}, and the {kind.name} of {row.username} is {row.of(kind)}"
        return None

    @property
    def tells(self) -> bool:
        """Whether there is an application."""
        return any(program.tells for program in self.programs)

    def _find_problem_of_picture(self, username: str, key: str, stored: Object | None) -> str | None:
        if stored is None:
            return f"I1: the row of {username} refers to {key}, which is missing"
        if dict(stored.metadata).get(USERNAME_FIELD) != username:
            return f"I2: the row of {username} refers to another user's {key}"
        if stored.tags and self.strategy == "prefix":
            return f"I1: a lifecycle rule will delete {key}, to which the row of {username} refers"
        # Under `tag` a repeat or the sweep repairs a picture that was posted again, with the ETag of the first bytes.
        is_to_be_repaired = stored.tags or (self.strategy == "tag" and stored.body in TWINS)
        if not (stored.is_declared and stored.body in PICTURES) and not is_to_be_repaired:
            return f"I3: the row of {username} refers to {key}, and its bytes are {stored.body}"
        return None

    def _is_acted_on(self, kind: Kind) -> bool:
        """Whether a program confirms or removes a picture of this kind. The machine has programs of every kind."""
        kinds = {program.upload.kind for program in self.programs if isinstance(program, Confirm)}
        kinds |= {program.kind for program in self.programs if isinstance(program, Remove)}
        return kind in kinds or not self.programs

    def find_leftovers(self, world: World) -> str | None:
        """What holds after the clean-up (I5): a row refers to each object, and no lifecycle rule will delete it."""
        referenced = sorted(value.key for row in world.rows for value in row.values if value.key)
        if [key for key, _ in world.objects] != referenced:
            return f"I5: there are {[key for key, _ in world.objects]}, and the rows refer to {referenced}"
        if marked := [key for key, stored in world.objects if stored.tags]:
            return f"I1: lifecycle rules will delete {marked}"
        wrong = [key for key, stored in world.objects if not (stored.is_declared and stored.body in PICTURES)]
        if wrong:
            return f"I3: {wrong} are not the declared pictures"
        return None

    def _is_presigned_before_removal(self, key: str, kind: Kind) -> bool:
        """In a scenario all uploads but D are presigned before any removal, whatever the clock of the removal says."""
        removes = any(isinstance(program, Remove) and program.kind == kind for program in self.programs)
        return removes and key < kind.permanent_prefix + D.id.text

    def judge(self, program: Confirm | Remove, outcome: str, world: World, mishaps_left: int) -> str | None:
        """What is wrong with this response at this moment, if anything."""
        # A delayed copy looks like another post.
        if mishaps_left < self.mishaps and outcome in {"Unavailable", "KeepsChangingError"}:
            return None
        if outcome in {"ExpiredError", "DeadlineExceededError"} and world.now > OPEN:
            return None
        if isinstance(program, Remove):
            return self._judge_removal(program, outcome, world)
        return self.judge_answer(program, outcome, world)

    def _judge_removal(self, program: Remove, outcome: str, world: World) -> str | None:
        value = world.find_value(program.username, program.kind)
        is_removed = outcome == "Removed" and value.removed
        return None if is_removed else f"I7: {outcome} for {program}, and the row has {value}"

    def judge_answer(self, program: Confirm, outcome: str, world: World) -> str | None:
        value = world.find_value(program.username, program.upload.kind)
        current, key = value.key or "", program.upload.permanent_key
        is_removed = bool(value.removed and value.removed >= program.upload.id.text)
        if not self.is_own(program):
            return None if outcome == "UnknownUploadError" else f"I2: {outcome} for another user's upload"
        match outcome:
            case "Confirmed":
                fits = current >= key or is_removed
            case "SupersededError":
                fits = current > key or is_removed
            case "RemovedError":
                fits = is_removed
            case "NotAPictureError":
                fits = program.upload == RUBBISH
            case "DigestMismatchError":
                fits = any(post.upload == program.upload and not post.stored.is_declared for post in self.posts)
            case "KeepsChangingError":
                fits = any(post.upload == program.upload for post in self.posts)
            case "UnknownUploadError":
                fits = not self._was_posted(program.upload)
            case _:
                fits = False
        return None if fits else f"I6: {outcome} for {key} of {program.username}, whose row refers to {current}"

    def is_own(self, program: Confirm) -> bool:
        return program.username == "ada"

    def _was_posted(self, upload: Upload) -> bool:
        """Whether the object is there from the start, so that no confirm can run before the post."""
        return all(post.upload != upload or self.world.find(post.key) for post in self.posts)

    def repeats(self, world: World) -> Iterator[Confirm]:
        """Confirms that the owners can repeat after a crash: those of uploads that can still be confirmed."""
        seen: set[Upload] = set()
        for program in self.programs:
            if isinstance(program, Confirm) and self.is_own(program) and program.upload not in seen:
                seen.add(program.upload)
                if program.upload.id.created < world.now <= program.upload.id.created + LIMITS.confirm_seconds:
                    yield program


def _find_current(kind: Kind, value: Value) -> str:
    """The id of the upload to which the row refers, or of the removal that left it without a picture."""
    upload_id = parse_key(value.key or "", kind.permanent_prefix)
    return upload_id.text if upload_id else value.removed or ""


def make_post(strategy: str, upload: Upload, body: str = "good", username: str = "ada") -> Post:
    """The object that S3 stores if these bytes are posted with the upload's form. This S3 does not compare them with
    the form's checksum.
    """
    chosen = STRATEGIES[strategy]
    declared = "bad" if upload == RUBBISH else "good"
    metadata = {USERNAME_FIELD: username, DIGEST_FIELD: DIGESTS[declared]}
    if chosen.with_token:
        metadata[TOKEN_FIELD] = hash_token(make_token(upload))
    tags = (PENDING_TAG,) if chosen.with_token else ()
    return Post(upload, chosen.posted_key(upload), Object(body, tuple(sorted(metadata.items())), tags))


def make_world(
    strategy: str, *posted: Upload, rows: tuple[str, ...] = ("ada",), without: tuple[str, ...] = ()
) -> World:
    """Users with a seeded avatar and users without one, and these uploads of Ada's, posted but not confirmed."""
    world = World(START - 10.0 * DAY)
    for number, username in enumerate(rows):
        key = AVATAR.permanent_prefix + SEED.id.text[:-1] + str(number)
        assert parse_key(key, AVATAR.permanent_prefix)
        metadata = ((DIGEST_FIELD, DIGESTS["good"]), (USERNAME_FIELD, username))
        world = world.put(key, Object("good", metadata)).point(username, key)
    for username in without:
        world = world.point(username, None)
    world = replace(world, now=OPEN)
    for upload in posted:
        post = make_post(strategy, upload, "bad" if upload == RUBBISH else "good")
        world = world.put(post.key, post.stored)
    return world


def make_scenarios(strategy: str) -> tuple[Scenario, ...]:
    def confirm(upload: Upload, username: str = "ada", *, object_first: bool = True) -> Confirm:
        return Confirm(username, upload, strategy, object_first)

    def scene(name: str, *programs: Program, world: World | None = None, **more: Any) -> Scenario:
        return Scenario(name, strategy, programs, world or make_world(strategy, A, B, C), **more)

    a, a_row_first, b, b_row_first, c, d = (
        confirm(A),
        confirm(A, object_first=False),
        confirm(B),
        confirm(B, object_first=False),
        confirm(C),
        confirm(D),
    )
    sweep = Sweep()
    again, rubbish, b_again = (
        make_post(strategy, A, "other"),
        make_post(strategy, A, "bad"),
        make_post(strategy, B, "other"),
    )
    twin = make_post(strategy, A, "twin")
    other, other_again = presign_at(0.5, BANNER), presign_at(1.5, BANNER)
    remove_other = Remove("ada", BANNER)
    remove, behind = Remove("ada"), Remove("ada", seconds_behind=20 * DAY)
    first, d_first = make_post(strategy, A), make_post(strategy, D)
    only_a, nothing_yet = make_world(strategy, A), make_world(strategy)
    with_eve = make_world(strategy, A, rows=("ada", "eve"))
    confirmed = make_post(strategy, A)
    after_crash = make_world(strategy, A)
    after_crash = after_crash.put(A.permanent_key, replace(confirmed.stored, tags=())).point("ada", A.permanent_key)
    after_crash = after_crash.remove(AVATAR.permanent_prefix + SEED.id.text[:-1] + "0")
    """A is the avatar. Under `prefix` its pending object is still there."""
    without_avatar = make_world(strategy, A, B, C, rows=("eve",), without=("ada",))
    night: dict[str, Any] = {"moments": (OPEN, LATE, SETTLED, LAST)}
    # Small scenarios come first, so that a violation is found early.
    return (
        scene("one confirm", a, world=only_a, posts=(again, rubbish), mishaps=3),
        scene("confirmed before it is posted", a, a_row_first, world=nothing_yet, posts=(first,), mishaps=1),
        scene("another user's upload", a, confirm(A, "eve"), a_row_first, world=with_eve, mishaps=1),
        scene("the first avatar", a, b, world=without_avatar, mishaps=1),
        scene("a declared file that is no picture", confirm(RUBBISH), world=make_world(strategy, RUBBISH), mishaps=1),
        scene("other bytes with the same ETag", a, a_row_first, world=only_a, posts=(twin,), mishaps=1),
        scene("a removal", remove, world=only_a, mishaps=2),
        scene("a removal by a clock that is behind", behind, a, world=after_crash, mishaps=1),
        scene("a removal and a confirm", a, remove, world=only_a, posts=(again,), mishaps=2),
        scene("a removal, a confirm and its repeat", a, a_row_first, remove, world=only_a, mishaps=1),
        scene("a removal before the first avatar", a, b, remove, world=without_avatar),
        scene("two removals and a confirm", a, remove, remove, world=only_a, mishaps=1),
        scene("a removal beside a sweep and a confirm", a, remove, sweep, world=only_a, **night),
        scene("a removal between two uploads", a, remove, d, posts=(d_first,), moments=(OPEN, SETTLED)),
        scene("an avatar and a banner", a, confirm(other), world=make_world(strategy, A, other), mishaps=1),
        scene("two banners", confirm(other), confirm(other_again), world=make_world(strategy, other, other_again)),
        scene("a banner, and a removal of the avatar", confirm(other), remove, world=make_world(strategy, other)),
        scene("an avatar, and a removal of the banner", a, remove_other, world=only_a),
        scene(
            "a banner, its removal, and a sweep",
            confirm(other),
            remove_other,
            sweep,
            world=make_world(strategy, other),
            posts=(make_post(strategy, other, "other"),),
            **night,
        ),
        scene(
            "a sweep beside an avatar and a banner",
            a,
            confirm(other),
            sweep,
            world=make_world(strategy, A, other),
            **night,
        ),
        scene("a sweep, the same ETag, and the night", a, sweep, world=only_a, posts=(twin,), mishaps=1, **night),
        scene("a confirm, its repeat, and a later upload, without mishaps", a, a_row_first, b),
        scene("a sweep beside a confirm", a, sweep, world=only_a, posts=(again,), mishaps=1, **night),
        scene("a sweep, rubbish, and the night", a, sweep, world=only_a, posts=(rubbish,), mishaps=1, **night),
        scene("a sweep beside a confirm and its repeat", a, a_row_first, sweep, world=only_a, **night),
        scene(
            "a sweep after hours without any",
            a,
            sweep,
            world=only_a,
            posts=(again,),
            moments=(OPEN, LATER, D_SETTLED, LAST),
        ),
        scene("two sweeps at once", a, sweep, sweep, world=only_a, posts=(rubbish,), **night),
        scene("a sweep beside a later upload", a, d, sweep, posts=(d_first,), moments=(OPEN, SETTLED, D_SETTLED, LAST)),
        scene("a sweep beside two uploads", a, b, sweep, posts=(again,), **night),
        scene("two uploads, the rows read first", a_row_first, b_row_first, posts=(rubbish, b_again), mishaps=1),
        scene("a confirm and its repeat", a, a_row_first, world=only_a, mishaps=3),
        scene("a confirm, its repeat, and rubbish", a, a_row_first, world=only_a, posts=(rubbish,), mishaps=2),
        scene("three uploads, one posted again", a, b_row_first, c, posts=(again,)),
        scene("a later upload, an earlier one, and the later again", b, a, b_row_first, mishaps=1),
        scene("three uploads", a, b, c, mishaps=1),
        scene("a confirm, its repeat, and another post", a, a_row_first, world=only_a, posts=(again,), mishaps=2),
        scene("two uploads", a, b, posts=(again,), mishaps=2),
        scene("a confirm, its repeat, and a later upload", a, a_row_first, b, posts=(rubbish,), mishaps=1),
        scene("three confirms of one upload", a, a_row_first, a, world=only_a, mishaps=1),
        scene("three confirms of one upload, posted again", a, a_row_first, a, world=only_a, posts=(again,)),
    )


def make_telling_scenarios(strategy: str) -> tuple[Scenario, ...]:
    """Scenarios with an application that is told of confirms and removals. Messages can be lost, late or repeated."""

    def confirm(upload: Upload, *, object_first: bool = True, creates: bool = False) -> Confirm:
        return Confirm("ada", upload, strategy, object_first, tells=True, creates=creates)

    def scene(name: str, *programs: Program, world: World, **more: Any) -> Scenario:
        return Scenario(name, strategy, programs, world, **more)

    a, a_row_first, b = confirm(A), confirm(A, object_first=False), confirm(B)
    remove, sweep = Remove("ada", tells=True), Sweep(tells=True)
    behind = Remove("ada", seconds_behind=20 * DAY, tells=True)
    only_a, both = tell_all(make_world(strategy, A)), tell_all(make_world(strategy, A, B))
    confirmed = only_a.put(A.permanent_key, replace(make_post(strategy, A).stored, tags=()))
    confirmed = tell_all(
        confirmed.point("ada", A.permanent_key).remove(AVATAR.permanent_prefix + SEED.id.text[:-1] + "0")
    )
    banner = presign_at(0.5, BANNER)
    nobody = tell_all(make_world(strategy, A, rows=("eve",)))
    nobody_twice = tell_all(make_world(strategy, A, B, rows=("eve",)))
    new_a, new_a_row_first = confirm(A, creates=True), confirm(A, object_first=False, creates=True)
    new_b = confirm(B, creates=True)
    new_removal = Remove("ada", tells=True, creates=True)
    night: dict[str, Any] = {"moments": (OPEN, LATE, SETTLED, LAST)}
    return (
        scene("a confirm that is told", a, world=only_a, mishaps=2),
        scene("a confirm that was never told before", a, world=make_world(strategy, A), mishaps=1),
        scene("a confirm and its repeat that are told", a, a_row_first, world=only_a, mishaps=1),
        scene("a removal that is told", remove, world=only_a, mishaps=2),
        scene("a told removal by a clock that is behind", behind, a, world=confirmed, mishaps=1),
        scene("a told confirm and a told removal", a, remove, world=only_a, mishaps=1),
        scene("two told uploads", a, b, world=both, mishaps=1),
        scene("a told avatar and a told banner", a, confirm(banner), world=tell_all(make_world(strategy, A, banner))),
        scene("a sweep beside a told confirm", a, sweep, world=only_a, mishaps=1, **night),
        scene("a sweep beside a told removal", remove, sweep, world=only_a, mishaps=1, **night),
        scene("a user without a row", new_a, new_a_row_first, world=nobody, mishaps=1),
        scene("two uploads of a user without a row", new_a, new_b, world=nobody_twice, mishaps=1),
        scene("a removal of a user without a row", new_a, new_removal, world=nobody, mishaps=1),
        scene("a sweep beside a user without a row", new_a, sweep, world=nobody, **night),
    )


def tell_all(world: World) -> World:
    """The world after the application was told of each row."""
    for row in world.rows:
        for kind in KINDS.values():
            if current := _find_current(kind, row.of(kind)):
                data = {"id": current, "username": row.username, "kind": kind.name, "key": row.of(kind).key}
                world = world.hear(json.dumps({"data": data}).encode())
                world = world.set_value(row.username, kind, replace(row.of(kind), told=current))
    return world
