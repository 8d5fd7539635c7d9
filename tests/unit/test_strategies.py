from __future__ import annotations

from dataclasses import replace

import pytest

from services.store.kinds import AVATAR
from services.uploads.objects import Copy, Stored
from services.uploads.strategies import STRATEGIES, Prefix, Strategy, Tag, hash_token, is_of_some_strategy, parse_upload
from tests.rows import make_upload

TEXT = "019b0000-0000-7000-8000-000000000002"
UPLOAD = make_upload(TEXT)
STORED = Stored(
    etag='"checked"',
    size=500,
    content_type="image/png",
    metadata={
        "username": "ada",
        "request-id": "request-1",
        "sha256": "declared=",
        "upload-token": hash_token("secret"),
    },
    sha256="declared=",
    format="image/png",
    dimensions=(40, 30),
    tagged=True,
)


@pytest.mark.parametrize(
    ("strategy", "key"), [(Prefix(), f"{AVATAR.pending_prefix}{TEXT}"), (Tag(), f"avatars/{TEXT}")]
)
def test_a_confirm_names_the_key_that_the_form_posts_to(strategy: Strategy, key: str) -> None:
    assert strategy.posted_key(UPLOAD) == key
    assert parse_upload(key, strategy) == UPLOAD


@pytest.mark.parametrize("strategy", STRATEGIES.values())
@pytest.mark.parametrize(
    "key",
    [TEXT, f"{AVATAR.pending_prefix}../avatars/{TEXT}", AVATAR.pending_prefix, "avatars/", f"avatars/{TEXT}/", ""],
)
def test_no_other_key_can_be_confirmed(strategy: Strategy, key: str) -> None:
    assert parse_upload(key, strategy) is None
    assert not is_of_some_strategy(key)


@pytest.mark.parametrize(
    ("strategy", "key"), [(Tag(), f"{AVATAR.pending_prefix}{TEXT}"), (Prefix(), f"avatars/{TEXT}")]
)
def test_the_other_strategy_s_key_is_distinguished_from_an_invalid_key(strategy: Strategy, key: str) -> None:
    assert parse_upload(key, strategy) is None
    assert is_of_some_strategy(key)


def test_prefix_copies_the_verified_object_to_a_key_that_no_form_posts_to() -> None:
    assert Prefix().promotion(UPLOAD, STORED) == Copy(
        source=f"{AVATAR.pending_prefix}{TEXT}",
        target=f"avatars/{TEXT}",
        etag='"checked"',
        sha256="declared=",
        content_type="image/png",
        metadata={"username": "ada", "request-id": "request-1", "sha256": "declared="},
        cache_control="public, max-age=31536000, immutable",
        if_absent=True,
    )
    assert Prefix().leftovers(UPLOAD) == (f"{AVATAR.pending_prefix}{TEXT}",)
    assert Prefix().pins("secret") == {}


def test_an_object_without_a_request_id_is_promoted_without_one() -> None:
    stored = replace(STORED, metadata={"username": "ada", "sha256": "declared=", "note": "another's"})
    assert Prefix().promotion(UPLOAD, stored).metadata == {"username": "ada", "sha256": "declared="}


def test_tag_copies_the_verified_object_onto_itself() -> None:
    assert Tag().promotion(UPLOAD, STORED) == Copy(
        source=f"avatars/{TEXT}",
        target=f"avatars/{TEXT}",
        etag='"checked"',
        sha256="declared=",
        content_type="image/png",
        metadata=STORED.metadata,
        cache_control="no-cache",
        if_absent=False,
    )
    assert Tag().leftovers(UPLOAD) == ()


def test_a_form_under_tag_pins_the_tag_and_the_token() -> None:
    assert Tag().pins("secret") == {
        "x-amz-meta-upload-token": hash_token("secret"),
        "tagging": "<Tagging><TagSet><Tag><Key>Status</Key><Value>Pending</Value></Tag></TagSet></Tagging>",
    }


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param(STORED, True, id="tagged"),
        pytest.param(replace(STORED, tagged=False), False, id="the declared bytes"),
        pytest.param(replace(STORED, tagged=False, sha256="other="), True, id="other bytes"),
        pytest.param(replace(STORED, tagged=False, sha256=None), True, id="too large to be read"),
        pytest.param(replace(STORED, tagged=False, metadata={"username": "ada"}), False, id="of a former version"),
    ],
)
def test_under_tag_an_avatar_that_was_posted_again_needs_repair(stored: Stored, expected: bool) -> None:  # noqa: FBT001 - a table
    assert Tag().needs_repair(stored) is expected
    # No form posts to a permanent object.
    assert not Prefix().needs_repair(stored)
