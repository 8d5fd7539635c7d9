"""Settings that can't be changed on a live stack, and the order in which its signing keys change."""

from __future__ import annotations

import pytest

from infra.live_stack import LiveStack, check_changes, read_outputs
from infra.settings import InvalidConfigurationError, read_settings

LIVE = LiveStack("pictures", "eu-central-1", ("a", "b"))


def test_a_stack_without_outputs_does_not_exist_yet() -> None:
    assert read_outputs({}) is None


def test_the_outputs_of_an_earlier_version_are_understood() -> None:
    task = "arn:aws:ecs:eu-west-1:123456789012:task-definition/three-phase-upload-uploads:7"
    former = read_outputs({"bucket": "storage-0123456", "tasks": {"uploads": task}})
    assert former == LiveStack("storage-0123456", "eu-west-1", ("signing",), keeps_seeds=True)


@pytest.mark.parametrize(
    "given", [{}, {"bucket": "pictures"}, {"signingKeys": "b,a"}, {"signingKeys": "a"}, {"signingKeys": "a,b,c"}]
)
def test_a_change_that_loses_nothing_is_accepted(given: dict[str, str]) -> None:
    check_changes(LIVE, read_settings({"signingKeys": "a,b"} | given))


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"region": "us-east-1"}, "region cannot be changed to us-east-1, because this stack is in eu-central-1"),
        ({"bucket": "others"}, "bucket cannot be changed to others"),
        # No service knows the key yet.
        ({"signingKeys": "c,a"}, "signingKeys cannot start with c"),
        # Tokens of the last hour are signed with it.
        ({"signingKeys": "b"}, "signingKeys must still contain a"),
    ],
)
def test_a_change_that_loses_something_is_refused_in_one_sentence(given: dict[str, str], part: str) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        check_changes(LIVE, read_settings({"signingKeys": "a,b"} | given))
    text = str(raised.value)
    assert text.startswith(part)
    assert text.count(".") == 1
    assert "\n" not in text


def test_a_signing_key_is_named_once() -> None:
    with pytest.raises(InvalidConfigurationError, match="signingKeys must not contain a name twice"):
        read_settings({"signingKeys": "a,b,a"})
