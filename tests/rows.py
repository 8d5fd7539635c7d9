"""Uploads and rows of one kind."""

from __future__ import annotations

import pytest

from services.store.keys import Upload, UploadId
from services.store.kinds import AVATAR, KINDS, Kind
from services.store.table import Row, Value

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
"""Runs a test for each kind of upload, which it takes as `kind`."""


def make_upload(text: str, kind: Kind = AVATAR) -> Upload:
    """Make the upload with this id."""
    return Upload(kind, UploadId(text))


def make_row(
    username: str, name: str, key: str | None = None, removed: str | None = None, *, kind: Kind = AVATAR
) -> Row:
    return Row(username, name).replace(kind, Value(key, removed))
