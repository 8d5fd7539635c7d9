"""All that a run starts is removed at its end, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.containers.images import ROOT
from tests.eventually import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from tests.containers.engine import Engine

RUN = """
import select
import signal
import sys
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from tests.containers.emulators import MINISTACK
from tests.containers.engine import use_engine
# A shell makes background processes ignore SIGINT, which this process would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
with use_engine() as engine:
    with Network(docker_network_kw={"labels": engine.labels}) as network:
        with DockerContainer(MINISTACK, network=network, labels=engine.labels):
            print(engine.run, flush=True)
            # Python handles signals between two waits. A long wait would delay a signal that arrives as it begins.
            while not select.select([sys.stdin], [], [], 0.1)[0]:
                pass
            raise AssertionError("a test that fails")
"""


@pytest.mark.parametrize("ended_by", ["failure", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_leaves_no_containers_or_networks(engine: Engine, ended_by: signal.Signals | str) -> None:
    with subprocess.Popen(  # noqa: S603 - the script above
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdin
        assert run.stdout
        label = run.stdout.readline().strip()
        only: dict[str, Any] = {"filters": {"label": f"three-phase-upload.tests={label}"}}
        assert len(engine.client.containers.list(**only)) == 1
        assert len(engine.client.networks.list(**only)) == 1
        if isinstance(ended_by, signal.Signals):
            run.send_signal(ended_by)
        else:
            run.stdin.write("fail\n")
            run.stdin.flush()
        assert run.wait(PATIENCE_SECONDS) != 0
    eventually(lambda: engine.client.containers.list(all=True, ignore_removed=True, **only) == [])
    eventually(lambda: engine.client.networks.list(**only) == [])
