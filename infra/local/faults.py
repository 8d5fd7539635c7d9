"""The faults that the demo's page can choose, one at a time, and the requests that choose them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

FAULTS_PATH = "/_faults"


class Fault(StrEnum):
    SLOW_NETWORK = "slow-network"
    """Each POST of a file to S3 is slow, until another fault or none is chosen."""
    S3_UNAVAILABLE = "s3-unavailable"
    """S3 responds 503 to the next POSTs of a file."""
    LOST_RESPONSE = "lost-response"
    """The next confirm succeeds, and the gateway sends 504 in place of its response."""
    KILL_AFTER_COPY = "kill-after-copy"
    """The uploads services are killed as soon as S3 has carried out their next CopyObject."""


class FaultChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The page's request to the gateway, and every response."""

    fault: Fault | None


class Injection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's request to the emulator."""

    fault: Fault | None
    process_ids: list[Annotated[int, msgspec.Meta(gt=1)]] = []
    """The uploads services, for `KILL_AFTER_COPY`. To `kill`, 0 and negative numbers are groups of processes."""
