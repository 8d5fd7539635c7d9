"""The machine's environment variables affect neither the tests nor the processes of the local system."""

from __future__ import annotations

import os

import pytest

from infra.local.stack import inherit_environ
from tests.isolation import isolate

NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
ISOLATED = {**NO_FILES, "AWS_EC2_METADATA_DISABLED": "true"}
EMULATOR = {"AWS_ENDPOINT_URL": "http://localhost:4566", "AWS_ACCESS_KEY_ID": "test"}


@pytest.mark.parametrize(
    ("environ", "isolated"),
    [
        ({"AWS_PROFILE": "nobody", "AWS_ACCESS_KEY_ID": "real"}, ISOLATED),
        ({"AWS_CONFIG_FILE": "/etc/aws"}, ISOLATED),
        ({**EMULATOR, "AWS_ENDPOINT_URL_S3": "http://other"}, ISOLATED | EMULATOR),
        ({"http_proxy": "http://proxy", "HTTP_PROXY": "http://proxy", "ALL_PROXY": "socks5://proxy"}, ISOLATED),
        ({"HTTPS_PROXY": "http://proxy", "PATH": "/bin"}, ISOLATED | {"HTTPS_PROXY": "http://proxy", "PATH": "/bin"}),
        ({"FORCE_COLOR": "1"}, ISOLATED),
        ({"PULUMI_BACKEND_URL": "s3://states", "PULUMI_CONFIG_PASSPHRASE_FILE": "/passphrase"}, ISOLATED),
    ],
)
def test_tests_are_isolated(environ: dict[str, str], isolated: dict[str, str]) -> None:
    isolate(environ)
    assert environ == isolated


@pytest.mark.parametrize("name", ["AWS_PROFILE", "HTTP_PROXY", "MAX_BYTES", "SERVICES", "PYTHONWARNINGS"])
def test_no_process_inherits_a_setting_of_the_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert name not in inherit_environ()


@pytest.mark.parametrize("name", ["PATH", "TZ", "LC_ALL", "LD_PRELOAD"])
def test_every_process_inherits_what_it_needs_to_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert inherit_environ() == inherit_environ() | NO_FILES | {name: "1"}
