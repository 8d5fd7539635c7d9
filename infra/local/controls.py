"""The checks of every request that changes the local system: the clock, a sweep, the emulator's reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.local.asgi_messages import send_problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import HTTPScope, Receive, Send

    from infra.local.asgi_messages import Headers

    Application = Callable[[HTTPScope, Receive, Send], Awaitable[None]]


class RefusedError(Exception):
    """The request is refused. The response is this problem."""

    def __init__(self, status: int, slug: str, title: str, headers: Headers | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.slug = slug
        self.title = title
        self.headers = headers or []


class ControlEndpoint:
    """An ASGI application in front of one that changes the system on a POST request.

    It refuses requests from pages of other sites. Such a page needs a preflight request to send JSON, and its browser
    sends its origin (Fetch: "CORS protocol").
    """

    def __init__(self, application: Any, origin: str | None, *methods: str) -> None:
        """`origin`: that of the pages that may send requests. None: no page may. `methods`: allowed besides POST."""
        self._application: Application = application
        self._origin = origin
        self._methods = [*methods, "POST"]

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
        except RefusedError as error:
            await send_problem(send, error.status, error.slug, error.title, error.headers)
        else:
            # The checks are done, and an application behind this one may have another origin.
            headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
            await self._application({**scope, "headers": headers}, receive, send)

    def _check(self, scope: HTTPScope) -> None:
        """
        Raises:
            RefusedError: the method, the origin or the content type is wrong.
        """
        if scope["method"] not in self._methods:
            allow = (b"allow", ", ".join(self._methods).encode())
            raise RefusedError(405, "method-not-allowed", f"The method must be {' or '.join(self._methods)}", [allow])
        if scope["method"] != "POST":
            return
        origins = {value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"}
        if not origins <= {self._origin}:
            raise RefusedError(403, "foreign-origin", "The request comes from a page of another site")
        content_type = dict(scope["headers"]).get(b"content-type", b"")
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise RefusedError(415, "unsupported-media-type", "The body must be application/json")
