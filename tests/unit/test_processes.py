"""The lines of a failed process that the demo prints."""

from __future__ import annotations

import pytest

from infra.local.processes import read_message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Missing from the environment: TABLE", "Missing from the environment: TABLE"),
        ("{not JSON", "{not JSON"),
        (
            '{"level": "error", "message": "Startup failed."}',
            "Startup failed.",
        ),
        ('{"level": "error", "message": "Traceback:\\n  somewhere\\nKeyError: 1\\n"}', "KeyError: 1"),
        ('{"level": "critical", "message": "The end", "exception": "Traceback:\\nValueError: why"}', "ValueError: why"),
        ('{"level": "info", "path": "/users", "status": 200}', ""),
    ],
)
def test_the_demo_prints_what_happened(line: str, words: str) -> None:
    assert read_message(line) == words
