"""Scenarios: a small world, and the programs that run in it. The explorer tries every order of their steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from services.store.keys import (
    AVATAR_PREFIX,
    DIGEST_FIELD,
    PENDING_TAG,
    TOKEN_FIELD,
    USERNAME_FIELD,
    UploadId,
    parse_key,
)
from services.uploads.strategies import STRATEGIES, hash_token
from services.uploads.sweep.plan import RECENT_SECONDS
from tests.fake.world import DIGESTS, TWINS, Object, World
from tests.model.programs import LIMITS, MARGIN_SECONDS, Confirm, Program, Remove, Sweep, make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.store.table import Row

SETTLE_SECONDS = LIMITS.confirm_seconds + MARGIN_SECONDS
DAY = 86_400

PICTURES = frozenset({"good", "other", "blank"})

START = 1_750_003_600
"""When the first upload is presigned, in seconds since the epoch. A sweep at `SETTLED` or `D_SETTLED` is a full one."""


def make_id(seconds: float) -> UploadId:
    """The id of an upload that is presigned this long after the start."""
    text = f"{int((START + seconds) * 1000):012x}"
    return UploadId(f"{text[:8]}-{text[8:]}-7000-8000-000000000000")


SEED, A, B, C = make_id(-10 * DAY), make_id(0), make_id(1), make_id(2)
OLDEST = make_id(-20 * DAY)
RUBBISH = make_id(3)
"""An upload whose declared file is no picture."""
D = make_id(SETTLE_SECONDS + 30)
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

    upload_id: UploadId
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
        return any(isinstance(program, Confirm) and program.upload_id == D for program in self.programs)

    @staticmethod
    def settled_at(upload_id: UploadId) -> float:
        return upload_id.created + SETTLE_SECONDS

    # The invariants of the design

    def find_problem(self, world: World) -> str | None:
        """The invariants that hold in every state, whatever is running."""
        for row in world.rows:
            problem = self._find_problem_of_row(world, row)
            if problem:
                return problem
        return None

    def _find_problem_of_row(self, world: World, row: Row) -> str | None:
        username, avatar = row.username, row.avatar
        if avatar is None:
            return None
        stored = world.find(avatar)
        if stored is None:
            return f"I1: the row of {username} refers to {avatar}, which is missing"
        before = self.world.find_avatar(username)
        if before is not None and avatar < before:
            return f"The row of {username} went back to {avatar}"
        if row.removed and (avatar <= AVATAR_PREFIX + row.removed or self._is_presigned_before_removal(avatar)):
            return f"I7: {avatar} is the avatar of {username} after its removal"
        return self._find_problem_of_avatar(username, avatar, stored)

    def _find_problem_of_avatar(self, username: str, avatar: str, stored: Object) -> str | None:
        if dict(stored.metadata).get(USERNAME_FIELD) != username:
            return f"I2: the row of {username} refers to another user's {avatar}"
        if stored.tags and self.strategy == "prefix":
            return f"I1: a lifecycle rule will delete {avatar}, to which the row of {username} refers"
        # Under `tag` a repeat or the sweep repairs an avatar that was posted again, with the ETag of the first bytes.
        is_to_be_repaired = stored.tags or (self.strategy == "tag" and stored.body in TWINS)
        if not (stored.is_declared and stored.body in PICTURES) and not is_to_be_repaired:
            return f"I3: {avatar} is the avatar of {username}, and its bytes are {stored.body}"
        return None

    def find_leftovers(self, world: World) -> str | None:
        """What holds after the clean-up (I5): each object is a user's avatar, and no lifecycle rule will delete it."""
        referenced = sorted(row.avatar for row in world.rows if row.avatar)
        if [key for key, _ in world.objects] != referenced:
            return f"I5: there are {[key for key, _ in world.objects]}, and the rows refer to {referenced}"
        if marked := [key for key, stored in world.objects if stored.tags]:
            return f"I1: lifecycle rules will delete {marked}"
        wrong = [key for key, stored in world.objects if not (stored.is_declared and stored.body in PICTURES)]
        if wrong:
            return f"I3: {wrong} are not the declared pictures"
        return None

    def _is_presigned_before_removal(self, avatar: str) -> bool:
        """In a scenario all uploads but D are presigned before any removal, whatever the clock of the removal says."""
        removes = any(isinstance(program, Remove) for program in self.programs)
        return removes and avatar < D.avatar_key

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
        row = world.find_row(program.username)
        is_removed = outcome == "Removed" and row and row.removed
        return None if is_removed else f"I7: {outcome} for {program}, and the row is {row}"

    def judge_answer(self, program: Confirm, outcome: str, world: World) -> str | None:
        row = world.find_row(program.username)
        avatar, key = (row and row.avatar) or "", program.upload_id.avatar_key
        is_removed = bool(row and row.removed and row.removed >= program.upload_id.text)
        if not self.is_own(program):
            return None if outcome == "UnknownUploadError" else f"I2: {outcome} for another user's upload"
        match outcome:
            case "Confirmed":
                fits = avatar >= key or is_removed
            case "SupersededError":
                fits = avatar > key or is_removed
            case "RemovedError":
                fits = is_removed
            case "NotAPictureError":
                fits = program.upload_id == RUBBISH
            case "DigestMismatchError":
                fits = any(post.upload_id == program.upload_id and not post.stored.is_declared for post in self.posts)
            case "KeepsChangingError":
                fits = any(post.upload_id == program.upload_id for post in self.posts)
            case "UnknownUploadError":
                fits = not self._was_posted(program.upload_id)
            case _:
                fits = False
        return None if fits else f"I6: {outcome} for {key} of {program.username}, whose row refers to {avatar}"

    def is_own(self, program: Confirm) -> bool:
        return program.username == "ada"

    def _was_posted(self, upload_id: UploadId) -> bool:
        """Whether the object is there from the start, so that no confirm can run before the post."""
        return all(post.upload_id != upload_id or self.world.find(post.key) for post in self.posts)

    def repeats(self, world: World) -> Iterator[Confirm]:
        """Confirms that the owners can repeat after a crash: those of uploads that can still be confirmed."""
        seen: set[UploadId] = set()
        for program in self.programs:
            if isinstance(program, Confirm) and self.is_own(program) and program.upload_id not in seen:
                seen.add(program.upload_id)
                if program.upload_id.created < world.now <= program.upload_id.created + LIMITS.confirm_seconds:
                    yield program


def make_post(strategy: str, upload_id: UploadId, body: str = "good", username: str = "ada") -> Post:
    """The object that S3 stores if these bytes are posted with the upload's form. This S3 does not compare them with
    the form's checksum.
    """
    chosen = STRATEGIES[strategy]
    declared = "bad" if upload_id == RUBBISH else "good"
    metadata = {USERNAME_FIELD: username, DIGEST_FIELD: DIGESTS[declared]}
    if chosen.with_token:
        metadata[TOKEN_FIELD] = hash_token(make_token(upload_id))
    tags = (PENDING_TAG,) if chosen.with_token else ()
    return Post(upload_id, chosen.posted_key(upload_id), Object(body, tuple(sorted(metadata.items())), tags))


def make_world(
    strategy: str, *posted: UploadId, rows: tuple[str, ...] = ("ada",), without: tuple[str, ...] = ()
) -> World:
    """Users with a seeded avatar and users without one, and these uploads of Ada's, posted but not confirmed."""
    world = World(START - 10.0 * DAY)
    for number, username in enumerate(rows):
        key = AVATAR_PREFIX + SEED.text[:-1] + str(number)
        assert parse_key(key, AVATAR_PREFIX)
        metadata = ((DIGEST_FIELD, DIGESTS["good"]), (USERNAME_FIELD, username))
        world = world.put(key, Object("good", metadata)).point(username, key)
    for username in without:
        world = world.point(username, None)
    world = replace(world, now=OPEN)
    for upload_id in posted:
        post = make_post(strategy, upload_id, "bad" if upload_id == RUBBISH else "good")
        world = world.put(post.key, post.stored)
    return world


def make_scenarios(strategy: str) -> tuple[Scenario, ...]:
    def confirm(upload_id: UploadId, username: str = "ada", *, object_first: bool = True) -> Confirm:
        return Confirm(username, upload_id, strategy, object_first)

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
    remove, behind = Remove("ada"), Remove("ada", seconds_behind=20 * DAY)
    first, d_first = make_post(strategy, A), make_post(strategy, D)
    only_a, nothing_yet = make_world(strategy, A), make_world(strategy)
    with_eve = make_world(strategy, A, rows=("ada", "eve"))
    confirmed = make_post(strategy, A)
    after_crash = make_world(strategy, A)
    after_crash = after_crash.put(A.avatar_key, replace(confirmed.stored, tags=())).point("ada", A.avatar_key)
    after_crash = after_crash.remove(AVATAR_PREFIX + SEED.text[:-1] + "0")
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
