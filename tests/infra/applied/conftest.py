"""The running system on the resources of a stack in an emulator, with the roles and the environment of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from infra.local.ports import HOST, pick_free_ports
from infra.local.stack import (
    SERVICES,
    Stack,
    inherit_environ,
    make_root_clients,
    run_processes,
    start_emulator,
    start_gateway,
)
from tests.infra.applied.stacks import Applied, apply_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.clients import Aws


@pytest.fixture(scope="session")
def emulator() -> Iterator[Aws]:
    """An emulator in which only these tests make resources."""
    with run_processes() as processes:
        aws = make_root_clients(pick_free_ports(1)[0])
        start_emulator(processes, aws, None)
        yield aws


@pytest.fixture(scope="session")
def applied_stack(
    emulator: Aws,
    strategy: Literal["prefix", "tag"],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Stack, Applied]]:
    port, *service_ports = pick_free_ports(1 + len(SERVICES))
    origin = f"http://localhost:{port}"
    services = {name: f"http://{HOST}:{number}" for name, number in zip(SERVICES, service_ports, strict=True)}
    applied = apply_stack(tmp_path_factory.mktemp("applied"), emulator, strategy, origin, services["auth"])
    with run_processes() as processes:
        waiting = [
            processes.start(
                name,
                f"services.{name}",
                health=f"{url}/healthz",
                environ=inherit_environ() | applied.environs[name] | {"HOST": HOST, "PORT": url.rpartition(":")[2]},
            )
            for name, url in services.items()
        ]
        waiting.append(start_gateway(processes, services, emulator, origin, port))
        for process in waiting:
            process.wait_until_ready()
        yield Stack(origin, emulator, applied.resources, services, processes), applied


@pytest.fixture(scope="session")
def stack(applied_stack: tuple[Stack, Applied]) -> Stack:
    """In place of the system that the local documents make."""
    return applied_stack[0]


@pytest.fixture
def applied(applied_stack: tuple[Stack, Applied]) -> Applied:
    return applied_stack[1]
