"""Refuses the requests of clients whose address is not on the deployment's list."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from services.web.gate import is_http
from services.web.problem_response import ADDRESS_NOT_ALLOWED
from services.web.rate_limits import CLIENT_ADDRESS_HEADER
from services.web.request_context import annotate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

    from services.settings.access import Network

_CLIENT_ADDRESS = CLIENT_ADDRESS_HEADER.lower().encode()

INTERNAL_PATHS = ("/healthz", "/.well-known/jwks.json")
"""Ends of the paths that the load balancer and the other services request, which send no client's address."""


class AllowedAddresses:
    """ASGI middleware that responds 403 to a client outside these networks.

    API Gateway sets the client's address in each request. A request without it does not come from API Gateway, and is
    judged by the address that sent it.
    """

    def __init__(self, application: ASGIApp, networks: Sequence[Network]) -> None:
        self._application = application
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_http(scope) or self._is_allowed(scope):
            await self._application(scope, receive, send)
            return
        refusal = ADDRESS_NOT_ALLOWED
        annotate(problem=refusal.slug)
        await send({"type": "http.response.start", "status": refusal.status, "headers": refusal.encoded_headers})
        await send({"type": "http.response.body", "body": refusal.body, "more_body": False})

    def _is_allowed(self, scope: HTTPScope) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == _CLIENT_ADDRESS]
        if given:
            return all(map(self._contains, given))
        if scope["path"].endswith(INTERNAL_PATHS):
            return True
        return scope["client"] is not None and self._contains(scope["client"][0])

    def _contains(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)
