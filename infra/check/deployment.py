"""The HTTP calls of a deployment, and how their responses are described."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from infra.check.outcome import NotCheckedError, require
from infra.check.picture import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

OK, NO_CONTENT, REDIRECT, NOT_FOUND = 200, 204, 303, 404


@dataclass(frozen=True, slots=True)
class Deployment:
    origin: str
    http: httpx2.Client

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Call a service. `path` may also be a whole URL."""
        url = path if "://" in path else self.origin + path
        response = self.http.request(method, url, **options)
        # The session cookie is sent only where a check does so.
        self.http.cookies.clear()
        return response

    def log_in(self, username: str) -> httpx2.Response:
        return self.call("POST", "/auth/login", json={"username": username})


@dataclass(frozen=True, slots=True)
class Session:
    """A user with an access token. Each phase returns the response, whatever its status code."""

    deployment: Deployment
    username: str
    token: str
    cookie: str = ""
    """Name and value of the session cookie. Empty if the access token was given."""
    posted: list[Mapping[str, Any]] = field(default_factory=list["Mapping[str, Any]"])
    """The forms with which the bucket stored a file."""

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.deployment.call(method, path, headers=headers, **options)

    def call_with_cookie(self, method: str, path: str, origin: str | None, **options: Any) -> httpx2.Response:
        """Call as a browser does that shows a page of `origin`."""
        headers = {"Cookie": self.cookie, **({"Origin": origin} if origin else {})}
        return self.deployment.call(method, path, headers=headers, **options)

    def presign(self, file: bytes, content_type: str = CONTENT_TYPE) -> httpx2.Response:
        digest = base64.b64encode(hashlib.sha256(file).digest()).decode()
        declared = {"content_type": content_type, "size": len(file), "sha256": digest}
        return self.call("POST", "/uploads/presign", json=declared)

    def obtain_form(self, file: bytes, content_type: str = CONTENT_TYPE) -> dict[str, Any]:
        """
        Raises:
            NotCheckedError: the presign fails, so that no later phase can be checked.
        """
        return obtain(self.presign(file, content_type), OK, "presign").json()

    def post(self, form: Mapping[str, Any], file: bytes, fields: Mapping[str, str] | None = None) -> httpx2.Response:
        """Post the form to the bucket as the page does. `fields` take the place of the form's own."""
        response = self.deployment.call(
            "POST",
            form["url"],
            data=fields or form["fields"],
            files={"file": ("picture", file, form["fields"]["Content-Type"])},
            headers={"Origin": self.deployment.origin},
        )
        if response.is_success:
            self.posted.append(form)
        return response

    def confirm(self, form: Mapping[str, Any]) -> httpx2.Response:
        proof = {name: form[name] for name in ("key", "upload_token") if name in form}
        return self.call("POST", "/uploads/confirm", json=proof)

    def store(self, file: bytes, content_type: str = CONTENT_TYPE) -> dict[str, Any]:
        """Phases 1 and 2. Returns the form.

        Raises:
            NotCheckedError: one of them fails.
        """
        form = self.obtain_form(file, content_type)
        obtain(self.post(form, file), NO_CONTENT, "POST to the bucket")
        return form

    def upload(self, file: bytes, content_type: str = CONTENT_TYPE) -> dict[str, Any]:
        """All three phases. Returns the form.

        Raises:
            NotCheckedError: one of them fails.
        """
        form = self.store(file, content_type)
        obtain(self.confirm(form), OK, "confirm")
        return form

    def remove(self) -> httpx2.Response:
        return self.call("DELETE", "/uploads/avatar")

    @property
    def picture_path(self) -> str:
        """The path at the uploads service that redirects to the user's picture."""
        return f"/uploads/avatar?{urlencode({'username': self.username})}"

    def find_picture(self) -> httpx2.Response:
        """The redirect to the user's picture, or the problem if there is none."""
        return self.deployment.call("GET", self.picture_path)


def describe(response: httpx2.Response) -> str:
    """Status and code of an error, such as `409 superseded` or `403 AccessDenied`."""
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    if found := re.search(r"<Code>(\w+)</Code>", response.text) or re.search(r'"urn:problem:([\w-]+)"', response.text):
        return f"{response.status_code} {found[1]}"
    return f"{response.status_code}" + (f" ({kind})" if kind and response.status_code >= 400 else "")  # noqa: PLR2004


def expect(response: httpx2.Response, expected: str) -> httpx2.Response:
    """
    Raises:
        CheckFailedError: the status code, or the code of the error, is another one.
    """
    require(describe(response) == expected, expected, describe(response))
    return response


def expect_refusal(response: httpx2.Response) -> None:
    """
    Raises:
        CheckFailedError: the status code is not one of a client error.
    """
    require(400 <= response.status_code < 500, "a refusal (status 4xx)", describe(response))  # noqa: PLR2004


def obtain(response: httpx2.Response, status: int, call: str) -> httpx2.Response:
    """The response of a call that a check needs first.

    Raises:
        NotCheckedError: it has another status code.
    """
    if response.status_code != status:
        raise NotCheckedError(f"{call} responded {describe(response)}")
    return response
