"""What the checks of one deployment share, and how the deployment is left as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from infra.check.deployment import NO_CONTENT, NOT_FOUND, OK, REDIRECT, Deployment, Session, describe
from infra.check.outcome import CheckFailedError, NotCheckedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import httpx2

Service = Literal["auth", "uploads", "frontend"]

NOT_INCLUDED: Mapping[Service, str] = {
    "auth": "the access token was given, so no user logged in",
    "frontend": "the deployment has no page",
}
"""Why the checks of a service are not made."""

PICTURE_NEEDED = "there is no confirmed upload"
T = TypeVar("T")
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
    services: Collection[Service]
    """The services that are checked: always uploads, auth if its login gave the tokens, and frontend if there is a
    page.
    """
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
            has_list = "auth" in self.services
            raise NotCheckedError("there is only one user" if has_list else "--other-token-file was not given")
        return self.other

    def need_service(self, service: Service) -> None:
        """
        Raises:
            NotCheckedError: the service is not checked.
        """
        if service not in self.services:
            raise NotCheckedError(NOT_INCLUDED[service])

    def choose(self, **by_service: T) -> list[T]:
        """The values for the services that are checked."""
        return [value for service, value in by_service.items() if service in self.services]

    @property
    def picture_paths(self) -> list[str]:
        """The paths that redirect to the user's picture."""
        return self.choose(uploads=self.user.picture_path, frontend=f"/users/{self.user.username}/avatar")

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
    service: Service = "uploads"
    """The check is made only if this service is."""


def log_in(deployment: Deployment, username: str) -> Session:
    """
    Raises:
        CannotCheckError: the login fails.
    """
    response = deployment.log_in(username)
    if response.status_code != OK or not response.cookies:
        raise CannotCheckError(f"The login of {username} responded {describe(response)}.{advise(response)}")
    [cookie, *_] = response.cookies.jar
    return Session(deployment, username, response.json()["access_token"], f"{cookie.name}={cookie.value}")


def call_users(deployment: Deployment) -> httpx2.Response:
    """The list of users, or status 404 if there is no page.

    Raises:
        CannotCheckError: the deployment redirects to another address.
    """
    response = deployment.call("GET", "/users")
    location = response.headers.get("Location", "")
    if response.is_redirect and not location.startswith(deployment.origin):
        raise CannotCheckError(f"{deployment.origin} redirects to {location}. Check that address.")
    return response


def choose_users(deployment: Deployment, response: httpx2.Response, wanted: str | None) -> tuple[str, str | None]:
    """The user whose avatar the check replaces, and another one, from the list of users.

    Raises:
        CannotCheckError: the response is not the list of users, or there is none.
    """
    if response.status_code != OK:
        raise CannotCheckError(f"{deployment.origin}/users responded {describe(response)}.{advise(response)}")
    try:
        names = [str(user["username"]) for user in response.json()["users"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotCheckError(f"{deployment.origin}/users is not this project's list of users.") from error
    username = wanted or next(iter(names), None)
    if username is None:
        raise CannotCheckError("The deployment has no users. `uv run seed` adds some.")
    return username, next((name for name in names if name != username), None)


def advise(response: httpx2.Response) -> str:
    """What to do if the deployment has no login by name, or no list of users."""
    is_missing = response.status_code == NOT_FOUND and "unknown-user" not in response.text
    return " A deployment without the demo's page or login needs --token-file." if is_missing else ""


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
            " Nothing was changed. Name another user with --user, or give another user's token."
        )
