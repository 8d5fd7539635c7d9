"""The build context of an image is the same on every machine that has the same files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from infra.components import image
from infra.components.image import hash_files, read_files, write_context

FILES = {Path("Dockerfile"): b"FROM scratch\n", Path("services/web/app.py"): b"print()\n"}


def describe(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each file and folder, which Pulumi's hash of a context consists of."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_a_context_does_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    write_context(FILES, tmp_path / "usual")
    before = os.umask(umask)
    try:
        write_context(FILES, tmp_path / "other")
    finally:
        os.umask(before)
    assert describe(tmp_path / "other") == describe(tmp_path / "usual")


def test_a_context_has_no_files_of_a_former_update(tmp_path: Path) -> None:
    write_context(FILES | {Path("services/old/app.py"): b"", Path("services/web/app.py"): b"old"}, tmp_path / "a")
    (tmp_path / "a/Dockerfile").chmod(0o600)
    write_context(FILES, tmp_path / "a")
    write_context(FILES, tmp_path / "b")
    assert describe(tmp_path / "a") == describe(tmp_path / "b")


def test_the_tag_changes_with_the_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Dockerfile", "requirements", "services"):
        copy = shutil.copytree if (image.ROOT / name).is_dir() else shutil.copy
        copy(image.ROOT / name, tmp_path / name)
    tag = hash_files(read_files("uploads"))
    monkeypatch.setattr(image, "ROOT", tmp_path)
    (tmp_path / "Dockerfile").chmod(0o600)
    (tmp_path / "services/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "services/__pycache__/app.pyc").touch()
    (tmp_path / "requirements/auth.txt").write_text("")
    assert hash_files(read_files("uploads")) == tag
    (tmp_path / "services/web/new.py").write_text("")
    assert hash_files(read_files("uploads")) != tag
