"""Starts Firefox for Playwright and relays the WebDriver BiDi messages between them.

Playwright 1.65 sends a command that Firefox 153 does not know (docs/upstream.md). The relay responds to it and passes
all other messages on unchanged. Playwright runs this file in place of Firefox, with Firefox's path and its arguments.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIREFOX_NAMES = ("firefox-esr", "firefox")

UNKNOWN_COMMAND = "emulation.setMediaFeaturesOverride"

LISTENING = "WebDriver BiDi listening on "
"""Firefox writes this and its address to stderr, where Playwright reads it."""


def find_firefox() -> str | None:
    return next(filter(None, map(shutil.which, FIREFOX_NAMES)), None)


def write_launcher(file: Path, firefox: str) -> None:
    """Write an executable that starts Firefox behind the relay."""
    file.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, __file__, firefox])} "$@"\n')
    file.chmod(0o755)


async def run(command: Sequence[str]) -> None:
    firefox = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, firefox.terminate)
    assert firefox.stderr
    async for line in firefox.stderr:
        if found := re.search(LISTENING + r"(ws://\S+)", line.decode()):
            break
        write(line.decode())
    else:
        sys.exit(await firefox.wait())
    address = f"{found[1]}/session"

    async def relay(playwright: ServerConnection) -> None:
        async with connect(address, max_size=None, compression=None) as browser:
            responses = asyncio.create_task(_pass_on(browser, playwright))
            async for message in playwright:
                command: dict[str, Any] = json.loads(message)
                if command["method"] == UNKNOWN_COMMAND:
                    await playwright.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
                else:
                    await browser.send(message)
            responses.cancel()

    async with serve(relay, "127.0.0.1", 0, max_size=None, compression=None) as server:
        write(f"{LISTENING}ws://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
        async for line in firefox.stderr:
            write(line.decode(errors="replace"))
        await firefox.wait()


async def _pass_on(browser: Any, playwright: ServerConnection) -> None:
    async for message in browser:
        await playwright.send(message)


def write(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1:]))
