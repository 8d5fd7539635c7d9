"""The content of each service's image, and how it runs with the limits of its task definition."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from infra.requirements import FOLDER, SERVICES
from tests.containers.conftest import only_uploads
from tests.containers.images import ROOT, read_limits

if TYPE_CHECKING:
    from tests.containers.images import Image
    from tests.infra.deployment import Deployment

SHARED = ("web", "store", "pictures", "settings")

# This runs in the image. `import_module` does what a start does before it reads its settings.
LOOK = """
import importlib, importlib.metadata, json, os, pathlib, shutil, sys
service, *others = sys.argv[1:]
importlib.import_module(f"services.{service}.__main__")
def is_there(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True
root = pathlib.Path("/app/services")
print(json.dumps({
    "code": [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"],
    "packages": [found.name for found in importlib.metadata.distributions()],
    "modules": [name for name in ("pip", "setuptools", "ensurepip", "uv", "pytest") if is_there(name)],
    "commands": [name for name in ("pip", "pip3", "uv", "gcc", "cc", "make", "git") if shutil.which(name)],
    "others": [name for name in others if is_there(name)],
    "uncompiled": [name for name, module in list(sys.modules.items())
                   if (compiled := getattr(module, "__cached__", None)) and not os.path.exists(compiled)],
    "writable": [where for top in ("/app", "/packages") for where, _, _ in os.walk(top) if os.access(where, os.W_OK)],
    "uid": os.getuid(),
}))
"""

# More rows than the ledger keeps in memory. SQLite unlinks its file at once and keeps it open.
SPILL = """
import os
from services.store.kinds import AVATAR
from services.store.table import Row, Value
from services.uploads.sweep.ledger import Ledger
with Ledger() as ledger:
    empty = (Row(f"user-{number}", "") for number in range(200_000))
    ledger.write(row.replace(AVATAR, Value(f"avatars/{row.username:0>60}")) for row in empty)
    print([at for fd in os.listdir("/proc/self/fd") if os.path.lexists(at := f"/proc/self/fd/{fd}")
           and os.readlink(at).startswith("/tmp/")])
"""


def names_in(requirements: str) -> dict[str, bool]:
    """Each package, and whether some platforms do not need it."""
    lines = re.findall(r"^([a-z0-9-]+)==\S+ (;)?", requirements, flags=re.MULTILINE)
    return {name: bool(marker) for name, marker in lines}


@pytest.fixture(scope="session")
def inside(image: Image, prefix_deployment: Deployment) -> dict[str, Any]:
    others = [f"services.{name}" for name in SERVICES if name != image.service]
    limits = read_limits(prefix_deployment, image.service)
    done = image.run(limits, "python", "-c", LOOK, image.service, *others, network_mode="none")
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_a_service_without_settings_reports_them_in_one_line(image: Image, limits: dict[str, Any]) -> None:
    done = image.run(limits)
    assert done.status == 1
    assert re.fullmatch(r"Missing from the environment: .*ORIGIN.*\n", done.err)


def test_the_images_configuration_and_labels_are_set(image: Image) -> None:
    config = image.config
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["python", "-m", f"services.{image.service}"]
    assert config["Entrypoint"] is None
    assert config["ExposedPorts"] == {"8000/tcp": {}}
    assert {"HOST=0.0.0.0", "PORT=8000", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"} <= set(config["Env"])
    labels = {name.rpartition(".")[2]: text for name, text in config["Labels"].items() if "opencontainers" in name}
    assert labels == {
        "title": f"three-phase-upload {image.service}",
        "version": "1.2.3",
        "source": "https://source.example",
    }


def test_the_image_holds_the_code_of_its_service_and_the_shared_packages(image: Image, inside: dict[str, Any]) -> None:
    files = {
        path.relative_to(ROOT / "services").as_posix()
        for folder in (image.service, *SHARED)
        for path in (ROOT / "services" / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert set(inside["code"]) == {"__init__.py", *files}
    assert inside["others"] == []


def test_the_image_holds_the_packages_of_its_service_only(image: Image, inside: dict[str, Any]) -> None:
    listed = names_in((FOLDER / f"{image.service}.txt").read_text())
    installed = {re.sub(r"[-_.]+", "-", name).lower() for name in inside["packages"]}
    assert installed <= listed.keys()
    assert all(is_optional for name, is_optional in listed.items() if name not in installed)
    assert inside["modules"] == inside["commands"] == []


def test_the_code_is_compiled_and_read_only(inside: dict[str, Any]) -> None:
    assert inside["uncompiled"] == []
    assert inside["writable"] == []
    assert inside["uid"] == 10001


@only_uploads
def test_the_sweep_is_in_the_uploads_image(image: Image, limits: dict[str, Any]) -> None:
    sweep = ("python", "-m", "services.uploads.sweep")
    helped = image.run(limits, *sweep, "--help")
    assert helped.status == 0
    assert "--dry-run" in helped.out
    without_settings = image.run(limits, *sweep)
    assert without_settings.status == 2
    assert without_settings.err == "Missing from the environment: BUCKET, TABLE\n"


@only_uploads
def test_the_sweeps_ledger_can_use_a_temporary_file(image: Image, limits: dict[str, Any]) -> None:
    done = image.run(limits, "python", "-c", SPILL)
    assert done.status == 0, done.err
    assert "/proc/self/fd/" in done.out
