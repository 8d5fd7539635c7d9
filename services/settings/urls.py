"""Patterns of the URLs in settings."""

from __future__ import annotations

_PORT = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
"""A port, if there is one."""

_DEFAULT_PORT = r"(https://[^,/]+:443|http://[^,/]+:80)(?![0-9])"

ORIGIN = rf"(?!{_DEFAULT_PORT})https?://[a-z0-9.-]+{_PORT}"
"""As browsers send it, which leave out the default port (RFC 6454, section 6.2)."""

SAFE_ORIGIN = rf"(https://([^\s?#@/:\[\]]+|\[[0-9a-f:.]+\]){_PORT}|http://(localhost|127\.0\.0\.1|\[::1\]){_PORT})"
"""HTTPS, or this machine for development. It has no user and no password."""
