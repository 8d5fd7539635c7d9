from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra import samples
from tests.infra.runs import Runs

if TYPE_CHECKING:
    from tests.infra.engine import Deployment


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def good(runs: Runs) -> Deployment:
    return runs.run(samples.GOOD)


@pytest.fixture(scope="session")
def faulty(runs: Runs) -> Deployment:
    return runs.run(samples.FAULTY, secret_config={"password": "hunter2"})


@pytest.fixture(scope="session")
def careless(runs: Runs) -> Deployment:
    return runs.run(samples.CARELESS)
