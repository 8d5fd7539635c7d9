"""httpx2's functions with the tests' timeout."""

from __future__ import annotations

from functools import partial

import httpx2

from tests.eventually import PATIENCE_SECONDS

Client = partial(httpx2.Client, timeout=PATIENCE_SECONDS)
delete = partial(httpx2.delete, timeout=PATIENCE_SECONDS)
get = partial(httpx2.get, timeout=PATIENCE_SECONDS)
post = partial(httpx2.post, timeout=PATIENCE_SECONDS)
put = partial(httpx2.put, timeout=PATIENCE_SECONDS)
request = partial(httpx2.request, timeout=PATIENCE_SECONDS)
