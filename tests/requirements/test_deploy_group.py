"""`pulumi up` runs on a machine with the packages of the group `deploy` alone."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys

from packaging.utils import canonicalize_name

from infra.requirements import ROOT
from tests.requirements.check import read_group, walk
from tests.requirements.test_pins import INSTALLED, PROJECT

MODULES = [
    "infra.configuration",
    *(
        f"infra.{folder}.{path.stem}"
        for folder in ("components", "documents")
        for path in sorted((ROOT / "infra" / folder).glob("[!_]*.py"))
    ),
]
"""What `infra/__main__.py` imports. It can't be imported itself without Pulumi's engine."""

IMPORT_WITHOUT = """
import importlib, json, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing, modules = map(json.loads, sys.argv[1:])
sys.meta_path.insert(0, Missing())
for module in modules:
    importlib.import_module(module)
"""


def test_the_program_needs_only_the_deploy_group() -> None:
    present = walk(read_group(PROJECT["dependency-groups"], "deploy"), INSTALLED) | {PROJECT["project"]["name"]}
    missing = [
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if present.isdisjoint(map(canonicalize_name, distributions))
    ]
    arguments = [sys.executable, "-c", IMPORT_WITHOUT, json.dumps(missing), json.dumps(MODULES)]
    run = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 our own program
    assert not run.stderr


def test_pulumi_installs_the_deploy_group_by_default() -> None:
    assert "deploy" in PROJECT["tool"]["uv"]["default-groups"]
