"""Settings of the programs that know the application whose users upload."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

NewUsers = Annotated[
    Literal["refuse", "create"],
    msgspec.Meta(
        description="What becomes of a user without a row: `refuse` refuses the confirm, `create` creates the row at the"
        " first confirm or removal."
    ),
]
NEW_USERS: NewUsers = "refuse"

ConfirmedUrl = (
    Annotated[
        str,
        msgspec.Meta(
            pattern=r"^(https://[^\s/]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/\S*)?\Z",
            examples=["https://example.com/hooks/pictures"],
            description="URL of the application that learns of each confirmed upload and each removal. It needs"
            " `CONFIRMED_SECRET`.",
        ),
    ]
    | None
)

ConfirmedSecret = (
    Annotated[
        str,
        # Without a pattern, since the error would quote the value.
        msgspec.Meta(
            description="Secret with which messages to the application are signed, such as `whsec_…`. While it is"
            " changed, several separated by commas: each signs."
        ),
    ]
    | None
)
