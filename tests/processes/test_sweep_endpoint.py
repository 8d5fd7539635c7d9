"""The endpoint of a sweep on demand, with small programs in place of the sweep."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import psutil
import pytest

from infra.local.command_endpoint import CommandEndpoint
from tests.eventually import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "http://localhost:8080"


def post_sweep(program: str, *, max_seconds: float = PATIENCE_SECONDS, **environ: str) -> httpx2.Response:
    return asyncio.run(post(CommandEndpoint("sweep", [sys.executable, "-c", program], environ, max_seconds)))


async def post(endpoint: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(endpoint), base_url=ORIGIN) as client:
        return await client.post("/_sweep", json={})


def test_the_response_is_the_output_of_the_process() -> None:
    response = post_sweep("import os; print(os.environ['BUCKET'], end='')", BUCKET='{"rows": 3}')
    assert (response.status_code, response.json()) == (200, {"rows": 3})
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "program", ["import sys; print('{}'); sys.exit('secret')", "import os; os.kill(os.getpid(), 9)"]
)
def test_the_error_output_of_a_failed_sweep_is_logged_and_not_returned(
    program: str, capfd: pytest.CaptureFixture[str]
) -> None:
    response = post_sweep(program)
    assert (response.status_code, response.json()["type"]) == (500, "urn:problem:sweep-failed")
    assert "secret" not in response.text
    assert ("secret" in capfd.readouterr().err) is ("secret" in program)


def test_a_sweep_that_takes_too_long_is_stopped() -> None:
    others = set(psutil.Process().children())
    response = post_sweep("import sys; sys.stdin.read()", max_seconds=0.1)
    assert (response.status_code, response.json()["type"]) == (504, "urn:problem:sweep-timeout")
    assert set(psutil.Process().children()) == others


@pytest.mark.parametrize("names", [["sweep", "sweep"], ["sweep", "reset"]])
def test_a_command_starts_after_the_running_one_has_ended(tmp_path: Path, names: list[str]) -> None:
    """Each process runs until something is written to the pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    others = set(psutil.Process().children())

    async def post_twice() -> None:
        program = f"print(open({str(pipe)!r}).read(), end='')"
        running = asyncio.Lock()
        endpoints = {
            name: CommandEndpoint(name, [sys.executable, "-c", program], {}, running=running) for name in names
        }
        requests = [asyncio.create_task(post(endpoints[name])) for name in names]
        for _ in range(100):  # steps of the event loop, far more than the start of a process takes
            await asyncio.sleep(0)
        assert len(set(psutil.Process().children()) - others) == 1
        for word, request in zip(("first", "second"), requests, strict=True):
            await asyncio.to_thread(pipe.write_text, word)
            assert (await request).text == word

    asyncio.run(post_twice())
