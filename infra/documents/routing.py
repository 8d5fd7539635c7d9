"""Which service answers which path, in the patterns of an ALB listener rule. The first that fits wins."""

from __future__ import annotations

from fnmatch import fnmatchcase

ROUTES = (("/auth/*", "auth"), ("/uploads/*", "uploads"), ("/*", "frontend"))


def find_service(path: str) -> str:
    fitting = (service for pattern, service in ROUTES if fnmatchcase(path, pattern))
    # A load balancer has a default for what no rule fits, such as the `*` of OPTIONS.
    return next(fitting, ROUTES[-1][1])
