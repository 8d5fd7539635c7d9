"""The page's cursors, pictures' URLs, view and template."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from services.frontend.cursor import InvalidCursorError, decode_cursor, encode_cursor
from services.frontend.inspector import InspectedObject, InspectedRow, Inspector, ObjectsPage, RowsPage
from services.frontend.listing import EntriesPage, Entry
from services.frontend.object_cache import Version
from services.frontend.people import People, PeoplePage
from services.frontend.templates import create_environment
from services.frontend.view import CARDS, ROWS, Query, View
from services.pictures.formats import CONTENT_TYPES
from services.store.states import State
from services.store.table import Row, UnknownUserError
from services.web.callers.identity import Caller
from services.web.pictures import Pictures
from tests.rows import make_row
from tests.unit.conftest import find_credentials

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Executor

    from types_boto3_s3 import S3Client

    from services.settings.limits import PendingStrategy

ADA, BOB = make_row("ada", "Ada Lovelace", "avatars/1"), make_row("bob", "Bob", None)
NOTHING = Query()
ENTRY = Entry("avatars/1", 500, Version('"1"', datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("last", ["a", "ab", "abc", "avatars/019b-1", "é", "🙂", " ", "\0", "a" * 1000])
def test_a_decoded_cursor_is_the_last_key_of_the_page(last: str) -> None:
    cursor = encode_cursor(last)
    assert decode_cursor(cursor) == last
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("cursor", ["", "=", "a", "abcde", "a b", "YQ\n", "+/+/", "é", "____", "/w", "YQ&x=1"])
def test_an_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        decode_cursor(cursor)


class Signer:
    """Makes URLs that hold the time at which they expire and the session token."""

    now = 0.0
    token = "first"  # noqa: S105 - invented

    def find_credentials(self) -> Credentials:
        return Credentials("access-key", "secret-key", self.token)

    def generate_presigned_url(self, method: str, *, Params: dict[str, str], ExpiresIn: int) -> str:  # noqa: N803 - boto3's
        assert method == "get_object"
        return f"https://{Params['Bucket']}/{Params['Key']}?token={self.token}&until={self.now + ExpiresIn}"


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def pictures(signer: Signer) -> Pictures:
    return Pictures(cast("S3Client", signer), "pictures", 600, lambda: signer.now, signer.find_credentials)


def test_a_picture_s_url_changes_only_with_the_span(pictures: Pictures, signer: Signer) -> None:
    seen: list[str] = []
    for signer.now in (1200, 1500, 1799.9, 1800, 2399.9):
        seen.append(pictures.url("avatars/1"))
    assert len(set(seen[:3])) == len(set(seen[3:])) == 1
    assert seen[0] != seen[3]


def test_a_picture_s_url_changes_with_the_credentials(pictures: Pictures, signer: Signer) -> None:
    old = pictures.url("avatars/1")
    signer.token = "second"  # noqa: S105 - invented
    new = pictures.url("avatars/1")
    assert (old.count("first"), new.count("second")) == (1, 1)
    assert pictures.url("avatars/1") == new


def test_there_is_no_picture_s_url_without_credentials(signer: Signer) -> None:
    pictures = Pictures(cast("S3Client", signer), "pictures", 600, lambda: 0.0, lambda: None)
    with pytest.raises(NoCredentialsError):
        pictures.url("avatars/1")


def test_each_picture_has_its_own_url(pictures: Pictures) -> None:
    assert pictures.url("avatars/1") != pictures.url("avatars/2")


def test_a_picture_s_url_is_always_valid_for_a_whole_span(pictures: Pictures, signer: Signer) -> None:
    dice = random.Random(1)  # noqa: S311 - moments, not secrets
    for _ in range(2000):
        signer.now += dice.choice([0.1, 50, 599, 601])
        url = pictures.url("avatars/1")
        assert float(url.rpartition("=")[2]) - signer.now >= 600


def test_a_picture_s_url_is_signed_for_two_spans_and_one_object(s3_client: S3Client) -> None:
    url = urlsplit(Pictures(s3_client, "pictures", 600, lambda: 0.0, find_credentials).url("avatars/1"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://pictures.s3.eu-west-1.amazonaws.com/avatars/1"
    query = parse_qs(url.query)
    assert query["X-Amz-Expires"] == ["1200"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert query["response-content-disposition"] == ["attachment"]


def test_the_pictures_origin_is_the_bucket_s(s3_client: S3Client) -> None:
    pictures = Pictures(s3_client, "pictures", 600, lambda: 0.0, find_credentials)
    assert pictures.origin == "https://pictures.s3.eu-west-1.amazonaws.com"


@dataclass
class FakePeople:
    found: list[str] = field(default_factory=list[str])
    listed: list[str | None] = field(default_factory=list[str | None])

    def list_page(self, limit: int, cursor: str | None) -> PeoplePage:
        self.listed.append(cursor)
        return PeoplePage([ADA], f"{limit} after {cursor}")

    def find(self, username: str) -> Row:
        self.found.append(username)
        if username != "bob":
            raise UnknownUserError
        return BOB


class FakeInspector:
    def list_entries(self, limit: int, cursor: str | None, state: State | None) -> EntriesPage:
        return EntriesPage([ENTRY], f"{limit} {state} after {cursor}", [ENTRY.key])

    def describe(self, page: EntriesPage, state: State | None) -> ObjectsPage:
        return ObjectsPage([], f"{page.cursor} of {state}", len(page.entries))

    def inspect_cached(self, people: list[Row], seen: Collection[str]) -> list[InspectedRow]:
        return [
            InspectedRow(person, {"avatar": State.LIVE if person.avatar in seen else State.DANGLING})
            for person in people
        ]


@pytest.fixture
def people() -> FakePeople:
    return FakePeople()


@pytest.fixture
def view(people: FakePeople, executor: Executor) -> View:
    return View(cast("People", people), cast("Inspector", FakeInspector()), executor, "prefix", {}, local_demo=True)


def test_each_list_of_the_page_has_its_own_cursor(view: View) -> None:
    shown = gather(view, None, Query("u", "o", "r", State.LIVE, State.DANGLING))
    assert shown["cards"].cursor == f"{CARDS} after u"
    assert shown["bucket"].cursor == f"{ROWS} live after o of live"
    assert shown["table"].cursor == f"{ROWS} after r"
    assert shown["table"].rows == []
    assert shown["query"] == {
        "users": "u",
        "objects": "o",
        "rows": "r",
        "object_state": "live",
        "row_state": "dangling",
        "strategy": None,
    }


def gather(view: View, caller: Caller | None, query: Query = NOTHING) -> dict[str, Any]:
    return asyncio.run(view.gather(caller, query))


@pytest.mark.parametrize(
    ("local_demo", "asked", "shown", "kept"),
    [
        (True, None, "prefix", None),
        (True, "prefix", "prefix", None),
        (True, "tag", "tag", "tag"),
        (False, "tag", "prefix", None),
    ],
)
def test_only_the_local_demo_shows_the_other_strategy(
    people: FakePeople,
    executor: Executor,
    *,
    local_demo: bool,
    asked: PendingStrategy | None,
    shown: str,
    kept: str | None,
) -> None:
    inspector = cast("Inspector", FakeInspector())
    view = View(cast("People", people), inspector, executor, "prefix", {}, local_demo=local_demo)
    context = gather(view, None, Query(strategy=asked))
    assert (context["strategy"], context["query"]["strategy"]) == (shown, kept)


@pytest.mark.parametrize("place", [None, "a"])
def test_users_and_rows_with_the_same_cursor_are_read_once(view: View, people: FakePeople, place: str | None) -> None:
    shown = gather(view, None, Query(users=place, rows=place))
    assert people.listed == [place]
    assert shown["cards"].cursor == shown["table"].cursor == f"{ROWS} after {place}"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (Query(), ["bob", "ada"]),
        (Query(users="a", objects="a", object_state=State.LIVE), ["bob", "ada"]),
        (Query(rows="a"), ["ada"]),
        (Query(row_state=State.LIVE), ["ada"]),
    ],
    ids=["first page", "other lists turned", "another page", "one state"],
)
def test_the_current_user_s_row_is_on_the_table_s_first_page(view: View, query: Query, shown: list[str]) -> None:
    rows = gather(view, Caller("bob"), query)["table"].rows
    assert [row.row.username for row in rows] == shown


def test_the_current_user_s_row_is_on_a_page_once(view: View) -> None:
    assert [row.row for row in gather(view, Caller("ada"), NOTHING)["table"].rows] == [ADA]


def test_a_row_whose_object_is_in_the_listing_is_live(view: View) -> None:
    assert [row.states for row in gather(view, None, NOTHING)["table"].rows] == [{"avatar": State.LIVE}]


@pytest.mark.parametrize(
    ("caller", "current", "found"),
    [
        (None, None, []),
        (Caller("ada"), ADA, []),
        (Caller("bob"), BOB, ["bob"]),
        (Caller("gone"), None, ["gone"]),
    ],
    ids=["nobody", "on a card in view", "on another page", "without a row any more"],
)
def test_the_current_user_is_shown(
    view: View, people: FakePeople, caller: Caller | None, current: Row | None, found: list[str]
) -> None:
    assert gather(view, caller, NOTHING)["current"] == current
    assert people.found == found


def render(source: str, **context: Any) -> str:
    return create_environment().from_string(source).render(**context)


@pytest.mark.parametrize(
    ("cursors", "address"),
    [
        ({"users": "a", "rows": None}, "/?users=a"),
        ({"users": "a", "rows": "b"}, "/?users=a&amp;rows=b"),
        ({"users": None}, "/"),
        ({"users": ""}, "/"),
        ({"objects": "a", "object_state": State.LIVE}, "/?objects=a&amp;object_state=live"),
        ({"users": "a&b=c/d e"}, "/?users=a%26b%3Dc%2Fd+e"),
    ],
)
def test_an_address_holds_the_given_cursors(cursors: dict[str, str | None], address: str) -> None:
    assert render("{{ cursors | address }}", cursors=cursors) == address


def test_a_moment_is_shown_to_the_second() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    assert render("{{ when | moment }}", when=when) == "2026-01-02 03:04:05"


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Ada Lovelace", "AL"),
        ("ada king lovelace", "AK"),
        ("Ada", "A"),
        ("  ada  lovelace ", "AL"),
        ("", ""),
        ("Élise", "É"),
    ],
)
def test_initials_stand_for_a_missing_picture(name: str, initials: str) -> None:
    assert render("{{ name | initials }}", name=name) == initials


def show_page(view: View, caller: Caller | None = None, query: Query = NOTHING, **changed: Any) -> str:
    return create_environment().get_template("page.html").render(gather(view, caller, query) | changed)


def test_an_empty_page_states_that_the_bucket_and_the_table_are_empty(view: View) -> None:
    page = show_page(view, cards=PeoplePage([], None), table=RowsPage([], None, 0))
    assert "The bucket is empty." in page
    assert "The table is empty." in page
    assert page.count('<input type="file"') == len(re.findall(r'<input type="file"[^>]* disabled', page)) == 4


def test_without_the_auth_service_the_page_offers_no_login(view: View) -> None:
    shown = gather(view, None, NOTHING)
    for has_login in (True, False):
        shown |= {"has_login": has_login}
        changes = {"username": "", "objects": [], "rows": list(shown["table"].rows)}
        for template in ("page.html", "changes.html"):
            page = create_environment().get_template(template).render(shown | changes)
            assert ("Log in as" in page) == has_login


def test_all_data_of_users_and_of_the_bucket_is_escaped(view: View) -> None:
    evil = "\"'><script>alert(1)</script>"
    person = make_row(evil, evil, evil)
    entry = InspectedObject(
        evil, 1, evil, datetime(2026, 1, 1, tzinfo=UTC), {evil: evil}, {evil: evil}, None, State.ORPHAN
    )
    page = show_page(
        view,
        query=Query(evil, evil, evil),
        current=person,
        cards=PeoplePage([person], evil),
        table=RowsPage([InspectedRow(person, {"avatar": State.DANGLING})], evil, 1),
        bucket=ObjectsPage([entry], evil, 1),
    )
    assert "<script>alert" not in page
    assert "\"'>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10


@pytest.mark.parametrize(("state", "is_said"), [(State.DANGLING, True), (State.LIVE, False)])
def test_a_row_whose_object_is_missing_is_shown_as_dangling(view: View, state: State, is_said: bool) -> None:  # noqa: FBT001
    page = show_page(view, table=RowsPage([InspectedRow(ADA, {"avatar": state})], None, 1))
    assert f'data-attribute="Avatar" data-key="avatars/1" data-state="{state}"' in page
    assert ("there is no such object" in page) == is_said


def test_the_current_user_has_a_card_and_a_file_input_on_each_page_of_users(view: View) -> None:
    page = show_page(view, Caller("bob"))
    assert page.count('data-user="bob"') == page.count('data-user="ada"') == 1
    assert page.count("Current user") == 1
    accept = ",".join(CONTENT_TYPES)
    assert f'data-flow="confirm" accept="{accept}"' in page


def test_the_link_to_a_list_s_next_page_keeps_the_cursors_of_the_others(view: View) -> None:
    page = show_page(view, query=Query("u", None, "r"), table=RowsPage([], "next", 0))
    assert 'href="/?users=u&amp;rows=next"' in page
    assert 'href="/?users=u"' in page
