"""The Dockerfile and .dockerignore, without a build."""

from __future__ import annotations

import re

import pytest

from infra.requirements import ROOT, SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_files_that_the_dockerfile_copies_exist_and_are_not_ignored(service: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text().replace("${SERVICE}", service)
    sources = [
        path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for path in line.split()
    ]
    assert len(sources) == 7
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in sources:
        assert list(ROOT.glob(source)), source
        assert source.partition("/")[0] in {path.partition("/")[0] for path in kept}
    assert f"FROM run AS service-{service}\n" in dockerfile
    assert f'CMD ["python", "-m", "services.{service}"]' in dockerfile


def test_the_files_that_the_dockerignore_includes_exist() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert all(list(ROOT.glob(line[1:])) for line in lines if line.startswith("!"))


def test_an_image_keeps_the_models_of_the_clients_that_the_services_create() -> None:
    kept = set(re.findall(r"! -name (\S+)", (ROOT / "Dockerfile").read_text()))
    code = "".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    created = set(re.findall(r"\.client\(\"(\w+)\"", code))
    assert {"dynamodb", "s3"} <= created
    # botocore itself creates a client of STS, to assume a role.
    assert kept == created | {"sts"}
