"""The kinds of upload. Each is one attribute of a user's row, with prefixes, content types and limits of its own.

A further kind is one entry in `KINDS`: routes, policies, lifecycle rules and the sweep follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.pictures.formats import CONTENT_TYPES
from services.settings.limits import MAX_BYTES, MAX_HEIGHT, MAX_WIDTH


@dataclass(frozen=True, slots=True)
class PictureLimits:
    content_types: tuple[str, ...]
    max_bytes: int
    max_width: int
    """Pixels."""
    max_height: int
    """Pixels."""


@dataclass(frozen=True, slots=True)
class Kind:
    """No prefix of a kind may be the beginning of another prefix, of this kind or of another one."""

    name: str
    """The name in paths, requests and messages, such as `avatar` in "The avatar was removed"."""
    attribute: str
    """The row's attribute with the permanent key of the picture. It is missing while there is none."""
    removed_attribute: str
    """The row's attribute with an upload id, made when the user last removed the picture. An upload whose id is not
    above it can't be confirmed. It is missing until the first removal.
    """
    told_attribute: str
    """The row's attribute with the id up to which the application was told of this kind: that of an upload or of a
    removal. It is missing until the first message.
    """
    pending_prefix: str
    """The prefix of the keys that forms post to under the strategy `prefix`. A lifecycle rule deletes the objects."""
    permanent_prefix: str
    """The prefix of the keys that rows refer to. Under the strategy `tag` forms post to them as well."""
    limits: PictureLimits
    """Those of the avatar are defaults, which settings replace."""
    retired_pending_prefixes: tuple[str, ...] = ()
    """Former values of `pending_prefix`, whose objects lifecycle rules and the sweep still cover. Keep a value for at
    least three days after the change: a lifecycle rule deletes after one day, rounded up to midnight, and can be late.
    A form of a former prefix can no longer be posted or confirmed; the user uploads again.
    """

    @property
    def pending_prefixes(self) -> tuple[str, ...]:
        return (self.pending_prefix, *self.retired_pending_prefixes)


AVATAR = Kind(
    name="avatar",
    attribute="Avatar",
    removed_attribute="Removed",
    told_attribute="Told",
    pending_prefix="pending/",
    permanent_prefix="avatars/",
    limits=PictureLimits(CONTENT_TYPES, MAX_BYTES, MAX_WIDTH, MAX_HEIGHT),
)
"""The kind that the page shows."""

BANNER = Kind(
    name="banner",
    attribute="Banner",
    removed_attribute="RemovedBanner",
    told_attribute="ToldBanner",
    pending_prefix="pending-banners/",
    permanent_prefix="banners/",
    limits=PictureLimits(("image/png", "image/jpeg", "image/webp"), 3_000_000, max_width=6000, max_height=2000),
)

KINDS = {
    kind.name: kind
    for kind in (
        AVATAR,
        BANNER,
    )
}

PENDING_PREFIXES = tuple(prefix for kind in KINDS.values() for prefix in kind.pending_prefixes)
PERMANENT_PREFIXES = tuple(kind.permanent_prefix for kind in KINDS.values())


def find_permanent_kind(key: str) -> Kind | None:
    """The kind to whose permanent objects this key belongs."""
    return next((kind for kind in KINDS.values() if key.startswith(kind.permanent_prefix)), None)
