"""What may be tried at the confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pictures import make_picture

if TYPE_CHECKING:
    from tests.conftest import User
    from tests.security.conftest import Refused, Untouched


def test_a_foreign_key(user: User, other_user: User, refused: Refused, untouched: Untouched) -> None:
    """The two know of the upload, and one of them has signed for it."""
    form = user.put_up("image/png", make_picture())
    untouched.but_for_object(form["key"])
    refused.by_service(other_user.confirm(form), 404, "unknown-upload")
