"""Serves the emulator, with settings from MiniStack's environment variables."""

from __future__ import annotations

import os

import uvicorn

from infra.local.emulator.app import Emulator


def main() -> None:
    uvicorn.run(
        Emulator(os.environ["MINISTACK_REGION"]),
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        # With httptools, uvicorn loses the body of a request that asks for an upgrade to HTTP/2.
        http="h11",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        # Longer than the idle timeout of clients, which might otherwise send a request on a closing connection.
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
