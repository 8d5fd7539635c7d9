"""Which service a path belongs to, in patterns of ALB listener rules, and how long a request may take."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

ROUTES = (("/auth/*", "auth"), ("/uploads/*", "uploads"), ("/*", "frontend"))
"""Path patterns and services. The first pattern that matches, of a service that runs, decides."""

TIMEOUT_SECONDS = 30
"""Maximum integration timeout of an HTTP API (AWS: "Quotas for HTTP APIs")."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A listener rule. The load balancer evaluates the rule with the lowest priority first."""

    pattern: str
    priority: int


def find_rule(service: str) -> Rule:
    [rule] = [Rule(pattern, number) for number, (pattern, name) in enumerate(ROUTES, start=1) if name == service]
    return rule


def find_service(path: str, services: Container[str]) -> str | None:
    """The service for this path, of those that run. None: the load balancer takes its default action, as it does for
    the `*` of an OPTIONS request, which no pattern matches.
    """
    matching = (service for pattern, service in ROUTES if service in services and fnmatchcase(path, pattern))
    return next(matching, None)
