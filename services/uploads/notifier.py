"""Tells the application of the state of a user's row, and notes in the row that it was told."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.store.clients import AWS_ERRORS
from services.store.keys import Upload, parse_key
from services.store.table import find_untold
from services.uploads.bucket import Bucket, MissingObjectError
from services.uploads.message import Message, describe_confirmed, describe_removed, find_told_picture
from services.uploads.webhook import NotAcceptedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.store.kinds import Kind, PictureLimits
    from services.store.table import Row
    from services.uploads.rows import Rows

logger = logging.getLogger(__name__)


class Messenger(Protocol):
    def send(self, message_id: str, body: bytes) -> None:
        """
        Raises:
            NotAcceptedError: the application did not accept the message.
        """
        ...


@dataclass(frozen=True, slots=True)
class Notifier:
    """The row is changed first, then the application is told, and then the row is marked. After a crash between these
    steps the sweep tells the application, possibly a second time.
    """

    messenger: Messenger
    users: Rows
    bucket: Bucket
    limits: Mapping[str, PictureLimits]
    """By kind."""

    def tell(self, message: Message) -> bool:
        """Return whether the application accepted the message. A failure is logged; the sweep tells it again."""
        try:
            self.messenger.send(message.webhook_id, message.encode())
        except NotAcceptedError as error:
            logger.warning("The application was not told of %s: %s", message.id, error)
            return False
        try:
            self.users.mark_told(message.username, message.kind, message.id)
        except AWS_ERRORS as error:
            logger.warning("The application was told of %s, and the row is not marked: %s", message.id, error)
        return True

    def tell_state(self, username: str, kind: Kind) -> bool:
        """Tell the application of the state that the row has now, unless it was told already.

        Raises:
            UnknownUserError: the user has no row.
            MissingObjectError: the object to which the row refers is missing. A confirm may have replaced it since the
                row was read.
            ClientError, BotoCoreError, ResponseParserError, HTTPError: the row or the object could not be read.
        """
        message = self._describe_state(self.users.find_row(username), kind)
        return message is None or self.tell(message)

    def _describe_state(self, row: Row, kind: Kind) -> Message | None:
        value = row.of(kind)
        untold = find_untold(kind, value)
        if untold is None:
            return None
        replaced = find_told_picture(kind, value)
        upload_id = parse_key(value.key or "", kind.permanent_prefix)
        if upload_id is None:
            return describe_removed(row.username, kind, untold, replaced)
        upload = Upload(kind, upload_id)
        stored = self.bucket.inspect(upload.permanent_key, self.limits[kind.name].max_bytes)
        if stored is None:
            raise MissingObjectError(upload.permanent_key)
        return describe_confirmed(row.username, upload, stored, replaced)
