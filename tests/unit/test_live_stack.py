"""Settings that can't be changed on a live stack, and the order in which its signing keys change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from infra import live_stack
from infra.live_stack import LiveStack, check_changes, read_live_stack, read_outputs
from infra.settings import InvalidConfigurationError, read_settings

URL = "https://0123456789.execute-api.eu-west-1.amazonaws.com"
LIVE = LiveStack("pictures", "eu-central-1", ("a", "b"))


def test_a_stack_without_outputs_does_not_exist_yet() -> None:
    assert read_outputs({}) is None


def test_the_outputs_of_an_earlier_version_are_understood() -> None:
    former = read_outputs({"bucket": "storage-0123456", "url": URL})
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


def read_from(monkeypatch: pytest.MonkeyPatch, *failures: str) -> LiveStack | None:
    """Read a stack whose state can't be read at first, with these errors."""
    errors = iter(failures)

    def invoke(token: str, arguments: dict[str, str]) -> SimpleNamespace:
        assert (token, arguments) == ("pulumi:pulumi:readStackOutputs", {"name": "organization/project/stack"})
        if failure := next(errors, None):
            raise RuntimeError(failure)
        outputs = {"bucket": "pictures", "region": "eu-west-1", "signingKeys": ["a"], "url": URL}
        return SimpleNamespace(value={"outputs": outputs})

    monkeypatch.setattr("pulumi.runtime.invoke", invoke)
    monkeypatch.setattr(live_stack, "READ_AGAIN_SECONDS", 0)
    for name in ("organization", "project", "stack"):
        monkeypatch.setattr(f"pulumi.get_{name}", lambda name=name: name)
    return read_live_stack()


def test_a_state_that_is_being_written_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_from(monkeypatch, *["failed to load checkpoint: EOF"] * 3) == LiveStack(
        "pictures", "eu-west-1", ("a",), URL
    )


@pytest.mark.parametrize("failures", [["access denied"], ["failed to load checkpoint: EOF"] * 20])
def test_a_state_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, failures: list[str]) -> None:
    with pytest.raises(RuntimeError, match=failures[0]):
        read_from(monkeypatch, *failures)
