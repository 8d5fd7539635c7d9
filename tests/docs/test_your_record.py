"""The section "Your own record" of docs/your-app.md: its example of a message, and its code, which runs here."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from services.settings.application import parse_secrets
from services.store.kinds import AVATAR
from services.uploads.message import Body, ConfirmedData, Message, RemovedData, describe_removed
from services.uploads.sweep.sweeper import MAX_TOLD
from services.uploads.webhook import TIME_LIMIT_SECONDS, sign
from tests.receiver import SECRET, make_secret

PAGE = (Path(__file__).parents[2] / "docs/your-app.md").read_text()
SECTION = PAGE.partition("\n## Your own record\n")[2].partition("\n## ")[0]


def find_snippet(language: str) -> str:
    (snippet,) = re.findall(rf"```{language}\n(.*?)```", SECTION, flags=re.DOTALL)
    return snippet


def deliver(message: Message, pictures: dict[Any, Any], secret: str = SECRET, known: str = SECRET) -> None:
    scope: dict[str, Any] = {}
    exec(find_snippet("python"), scope)  # noqa: S102 - the document's code
    body, now = message.encode(), int(time.time())
    headers = {
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(parse_secrets(secret), message.webhook_id, now, body),
    }
    scope["receive"](headers, body, known, pictures)


def make_message(number: int) -> Message:
    upload_id = f"019b0000-0000-7000-8000-00000000000{number}"
    data = ConfirmedData(upload_id, "ada", "avatar", f"avatars/{upload_id}", 1, "image/png", 1, 1, None, None)
    return Message(AVATAR, Body("upload.confirmed", data))


def test_the_example_has_the_members_of_a_message() -> None:
    example = json.loads(find_snippet("json"))
    assert list(example["data"]) == [field.name for field in msgspec.structs.fields(ConfirmedData)]
    assert msgspec.convert(example["data"], ConfirmedData)
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", SECTION, flags=re.MULTILINE))))
    members = {field.name for kind in (ConfirmedData, RemovedData) for field in msgspec.structs.fields(kind)}
    assert members - {"username", "kind"} <= named


def test_the_code_keeps_the_last_picture_whatever_the_order_of_the_messages() -> None:
    pictures: dict[Any, Any] = {}
    for number in (2, 1, 2):
        deliver(make_message(number), pictures)
    assert pictures == {("ada", "avatar"): {"id": make_message(2).id, "key": f"avatars/{make_message(2).id}"}}
    removed = "019b0000-0001-7fff-bfff-ffffffffffff"
    deliver(describe_removed("ada", AVATAR, removed, None), pictures)
    deliver(make_message(3), pictures)
    assert pictures == {("ada", "avatar"): {"id": removed, "key": None}}


def test_the_code_refuses_a_message_with_another_secret() -> None:
    pictures: dict[Any, Any] = {}
    with pytest.raises(WebhookVerificationError):
        deliver(make_message(1), pictures, secret=make_secret("x"))
    deliver(make_message(1), pictures, secret=f"{make_secret('x')},{SECRET}")
    assert len(pictures) == 1


def test_the_page_states_the_limits_of_the_code() -> None:
    assert TIME_LIMIT_SECONDS == 5
    assert "within five seconds" in SECTION
    assert f"at most {MAX_TOLD:,} in each sweep" in SECTION.replace("\n", " ")
