"""A sweep on demand whose process is made up."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import psutil
import pytest

from infra.local.sweep_endpoint import SweepEndpoint
from tests.eventually import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "http://localhost:8080"


def press(program: str, *, seconds: float = PATIENCE_SECONDS, **environ: str) -> httpx2.Response:
    return asyncio.run(ask(SweepEndpoint(ORIGIN, environ, [sys.executable, "-c", program], seconds)))


async def ask(sweeps: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(sweeps), base_url=ORIGIN) as client:
        return await client.post("/_sweep", json={})


def test_what_the_process_prints_is_the_answer() -> None:
    answer = press("import os; print(os.environ['BUCKET'], end='')", BUCKET='{"rows": 3}')
    assert (answer.status_code, answer.json()) == (200, {"rows": 3})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "program", ["import sys; print('{}'); sys.exit('secret')", "import os; os.kill(os.getpid(), 9)"]
)
def test_what_a_failed_one_says_is_for_the_log_alone(program: str, capfd: pytest.CaptureFixture[str]) -> None:
    answer = press(program)
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:problem:sweep-failed")
    assert "secret" not in answer.text
    assert ("secret" in capfd.readouterr().err) is ("secret" in program)


def test_one_that_takes_too_long_is_stopped() -> None:
    others = set(psutil.Process().children())
    answer = press("import sys; sys.stdin.read()", seconds=0.1)
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:problem:sweep-timeout")
    assert set(psutil.Process().children()) == others


def test_one_begins_when_the_one_before_has_ended(tmp_path: Path) -> None:
    """Each process lasts until it has been told something."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    others = set(psutil.Process().children())

    async def ask_twice() -> None:
        sweeps = SweepEndpoint(ORIGIN, {}, [sys.executable, "-c", f"print(open({str(pipe)!r}).read(), end='')"])
        asked = [asyncio.create_task(ask(sweeps)) for _ in range(2)]
        for _ in range(100):  # steps of the event loop, far more than it takes to begin
            await asyncio.sleep(0)
        assert len(set(psutil.Process().children()) - others) == 1
        for word, answer in zip(("first", "second"), asked, strict=True):
            await asyncio.to_thread(pipe.write_text, word)
            assert (await answer).text == word

    asyncio.run(ask_twice())
