"""Attacks with the removal of an avatar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.web.callers.identity import Audience
from tests.conftest import post_form
from tests.eventually import eventually
from tests.pictures import make_picture

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused, Untouched
    from tests.security.in_process_service import InProcessService

PICTURE = make_picture()


def test_a_removal_of_another_users_avatar(user: User, other_user: User, refused: Refused) -> None:
    """The user is the token's subject. Nothing in the request names another one."""
    avatar = other_user.avatar
    for path in (f"/uploads/avatar/{other_user.username}", f"/uploads/avatars/{other_user.username}"):
        refused.by_service(user.http.delete(path), 404, "not-found")
    assert other_user.avatar == avatar


def test_a_removal_of_an_unknown_kind(user: User, refused: Refused) -> None:
    """Neither an attribute of the row nor a prefix of the bucket is the name of a kind."""
    before = user.avatar
    for name in ("Avatar", "avatars", "Removed", "Name", "*", "avatar%2Fbanner"):
        refused.by_service(user.http.delete(f"/uploads/{name}"), 404, "not-found")
    assert user.avatar == before


def test_a_removal_from_another_website(user: User, http: httpx2.Client, refused: Refused) -> None:
    """A form can't send DELETE, and a script of another origin sends its origin with the cookie."""
    refused.by_service(http.delete("/uploads/avatar"), 401, "not-logged-in")
    http.cookies.set(Audience(user.stack.origin).cookie, user.http.headers["Authorization"].split()[1])
    refused.by_service(http.delete("/uploads/avatar"), 403, "foreign-origin")
    for origin in ("https://evil.example", "null"):
        refused.by_service(http.delete("/uploads/avatar", headers={"Origin": origin}), 403, "foreign-origin")


def test_an_upload_presigned_before_the_removal(
    user: User, bucket: Bucket, refused: Refused, untouched: Untouched
) -> None:
    """A removed picture does not come back, also not with a form that is still valid."""
    form = user.upload_unconfirmed("image/png", PICTURE)
    untouched.except_avatar(user)
    user.confirm(form).raise_for_status()
    user.http.delete("/uploads/avatar").raise_for_status()
    eventually(lambda: bucket.keys(user.username) == [])
    for _ in range(2):
        post_form(form, PICTURE).raise_for_status()
        refused.by_service(user.confirm(form), 409, "removed")
    assert user.avatar is None
    eventually(lambda: bucket.keys(user.username) == [])


def test_a_removal_while_an_upload_is_confirmed(
    user: User,
    in_process_service: InProcessService,
    bucket: Bucket,
    refused: Refused,
    untouched: Untouched,
) -> None:
    """The removal runs after the confirm's check and before its copy. The row refuses the upload."""
    form: dict[str, Any] = user.upload_unconfirmed("image/png", PICTURE)
    untouched.except_avatar(user)
    in_process_service.before_copy = lambda: user.http.delete("/uploads/avatar").raise_for_status()
    refused.by_service(in_process_service.confirm(user, form), 409, "removed")
    assert user.avatar is None
    eventually(lambda: bucket.keys(user.username) == [])


def test_a_removal_by_a_task_whose_clock_is_behind(
    user: User,
    in_process_service: InProcessService,
    bucket: Bucket,
    refused: Refused,
    untouched: Untouched,
) -> None:
    """The row's mark is not below the avatar that it removes, whatever the clock says."""
    form = user.upload_unconfirmed("image/png", PICTURE)
    untouched.except_avatar(user)
    user.confirm(form).raise_for_status()
    in_process_service.seconds_ahead = -600
    answer = user.http.delete(f"{in_process_service.url}/uploads/avatar")
    assert answer.status_code == 204
    post_form(form, PICTURE).raise_for_status()
    refused.by_service(user.confirm(form), 409, "removed")
    eventually(lambda: bucket.keys(user.username) == [])
