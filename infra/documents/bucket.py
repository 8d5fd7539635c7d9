"""Configuration of the bucket, as the S3 API takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.store.keys import PENDING_TAG
from services.store.kinds import KINDS, PENDING_PREFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

PENDING_DAYS = 1
"""Days after which S3 deletes a pending object. S3 counts from the upload and rounds up to the next midnight UTC (AWS:
"Lifecycle configuration elements").
"""


def cors_rules(origin: Any, other_origins: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Pages of these origins, and of no others, may post forms and read the responses.

    `origin` may be a Pulumi output.
    """
    return [
        {
            "AllowedOrigins": [origin, *other_origins],
            "AllowedMethods": ["POST"],
            # A form needs no extra header. Clients that report progress make a preflight request, which names this one.
            "AllowedHeaders": ["content-type"],
            # Uppy reads both from the response to a form, and reports a CORS error if it can't.
            "ExposeHeaders": ["ETag", "Location"],
            "MaxAgeSeconds": 3600,
        }
    ]


def lifecycle_rules(pending_prefixes: Sequence[str] = PENDING_PREFIXES) -> list[dict[str, Any]]:
    """Delete objects that were uploaded and never confirmed, under either strategy.

    `pending_prefixes` starts with the avatar's current prefix.
    """
    return [
        *(
            {
                "ID": _name_rule("pending-prefix", prefix, pending_prefixes[0]),
                "Status": "Enabled",
                "Filter": {"Prefix": prefix},
                "Expiration": {"Days": PENDING_DAYS},
            }
            for prefix in pending_prefixes
        ),
        {
            "ID": "pending-tag",
            "Status": "Enabled",
            "Filter": {"Tag": {"Key": PENDING_TAG[0], "Value": PENDING_TAG[1]}},
            "Expiration": {"Days": PENDING_DAYS},
        },
        {
            "ID": "incomplete-multipart-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]


def version_rules(recovery_days: int) -> list[dict[str, Any]]:
    """Delete the versions of objects that were replaced or deleted this many days ago, in a bucket with versioning.

    Where two rules apply to a version, S3 takes the shorter time (AWS: "Conflicting lifecycle configurations").
    """
    return [
        {
            "ID": "noncurrent-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": recovery_days},
            # A delete marker is of no use once it is the only version of its object.
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
        *(
            {
                # No row refers to a pending object, so restoring the table needs none.
                "ID": _name_rule("noncurrent-pending", kind.pending_prefix, PENDING_PREFIXES[0]),
                "Status": "Enabled",
                "Filter": {"Prefix": kind.pending_prefix},
                "NoncurrentVersionExpiration": {"NoncurrentDays": PENDING_DAYS},
            }
            for kind in KINDS.values()
        ),
    ]


def _name_rule(name: str, prefix: str, first: str) -> str:
    """The id of a prefix's rule. The first prefix has no suffix, so that a deployed rule keeps its id."""
    return name if prefix == first else f"{name}-{prefix.rstrip('/')}"


PUBLIC_ACCESS_BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}

OWNERSHIP_RULES = [{"ObjectOwnership": "BucketOwnerEnforced"}]
