"""Checks that the bucket refuses forged forms and other files."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from infra.check.deployment import describe, expect, expect_refusal
from infra.check.outcome import NotCheckedError
from infra.check.picture import make_picture
from infra.check.visit import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.check.visit import Visit

FAR_FUTURE = "2099-01-01T00:00:00Z"
MARGIN_SECONDS = 5
"""How long after a form's expiry it is posted, for clocks that differ."""


def forge(change: Callable[[dict[str, str]], dict[str, str]]) -> Callable[[Visit], None]:
    """Make a check that posts a form with changed fields."""

    def check(visit: Visit) -> None:
        picture = make_picture()
        form = visit.user.obtain_form(picture)
        response = visit.user.post(form, picture, form["fields"] | change(form["fields"]))
        expect_refusal(response)

    return check


def swap(change: Callable[[bytes], bytes]) -> Callable[[Visit], None]:
    """Make a check that posts another file than the declared one."""

    def check(visit: Visit) -> None:
        picture = make_picture()
        form = visit.user.obtain_form(picture)
        expect_refusal(visit.user.post(form, change(picture)))

    return check


def change_policy(fields: dict[str, str]) -> dict[str, str]:
    policy = base64.b64decode(fields["policy"]).decode()
    start = policy.index('"expiration": "') + len('"expiration": "')
    changed = policy[:start] + FAR_FUTURE + policy[policy.index('"', start) :]
    return {"policy": base64.b64encode(changed.encode()).decode()}


def change_key(fields: dict[str, str]) -> dict[str, str]:
    last = fields["key"][-1]
    return {"key": fields["key"][:-1] + ("0" if last != "0" else "1")}


def check_expired(visit: Visit) -> None:
    picture = make_picture()
    form = visit.user.obtain_form(picture)
    if visit.wait is None:
        raise NotCheckedError(f"it takes {form['expires']} s; --wait waits for them")
    visit.wait(form["expires"] + MARGIN_SECONDS)
    expect_refusal(visit.user.post(form, picture))


def check_digest_at_confirm(visit: Visit) -> None:
    picture = make_picture()
    form = visit.user.obtain_form(picture)
    response = visit.user.post(form, make_picture())
    if not response.is_success:
        raise NotCheckedError(f"the bucket refused the file: {describe(response)}")
    expect(visit.user.confirm(form), "422 digest-mismatch")


CHECKS = (
    Check("form-key", "The bucket refuses a form with another key", forge(change_key)),
    Check(
        "form-type",
        "The bucket refuses a form with another content type",
        forge(lambda _: {"Content-Type": "text/html"}),
    ),
    Check(
        "form-user",
        "The bucket refuses a form with another user in the metadata",
        forge(lambda _: {"x-amz-meta-username": "somebody"}),
    ),
    Check(
        "form-field",
        "The bucket refuses a form with a field that its policy does not name",
        forge(lambda _: {"acl": "public-read"}),
    ),
    Check(
        "form-policy",
        "The bucket refuses a form with a policy that was changed after it was signed",
        forge(change_policy),
    ),
    Check(
        "form-larger", "The bucket refuses a file that is a byte larger than declared", swap(lambda file: file + b"\0")
    ),
    Check(
        "form-smaller", "The bucket refuses a file that is a byte smaller than declared", swap(lambda file: file[:-1])
    ),
    Check(
        "form-digest", "The bucket refuses another file of the declared size (SHA-256)", swap(lambda _: make_picture())
    ),
    Check("confirm-digest", "A confirm refuses another file that the bucket took", check_digest_at_confirm),
    Check("form-expired", "The bucket refuses a form after its expiry", check_expired),
)
