"""The machine's own configuration does not reach the clients of the emulator."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.local.clients import Aws
from infra.local.ports import HOST, pick_free_ports


def test_clients_of_the_emulator_use_no_profile_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    [port] = pick_free_ports(1)
    emulator = Aws(f"http://{HOST}:{port}", "eu-central-1", "key", "secret")
    # Not ProfileNotFound, and not ProxyConnectionError.
    with pytest.raises(EndpointConnectionError, match=f"{HOST}:{port}"):
        emulator.s3.list_buckets()
