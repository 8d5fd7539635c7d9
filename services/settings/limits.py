"""The limits that several programs share, each with its type, its meaning and its default.

The settings of the services, of the sweep, of the Pulumi stack and of the demo take all three from here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Seconds = Annotated[int, msgspec.Meta(ge=1)]

PendingStrategy = Annotated[
    Literal["prefix", "tag"], msgspec.Meta(description="How a pending object is marked: `prefix` or `tag`.")
]
PENDING: PendingStrategy = "prefix"

# GetObject and CopyObject of the whole picture must each end within the client's read timeout of 3 s
# (docs/decisions/0031-bounds-by-aws-times.md).
LARGEST_MAX_BYTES = 20_000_000
MaxBytes = Annotated[
    int,
    # The blank picture of 2.5 KB must be allowed.
    msgspec.Meta(ge=10_000, le=LARGEST_MAX_BYTES, description="Maximum size of a picture, bytes."),
]
MAX_BYTES = 5_000_000

MaxWidth = Annotated[int, msgspec.Meta(ge=1, description="Maximum width of a picture, pixels.")]
MAX_WIDTH = 4200

MaxHeight = Annotated[int, msgspec.Meta(ge=1, description="Maximum height of a picture, pixels.")]
MAX_HEIGHT = 4200
"""A decoded picture takes four bytes for each pixel: 71 MB at 4200 x 4200. A picture of a telephone with 12 megapixels
(4032 x 3024) is within the limits.
"""

# A form is refused after its credentials have expired. botocore replaces temporary credentials 15 minutes before, and
# must have done so 10 minutes before.
MAX_FORM_SECONDS = 600
FormSeconds = Annotated[
    Seconds,
    msgspec.Meta(le=MAX_FORM_SECONDS, description="How long a form is valid, in seconds from its presign."),
]
FORM_SECONDS = 300

ConfirmSeconds = Annotated[
    Seconds,
    msgspec.Meta(le=43_200, description="Confirm window: how long an upload may be confirmed, from its presign."),
]
CONFIRM_SECONDS = 3600

# AWS accepts a signed request whose time is off by at most fifteen minutes. The margin covers that for the request, for
# the clock of the service and for the clock of the sweep.
MarginSeconds = Annotated[
    int,
    msgspec.Meta(
        ge=2700, le=86_400, description="How long after its confirm window an object is not yet deleted by the sweep."
    ),
]
MARGIN_SECONDS = 3600

MaxDeletions = Annotated[
    int,
    msgspec.Meta(
        ge=1, description="Maximum number of orphans that one sweep deletes. If there are more, it deletes none."
    ),
]
MAX_DELETIONS = 10_000

MaxDeletedShare = Annotated[
    float,
    msgspec.Meta(
        gt=0,
        le=1,
        description="Maximum share of the listed objects that one sweep deletes. If there are more orphans, and more"
        " than 20, it deletes none.",
    ),
]
MAX_DELETED_SHARE = 0.1

TokenSeconds = Annotated[
    Seconds, msgspec.Meta(le=86_400, description="How long an access token and the session cookie are valid.")
]
TOKEN_SECONDS = 3600

PresignsPerMinute = Annotated[
    int, msgspec.Meta(ge=0, description="Presigns that one task allows each user in a minute; 0 means no limit.")
]
PRESIGNS_PER_MINUTE = 120

ConfirmsPerMinute = Annotated[
    int,
    msgspec.Meta(
        ge=0, description="Confirms and removals that one task allows each user in a minute; 0 means no limit."
    ),
]
CONFIRMS_PER_MINUTE = 120

LoginsPerMinute = Annotated[
    int, msgspec.Meta(ge=0, description="Logins that one task allows each address in a minute; 0 means no limit.")
]
LOGINS_PER_MINUTE = 60

PictureUrlSeconds = Annotated[
    Seconds,
    msgspec.Meta(
        # The URL is valid for twice as long. botocore replaces temporary credentials 15 minutes before they expire, and
        # must have done so 10 minutes before.
        le=450,
        description="How long a picture's presigned URL stays the same. It is valid for at least as long again.",
    ),
]
PICTURE_URL_SECONDS = 300
