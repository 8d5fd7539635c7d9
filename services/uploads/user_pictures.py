"""Where pages find the pictures of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from services.store.table import UnknownUserError
from services.web.pictures import report_no_picture

if TYPE_CHECKING:
    from litestar.response import Redirect

    from services.store.keys import Upload
    from services.store.kinds import Kind
    from services.uploads.rows import Rows
    from services.web.pictures import Pictures


@dataclass(frozen=True, slots=True)
class UserPictures:
    users: Rows
    pictures: Pictures
    origin: str
    """The origin of the URLs that the service names."""

    def make_url(self, username: str, upload: Upload) -> str:
        return make_picture_url(self.origin, username, upload)

    def redirect(self, username: str, kind: Kind) -> Redirect:
        """Redirect to the user's picture of this kind. The response for a user that does not exist is that for one
        without a picture, so that nobody finds out which users there are.

        Raises:
            NoPictureError: the user has no such picture, or does not exist.
            NoCredentialsError: there are no AWS credentials.
        """
        try:
            return self.pictures.redirect(self.users.find_row(username).of(kind).key, kind)
        except UnknownUserError as error:
            raise report_no_picture(kind) from error


def make_path(kind: Kind) -> str:
    """The path of the routes for a user's picture of this kind."""
    return f"/uploads/{kind.name}"


def make_picture_url(origin: str, username: str, upload: Upload) -> str:
    """The URL that redirects to the user's current picture. Logs contain no query, so the username is in the query.

    The parameter `v` makes the URL of each picture another one, so that a page that shows it loads the new picture.
    """
    query = urlencode({"username": username, "v": upload.id.text})
    return f"{origin}{make_path(upload.kind)}?{query}"
