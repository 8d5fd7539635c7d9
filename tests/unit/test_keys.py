from __future__ import annotations

import re

import pytest
import uuid_utils

from services.store.keys import USERNAME_PATTERN, Upload, UploadId, make_username, parse_key
from services.store.kinds import AVATAR, Kind
from tests.rows import every_kind, make_upload

# RFC 9562, appendix A.6: the RFC's own UUIDv7, of 2022-02-22 19:22:22 UTC.
EXAMPLE = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_an_id_is_a_version_7_uuid_in_its_canonical_spelling() -> None:
    assert UploadId.parse(EXAMPLE) == UploadId(EXAMPLE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        EXAMPLE.upper(),
        EXAMPLE.replace("-", ""),
        "{" + EXAMPLE + "}",
        "urn:uuid:" + EXAMPLE,
        EXAMPLE + "\n",
        " " + EXAMPLE,
        EXAMPLE + "\0",
        EXAMPLE + "0",
        EXAMPLE[:-1],
        EXAMPLE + "/",
        "../" + EXAMPLE,
        EXAMPLE + "/../" + EXAMPLE,
        "b1b9c1de-8f0b-4d8a-9a3e-0d8a7c8f6a51",  # version 4
        EXAMPLE.replace("-7cc3", "-6cc3"),
        EXAMPLE.replace("-98c4", "-c8c4"),  # another variant than the RFC's
        EXAMPLE.replace("0", "\N{FULLWIDTH DIGIT ZERO}"),
        EXAMPLE.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
        EXAMPLE.replace("e", "g"),
    ],
)
def test_no_other_text_is_an_id(text: str) -> None:
    assert UploadId.parse(text) is None


def test_an_id_holds_its_time_of_creation() -> None:
    assert UploadId(EXAMPLE).created == 1_645_557_742.0
    assert UploadId("00000000-0001-7000-8000-000000000000").created == 0.001


def test_ids_sorted_as_text_are_in_order_of_creation() -> None:
    moments = [0, 1, 999, 1_645_557_742_000, 1_645_557_742_001, 2**47]
    made = [UploadId(str(uuid_utils.uuid7(nanoseconds=moment * 1_000_000))) for moment in moments]
    assert [upload_id.created for upload_id in made] == [moment / 1000 for moment in moments]
    assert sorted(made, reverse=True) == made[::-1]
    keys = [Upload(AVATAR, upload_id).permanent_key for upload_id in made]
    assert sorted(keys) == keys


@every_kind
def test_an_upload_and_its_keys_can_be_converted_into_each_other(kind: Kind) -> None:
    upload = make_upload(EXAMPLE, kind)
    assert upload.pending_key == f"{kind.pending_prefix}{EXAMPLE}"
    assert upload.permanent_key == f"{kind.permanent_prefix}{EXAMPLE}"
    assert parse_key(upload.pending_key, kind.pending_prefix) == upload.id
    assert parse_key(upload.permanent_key, kind.permanent_prefix) == upload.id


@pytest.mark.parametrize(
    "key",
    [
        "",
        AVATAR.pending_prefix,
        EXAMPLE,
        f"avatars/{EXAMPLE}",
        f"/pending/{EXAMPLE}",
        f"Pending/{EXAMPLE}",
        f"{AVATAR.pending_prefix}/{EXAMPLE}",
        f"{AVATAR.pending_prefix}./{EXAMPLE}",
        f"{AVATAR.pending_prefix}../avatars/{EXAMPLE}",
        f"{AVATAR.pending_prefix}pending/{EXAMPLE}",
        f"{AVATAR.pending_prefix}{EXAMPLE}/",
        f"{AVATAR.pending_prefix}{EXAMPLE}\n",
        f"pending%2F{EXAMPLE}",
    ],
)
def test_any_other_key_is_not_that_of_a_pending_upload(key: str) -> None:
    assert parse_key(key, AVATAR.pending_prefix) is None


@pytest.mark.parametrize("username", ["a", "7", "Cooper12", "a.b_c-d", "_a", "a|b:c", "a" * 128, "~" + "a" * 43])
def test_a_username_is_accepted(username: str) -> None:
    assert re.fullmatch(USERNAME_PATTERN, username)


@pytest.mark.parametrize(
    "username",
    ["", "a" * 129, ".a", "-a", "a b", "a/b", "a@b", "~a", "~" + "a" * 44, "a\n", "a\0", "é", "٣"],
)
def test_a_username_is_refused(username: str) -> None:
    assert not re.fullmatch(USERNAME_PATTERN, username)


PLAIN = [
    "ada",
    "_a",
    "a" * 128,
    "auth0|6475f2a1c0ffee0011223344",
    "123e4567-e89b-42d3-a456-426614174000",
    "eu-central-1:123e4567",
]
OTHER = [
    "ada@example.com",
    "Ada@example.com",
    "a" * 129,
    "..",
    "-a",
    "a/b",
    "a b",
    "a\n",
    "Zoë",
    "~ada",
    "a+b=",
    make_username("ada@example.com"),
]


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_name_is_the_username(name: str) -> None:
    assert make_username(name) == name


def test_other_names_have_usernames_of_their_own_that_do_not_contain_them() -> None:
    usernames = {make_username(name) for name in OTHER}
    assert len(usernames) == len(OTHER)
    assert not usernames & {*PLAIN, *OTHER[:-1]}
    assert all(re.fullmatch(USERNAME_PATTERN, username) for username in (*usernames, *PLAIN))


def test_the_username_of_an_e_mail_address_is_its_digest() -> None:
    """`printf %s ada@example.com | openssl dgst -sha256 -binary | basenc --base64url`"""
    assert make_username("ada@example.com") == "~tfyF5VdV-eDQMKEKtEKbaylEhV-aDWAHf-gyvsvEHXI"


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_an_empty_name_and_one_that_is_no_unicode_text_have_no_username(name: str) -> None:
    with pytest.raises(ValueError, match=r"empty|surrogates"):
        make_username(name)
