"""Changes of a live stack, in the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.documents import bucket as documents
from infra.local.stack import REGION
from tests.infra.applied.cloud import EmulatedCloud
from tests.infra.applied.resources import find_leftovers
from tests.infra.applied.stacks import ACCOUNT, CONFIG
from tests.infra.stacks import Stack

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from infra.local.clients import Aws


def test_an_update_changes_only_what_differs_and_destroy_leaves_nothing(
    emulator: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = sorted(find_leftovers(emulator))
    stack = Stack(tmp_path, EmulatedCloud(REGION, ACCOUNT, aws=emulator), name="changed")
    stack.up(CONFIG)
    bucket = stack.outputs["bucket"]
    assert bucket in find_leftovers(emulator)

    monkeypatch.setattr(documents, "PENDING_DAYS", 2)
    assert stack.up().steps == {"update": {"BucketLifecycleConfiguration storage"}}
    rules = emulator.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule.get("Expiration", {}).get("Days", 2) for rule in rules} == {2}
    assert stack.refresh().drift == {}
    assert stack.up().steps == {}

    emulator.s3.put_object(Bucket=bucket, Key="avatars/of-a-user", Body=b"a picture")
    stack.destroy()
    assert sorted(find_leftovers(emulator)) == others
