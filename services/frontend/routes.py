from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter
from litestar.response import Redirect, Template

from services.frontend import examples
from services.frontend.changes import MAX_KEYS, MAX_USERNAMES, Changes
from services.frontend.inspector import InspectedObject, InspectedRow, Inspector
from services.frontend.people import People
from services.frontend.view import CARDS, ROWS, Query, View
from services.settings.limits import PendingStrategy
from services.store.kinds import AVATAR, KINDS, Kind
from services.store.states import State
from services.store.table import NAME, USERNAME
from services.web import examples as shared
from services.web.callers.guard import Guard
from services.web.examples import make_examples
from services.web.gate import MAX_QUERY_BYTES
from services.web.openapi import document_only
from services.web.pictures import Pictures

Limit = Annotated[
    int, QueryParameter(ge=1, le=100, description="Maximum number of entries on the page.", examples=make_examples(20))
]
CURSOR_DESCRIPTION = "The cursor of the previous page. Leave it out for the first page."
# A longer cursor is refused by the gate, or as one that is not valid for the list.
CURSOR_LIMIT = {"max_length": MAX_QUERY_BYTES}
Cursor = Annotated[
    str | None,
    QueryParameter(
        description=CURSOR_DESCRIPTION, examples=make_examples(examples.LAST_USER), schema_extra=CURSOR_LIMIT
    ),
]
ObjectsCursor = Annotated[
    str | None,
    QueryParameter(
        description=CURSOR_DESCRIPTION, examples=make_examples(examples.LAST_KEY), schema_extra=CURSOR_LIMIT
    ),
]
ObjectState = Literal["all", "pending", "live", "orphan"]
RowState = Literal["all", "live", "dangling"]
STATE_DESCRIPTION = "Return only entries in this state. The page may then have fewer than `limit` entries, even none."
LookedAt = Annotated[
    int, msgspec.Meta(description="Number of entries that were inspected for this page, in any state.")
]
# As at the login. With a longer name the path could be one that the gate refuses.
MAX_USERNAME_LENGTH = 256
MAX_KEY_LENGTH = 1024
"""S3's own limit, bytes."""
Username = Annotated[
    str,
    PathParameter(
        description="A user in the table.",
        examples=make_examples(shared.USERNAME),
        schema_extra={"max_length": MAX_USERNAME_LENGTH},
    ),
]


RowStateOrNone = (
    Annotated[
        str,
        msgspec.Meta(
            description="`live`, or `dangling` where the object is missing.",
            extra_json_schema=document_only(enum=[State.LIVE, State.DANGLING]),
        ),
    ]
    | None
)

ExpectedKey = Annotated[
    str | None,
    QueryParameter(
        description=(
            "The key of the picture in a list that was read just before. While the service remembers it as the user's,"
            " it redirects to it. Leave it out for the latest picture."
        ),
        examples=make_examples(shared.UPLOAD.permanent_key),
        schema_extra={"max_length": MAX_KEY_LENGTH},
    ),
]


class User(msgspec.Struct, frozen=True):
    username: str
    name: str
    avatar: str | None


class UsersResponse(msgspec.Struct, frozen=True):
    users: list[User]
    cursor: str | None


class Value(msgspec.Struct, frozen=True):
    """What a row has of a kind of upload."""

    key: Annotated[str | None, msgspec.Meta(description="Key of the picture.")]
    removed: Annotated[str | None, msgspec.Meta(description="An upload id, made when the picture was last removed.")]
    state: RowStateOrNone


class Row(
    msgspec.Struct,
    frozen=True,
    rename={
        "username": USERNAME,
        "name": NAME,
        "avatar": AVATAR.attribute,
        "removed": AVATAR.removed_attribute,
    },
):
    """A row. The avatar has the attribute names of the table, and `kinds` has all kinds."""

    username: str
    name: str
    avatar: str | None
    removed: Annotated[str | None, msgspec.Meta(description="An upload id, made when the avatar was last removed.")]
    state: RowStateOrNone
    kinds: dict[str, Value]


class RowsResponse(msgspec.Struct, frozen=True):
    rows: list[Row]
    cursor: str | None
    looked_at: LookedAt


class Object(msgspec.Struct, frozen=True):
    key: str
    size: Annotated[int, msgspec.Meta(description="Size, bytes.")]
    content_type: str
    last_modified: datetime
    tags: dict[str, str]
    metadata: dict[str, str]
    expires: Annotated[datetime | None, msgspec.Meta(description="When a lifecycle rule will delete the object.")]
    state: Annotated[str, msgspec.Meta(extra_json_schema=document_only(enum=[State.PENDING, State.LIVE, State.ORPHAN]))]


class ObjectsResponse(msgspec.Struct, frozen=True):
    objects: list[Object]
    cursor: str | None
    looked_at: LookedAt


def make_routes(
    guard: Guard, view: View, changes: Changes, people: People, pictures: Pictures, inspector: Inspector
) -> list[HTTPRouteHandler]:
    @get("/", include_in_schema=False)
    async def page(
        request: Request[Any, Any, Any],
        users: Cursor = None,
        objects: Cursor = None,
        rows: Cursor = None,
        object_state: Annotated[ObjectState, QueryParameter()] = "all",
        row_state: Annotated[RowState, QueryParameter()] = "all",
        strategy: Annotated[PendingStrategy | None, QueryParameter()] = None,
    ) -> Template:
        caller = await guard.identify_if_logged_in(request)
        query = Query(users, objects, rows, _parse_state(object_state), _parse_state(row_state), strategy)
        context = await view.gather(caller, query)
        return Template("page.html", context=context, headers={"Cache-Control": "no-store"})

    @get("/changes", include_in_schema=False)
    async def list_changes(
        request: Request[Any, Any, Any],
        username: Annotated[list[str], QueryParameter(max_items=MAX_USERNAMES)],
        key: Annotated[
            list[Annotated[str, msgspec.Meta(max_length=MAX_KEY_LENGTH)]] | None, QueryParameter(max_items=MAX_KEYS)
        ] = None,
    ) -> Template:
        caller = await guard.identify_if_logged_in(request)
        context = await changes.gather(caller, username, key or [])
        return Template("changes.html", context=context, headers={"Cache-Control": "no-store"})

    @get(
        "/users",
        sync_to_thread=True,
        summary="List users",
        description="The names of the users, and the keys of their pictures.",
        response_description="A page of users, in the order of the table.",
        operation_class=examples.USERS,
        responses=examples.LIST_PROBLEMS,
    )
    def list_users(limit: Limit = CARDS, cursor: Cursor = None) -> UsersResponse:
        found = people.list_page(limit, cursor)
        return UsersResponse(
            [User(person.username, person.name, person.avatar) for person in found.people], found.cursor
        )

    @get(
        "/inspector/objects",
        sync_to_thread=True,
        summary="List the objects in the bucket, newest first",
        description="Each object with its metadata, its tags, its state, and the time at which it expires.",
        response_description="A page of objects.",
        operation_class=examples.OBJECTS,
        responses=examples.LIST_PROBLEMS,
    )
    def list_objects(
        limit: Limit = ROWS,
        cursor: ObjectsCursor = None,
        wanted: Annotated[
            ObjectState, QueryParameter(name="state", description=STATE_DESCRIPTION, examples=make_examples("pending"))
        ] = "all",
    ) -> ObjectsResponse:
        found = inspector.list_page(limit, cursor, _parse_state(wanted))
        return ObjectsResponse([_make_object(entry) for entry in found.objects], found.cursor, found.looked_at)

    @get(
        "/inspector/users",
        sync_to_thread=True,
        summary="List the rows of the table",
        description="Each row with all its attributes, and the state of the object that it refers to.",
        response_description="A page of rows.",
        operation_class=examples.ROWS,
        responses=examples.LIST_PROBLEMS,
    )
    def list_rows(
        limit: Limit = ROWS,
        cursor: Cursor = None,
        wanted: Annotated[
            RowState, QueryParameter(name="state", description=STATE_DESCRIPTION, examples=make_examples("dangling"))
        ] = "all",
    ) -> RowsResponse:
        found = inspector.inspect_rows(people.list_page(limit, cursor), _parse_state(wanted))
        return RowsResponse([_make_row(entry) for entry in found.rows], found.cursor, found.looked_at)

    @get("/healthz", include_in_schema=False)
    async def healthz() -> Response[dict[str, str]]:
        return Response({"status": "ok"})

    pictures_of_kinds = [_make_redirect(kind, people, pictures) for kind in KINDS.values()]
    return [page, list_changes, list_users, *pictures_of_kinds, list_objects, list_rows, healthz]


def _make_redirect(kind: Kind, people: People, pictures: Pictures) -> HTTPRouteHandler:
    @get(
        f"/users/{{username:str}}/{kind.name}",
        sync_to_thread=True,
        status_code=303,
        operation_id=f"showUser{kind.name.capitalize()}",
        summary=f"Get a user's {kind.name}",
        description="An `img` element can have this URL: a browser follows the redirect and caches the picture.",
        response_description="A redirect to the picture.",
        operation_class=examples.PICTURE,
        responses=examples.describe_picture_problems(kind),
    )
    def show_picture(username: Username, v: ExpectedKey = None) -> Redirect:
        return pictures.redirect(people.find_picture(username, kind, v), kind)

    return show_picture


def _parse_state(name: str) -> State | None:
    return None if name == "all" else State(name)


def _make_row(entry: InspectedRow) -> Row:
    row = entry.row
    kinds = {
        name: Value(row.of(kind).key, row.of(kind).removed, entry.states.get(name)) for name, kind in KINDS.items()
    }
    avatar = kinds[AVATAR.name]
    return Row(row.username, row.name, avatar.key, avatar.removed, avatar.state, kinds)


def _make_object(entry: InspectedObject) -> Object:
    return Object(
        entry.key,
        entry.size,
        entry.content_type,
        entry.last_modified,
        dict(entry.tags),
        dict(entry.metadata),
        entry.expires,
        entry.state,
    )
