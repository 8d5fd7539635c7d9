"""The fields that a form pins, and the id of the upload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from services.store.keys import parse_key
from services.store.kinds import AVATAR
from services.uploads.decision import Limits
from services.uploads.form import Form, Signer
from services.uploads.objects import Declared
from services.uploads.picture import limit_kinds
from services.uploads.presign import Presigner
from services.uploads.refusals import TooLargeError
from services.uploads.strategies import Prefix, Strategy, Tag, hash_token

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMITS = Limits(limit_kinds(1000, 80, 60), form_seconds=300, confirm_seconds=3600)
NOW = 1_764_000_000.25


@dataclass
class FakeSigner:
    forms: list[tuple[float, str, Mapping[str, str], int, int]] = field(
        default_factory=list[tuple[float, str, "Mapping[str, str]", int, int]]
    )

    def make_form(self, now: float, key: str, pinned: Mapping[str, str], size: int, seconds: int) -> Form:
        self.forms.append((now, key, pinned, size, seconds))
        return Form("https://bucket", {"key": key})


@pytest.fixture
def signer() -> FakeSigner:
    return FakeSigner()


def make_presigner(signer: FakeSigner, strategy: Strategy) -> Presigner:
    return Presigner(cast("Signer", signer), strategy, LIMITS, lambda: NOW)


@pytest.fixture
def presigner(signer: FakeSigner) -> Presigner:
    return make_presigner(signer, Prefix())


def test_a_form_pins_type_and_user_and_request_and_digest_and_size(presigner: Presigner, signer: FakeSigner) -> None:
    presigned = presigner.presign("ada", AVATAR, Declared("image/png", 500, "declared="), "request-1")
    assert presigned.token is None
    assert presigned.form == Form("https://bucket", {"key": presigned.key})
    pinned = {
        "Content-Type": "image/png",
        "x-amz-meta-username": "ada",
        "x-amz-meta-request-id": "request-1",
        "x-amz-meta-sha256": "declared=",
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": "declared=",
    }
    assert signer.forms == [(NOW, presigned.key, pinned, 500, LIMITS.form_seconds)]


def test_each_form_has_a_new_id_with_its_time(presigner: Presigner) -> None:
    keys = [
        presigner.presign("ada", AVATAR, Declared("image/png", 500, "declared="), "request-1").key for _ in range(2)
    ]
    first, second = (parse_key(key, AVATAR.pending_prefix) for key in keys)
    assert first
    assert second
    assert first != second
    assert first.created == pytest.approx(NOW, abs=0.001)


def test_no_form_is_signed_for_a_refused_file(presigner: Presigner, signer: FakeSigner) -> None:
    with pytest.raises(TooLargeError):
        presigner.presign("ada", AVATAR, Declared("image/png", 1001, "declared="), "request-1")
    assert not signer.forms


def test_under_tag_a_form_pins_the_token_that_the_presign_returns(signer: FakeSigner) -> None:
    presigner = make_presigner(signer, Tag())
    tokens = [
        presigner.presign("ada", AVATAR, Declared("image/png", 500, "declared="), "request-1").token for _ in range(2)
    ]
    assert tokens[0] != tokens[1]
    assert [pinned["x-amz-meta-upload-token"] for _, _, pinned, _, _ in signer.forms] == [
        hash_token(token or "") for token in tokens
    ]
    assert all(len(token or "") >= 43 for token in tokens)
