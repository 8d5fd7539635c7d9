"""Clients of the emulator ignore the AWS configuration of the machine."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.local.clients import Aws
from infra.local.ports import HOST, pick_free_ports


def test_clients_ignore_the_aws_profile_and_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    [port] = pick_free_ports(1)
    emulator = Aws(f"http://{HOST}:{port}", "eu-central-1", "key", "secret")
    # Neither ProfileNotFound nor ProxyConnectionError.
    with pytest.raises(EndpointConnectionError, match=f"{HOST}:{port}"):
        emulator.s3.list_buckets()
