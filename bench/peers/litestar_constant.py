"""Litestar with a constant response: the cost of the framework alone."""

from __future__ import annotations

import os

import uvicorn
from litestar import Litestar, get


@get("/")
async def constant() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    app = Litestar([constant], openapi_config=None)
    uvicorn.run(app, host=os.environ["HOST"], port=int(os.environ["PORT"]), access_log=False, log_level="warning")
