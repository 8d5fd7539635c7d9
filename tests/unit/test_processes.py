"""The lines of a failed process that the demo prints."""

from __future__ import annotations

import pytest

from infra.local.processes import read_error


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
        ('{"level": "error", "path": "/users", "status": 500}', ""),
        ('{"level": "warning", "message": "Invalid HTTP request received."}', ""),
        ("WARNING:  Invalid HTTP request received.", ""),
        ("ERROR:    Application startup failed. Exiting.", "ERROR:    Application startup failed. Exiting."),
    ],
)
def test_the_demo_quotes_errors_only(line: str, words: str) -> None:
    assert read_error(line) == words
