"""Where pages find the avatars of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from services.store.keys import AVATAR_PREFIX
from services.store.table import UnknownUserError
from services.web.pictures import NoAvatarError

if TYPE_CHECKING:
    from litestar.response import Redirect

    from services.uploads.users import Users
    from services.web.pictures import Pictures

AVATAR_PATH = "/uploads/avatar"


@dataclass(frozen=True, slots=True)
class Avatars:
    users: Users
    pictures: Pictures
    origin: str
    """The origin of the URLs that the service names."""

    def make_url(self, username: str, avatar: str) -> str:
        return make_avatar_url(self.origin, username, avatar)

    def redirect(self, username: str) -> Redirect:
        """Redirect to the user's picture. The response for a user that does not exist is that for one without a
        picture, so that nobody finds out which users there are.

        Raises:
            NoAvatarError: the user has no picture, or does not exist.
            NoCredentialsError: there are no AWS credentials.
        """
        try:
            return self.pictures.redirect(self.users.find_row(username).avatar)
        except UnknownUserError as error:
            raise NoAvatarError from error


def make_avatar_url(origin: str, username: str, avatar: str) -> str:
    """The URL that redirects to the user's current picture. Logs contain no query, so the username is in the query.

    The parameter `v` makes the URL of each picture another one, so that a page that shows it loads the new picture.
    """
    query = urlencode({"username": username, "v": avatar.removeprefix(AVATAR_PREFIX)})
    return f"{origin}{AVATAR_PATH}?{query}"
