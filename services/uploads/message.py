"""The messages that tell the application of a confirmed upload or of a removal. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from services.store.keys import REQUEST_FIELD, Upload, UploadId

if TYPE_CHECKING:
    from services.store.kinds import Kind
    from services.store.table import Value
    from services.uploads.objects import Stored


class ConfirmedData(msgspec.Struct, frozen=True):
    """The user's row refers to the picture."""

    id: str
    """The id of the upload. Ids of later uploads and removals are greater, compared as text."""
    username: str
    kind: str
    key: str
    """The permanent key of the picture."""
    size: int
    """Bytes."""
    content_type: str | None
    """The type that the bytes show, and that was declared."""
    width: int | None
    """Pixels."""
    height: int | None
    """Pixels."""
    replaced: str | None
    """The key of the picture of which the application was told before. It is deleted by now."""
    request_id: str | None
    """The request id of the presign."""


class RemovedData(msgspec.Struct, frozen=True):
    """The user has no picture of this kind."""

    id: str
    """The id of the removal. No upload of this kind whose id is not above it can be confirmed."""
    username: str
    kind: str
    replaced: str | None
    """The key of the picture of which the application was told before. It is deleted by now."""
    request_id: str | None
    """The request id of the removal. Null in a message that the sweep or the command `remove` sends."""


class Body(msgspec.Struct, frozen=True):
    type: Literal["upload.confirmed", "upload.removed"]
    data: ConfirmedData | RemovedData


@dataclass(frozen=True, slots=True)
class Message:
    """A message about the state that a user's row got by a confirm or a removal."""

    kind: Kind
    body: Body

    @property
    def id(self) -> str:
        """The id of the row's state: that of the upload or of the removal."""
        return self.body.data.id

    @property
    def webhook_id(self) -> str:
        """The same in each repeat of the message and different for every other one, so that the application can
        recognize a repeat (Standard Webhooks: "Idempotency").

        An upload's id is unique. Removals in the same millisecond have one id, so a digest of the user and the kind
        follows.
        """
        if isinstance(self.body.data, ConfirmedData):
            return self.id
        place = hashlib.sha256(f"{self.kind.name}/{self.username}".encode())
        return f"{self.id}-{place.hexdigest()[:16]}"

    @property
    def username(self) -> str:
        return self.body.data.username

    def encode(self) -> bytes:
        return msgspec.json.encode(self.body)


def describe_confirmed(username: str, upload: Upload, stored: Stored, replaced: str | None) -> Message:
    width, height = stored.dimensions or (None, None)
    data = ConfirmedData(
        id=upload.id.text,
        username=username,
        kind=upload.kind.name,
        key=upload.permanent_key,
        size=stored.size,
        content_type=stored.format,
        width=width,
        height=height,
        replaced=replaced,
        request_id=stored.metadata.get(REQUEST_FIELD),
    )
    return Message(upload.kind, Body("upload.confirmed", data))


def describe_removed(
    username: str, kind: Kind, removed: str, replaced: str | None, request_id: str | None = None
) -> Message:
    return Message(kind, Body("upload.removed", RemovedData(removed, username, kind.name, replaced, request_id)))


def find_replaced(kind: Kind, before: Value) -> str | None:
    """The key of the picture that the application knows until the message. `before`: what the row had.

    A picture that was replaced before the application was told of it is skipped. If the application was never told of
    this user, it is the picture that the row had.
    """
    if before.told is None:
        return before.key
    return find_told_picture(kind, before)


def find_told_picture(kind: Kind, value: Value) -> str | None:
    """The key of the picture of which the application was told last. None if it was told of a removal or of nothing.

    The id of a removal that a restoration inferred is recognized only by the row.
    """
    told = UploadId.parse(value.told or "")
    return (
        None if told is None or told.is_of_removal or told.text == value.removed else Upload(kind, told).permanent_key
    )
