from __future__ import annotations

import base64

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from services.settings.application import parse_secrets
from services.uploads.webhook import Webhook, sign
from tests.receiver import SECRET, make_secret


def test_a_signature_is_the_one_of_the_specification() -> None:
    """The example of the specification's reference implementations."""
    secrets = parse_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_makes_one_signature() -> None:
    other = make_secret("o")
    both = sign(parse_secrets(f"{SECRET},{other}"), "1", 2, b"{}")
    assert both.split() == [sign(parse_secrets(each), "1", 2, b"{}") for each in (SECRET, other)]


@pytest.mark.parametrize("size", [24, 64])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    secret = "whsec_" + base64.b64encode(b"a" * size).decode()
    assert parse_secrets(secret) == (b"a" * size,)
    assert Verifier(secret)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_" + base64.b64encode(b"a" * 23).decode(),
        "whsec_" + base64.b64encode(b"a" * 65).decode(),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!w",
        f"{SECRET},",
        f"{SECRET} {SECRET}",
    ],
)
def test_an_invalid_secret_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^CONFIRMED_SECRET must be whsec_ followed by 24 to 64 bytes") as refused:
        parse_secrets(text)
    assert "MfKQ" not in str(refused.value)


def test_a_webhook_does_not_show_its_secret() -> None:
    assert "ssss" not in repr(Webhook("https://example.com", parse_secrets(SECRET), lambda: 0.0))
