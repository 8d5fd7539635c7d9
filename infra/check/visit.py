"""What the checks of one deployment share, and how the deployment is left as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.check.deployment import NO_CONTENT, OK, REDIRECT, Deployment, Session, describe
from infra.check.outcome import CheckFailedError, NotCheckedError

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE_NEEDED = "there is no confirmed upload"
REFUSALS_OF_A_FILE = {413, 415, 422}
"""Status codes of a presign or a confirm whose file is too large, of another type, or not a valid picture."""


class CannotCheckError(Exception):
    """Nothing can be checked. The text says why."""


@dataclass(frozen=True, slots=True)
class Former:
    """The picture that the user had before."""

    content: bytes
    content_type: str


@dataclass(slots=True)
class Visit:
    deployment: Deployment
    user: Session
    other: Session | None
    """Another user, who only tries to confirm and is refused."""
    former: Former | None
    clock: Callable[[], float]
    wait: Callable[[float], object] | None
    """Waits until a form has expired. None if the operator does not want that."""
    picture: bytes = b""
    """The file of the last confirmed upload."""
    form: dict[str, Any] | None = None

    @property
    def confirmed(self) -> dict[str, Any]:
        """The form of the confirmed upload.

        Raises:
            NotCheckedError: no upload was confirmed.
        """
        if self.form is None:
            raise NotCheckedError(PICTURE_NEEDED)
        return self.form

    def need_other(self) -> Session:
        """
        Raises:
            NotCheckedError: there is no other user.
        """
        if self.other is None:
            raise NotCheckedError("there is only one user")
        return self.other

    def put_back(self) -> None:
        """Upload the former picture again, or remove the avatar if there was none. Then confirm every upload, since the
        service refuses those before that and deletes them.

        Raises:
            CheckFailedError: the user does not have the former picture.
        """
        if self.former:
            try:
                self.user.upload(self.former.content, self.former.content_type)
            except NotCheckedError as error:
                raise CheckFailedError(f"{self.user.username}'s former picture", str(error)) from error
        else:
            removed = self.user.remove()
            if removed.status_code != NO_CONTENT:
                raise CheckFailedError("a removal with status 204", describe(removed))
        for form in self.user.posted:
            self.user.confirm(form)


@dataclass(frozen=True, slots=True)
class Check:
    """`run` raises `CheckFailedError` or `NotCheckedError`, or the check is ok."""

    name: str
    sentence: str
    """What is true of a correct deployment."""
    run: Callable[[Visit], None]


def log_in(deployment: Deployment, username: str) -> Session:
    """
    Raises:
        CannotCheckError: the login fails.
    """
    response = deployment.log_in(username)
    if response.status_code != OK or not response.cookies:
        raise CannotCheckError(f"The login of {username} responded {describe(response)}.")
    [cookie, *_] = response.cookies.jar
    return Session(deployment, username, response.json()["access_token"], (cookie.name, cookie.value or ""))


def choose_users(deployment: Deployment, wanted: str | None) -> tuple[str, str | None]:
    """The user whose avatar the check replaces, and another one.

    Raises:
        CannotCheckError: the users can't be listed, or there is none.
    """
    response = deployment.call("GET", "/users")
    location = response.headers.get("Location", "")
    if response.is_redirect and not location.startswith(deployment.origin):
        raise CannotCheckError(f"{deployment.origin} redirects to {location}. Check that address.")
    if response.status_code != OK:
        raise CannotCheckError(f"{deployment.origin}/users responded {describe(response)}.")
    try:
        names = [str(user["username"]) for user in response.json()["users"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotCheckError(f"{deployment.origin}/users is not this project's list of users.") from error
    username = wanted or next(iter(names), None)
    if username is None:
        raise CannotCheckError("The deployment has no users. `uv run seed` adds some.")
    return username, next((name for name in names if name != username), None)


def read_former(user: Session) -> Former | None:
    """
    Raises:
        CannotCheckError: the user's picture can't be loaded, so it could not be put back.
    """
    found = user.find_picture()
    if found.status_code != REDIRECT:
        if "no-avatar" in describe(found):
            return None
        raise CannotCheckError(f"{user.username}'s picture: the redirect responded {describe(found)}.")
    response = user.deployment.call("GET", found.headers["Location"])
    if response.status_code != OK:
        raise CannotCheckError(f"{user.username}'s picture can't be loaded: {describe(response)}.")
    return Former(response.content, response.headers.get("Content-Type", ""))


def check_former(user: Session, former: Former) -> None:
    """Upload the former picture once more, before anything replaces it.

    Raises:
        CannotCheckError: the service refuses the file, such as a picture from before a limit was lowered.
    """
    response = user.presign(former.content, former.content_type)
    if response.status_code == OK and user.post(form := response.json(), former.content).is_success:
        response = user.confirm(form)
    if response.status_code in REFUSALS_OF_A_FILE:
        raise CannotCheckError(
            f"{user.username}'s picture could not be put back: an upload of it responded {describe(response)}."
            " Nothing was changed. Name another user with --user."
        )
