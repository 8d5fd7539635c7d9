from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pictures import FORMATS, make_picture

if TYPE_CHECKING:
    from tests.conftest import Bucket, User


@pytest.mark.parametrize("content_type", FORMATS)
def test_a_picture_becomes_the_avatar(user: User, bucket: Bucket, content_type: str) -> None:
    picture = make_picture(content_type)
    form = user.put_up(content_type, picture)
    answer = user.confirm(form["key"])
    assert answer.status_code == 200
    avatar = form["key"].replace("pending/", "avatars/")
    assert answer.json() == {"username": user.username, "avatar": avatar}
    assert user.avatar == avatar
    assert bucket.read(avatar) == picture
