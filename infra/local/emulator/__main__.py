"""Serves the emulator on 127.0.0.1, as its own environment variables say."""

from __future__ import annotations

import importlib
import os

import uvicorn

from infra.local.emulator import layer


def main() -> None:
    layer.install(importlib.import_module("ministack.services.s3"))
    application = importlib.import_module("ministack.app").app
    uvicorn.run(
        application,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    main()
