"""What the stack has since its last complete update, and which settings can no longer be changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pulumi

from infra.settings import InvalidConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings


READS = 20
READ_AGAIN_SECONDS = 0.1
UNREADABLE = "failed to load checkpoint"


class LiveStack(msgspec.Struct, frozen=True):
    bucket: str
    region: str
    signing_keys: tuple[str, ...]
    """None if another issuer signs the tokens."""
    url: str = ""
    keeps_seeds: bool = False
    """Whether the state still contains the seeded users, as it did before they became a command."""


def read_live_stack() -> LiveStack | None:
    """The stack's outputs, or None if no update of it has been completed since it was created or destroyed.

    The engine reads them from the state, as it does for a `StackReference`, but the state gets no further resource.
    """
    return read_outputs(_read_state("readStackOutputs", "name")["outputs"])


def read_urns() -> frozenset[str]:
    """The URNs of the resources in the stack's state. A refresh has removed those that no longer exist.

    The engine panics if the stack has no state yet (version 3.274), so it is called only for a stack that has outputs.
    """
    return frozenset(_read_state("readStackResourceOutputs", "stackName")["outputs"])


def _read_state(function: str, argument: str) -> Any:
    """Call a function of the engine that takes the stack's name in this argument."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    # The engine writes the state at the same time. A file that is being written is read again.
    for further in reversed(range(READS)):
        try:
            return pulumi.runtime.invoke(f"pulumi:pulumi:{function}", {argument: stack}).value
        except Exception as error:
            if not further or UNREADABLE not in str(error):
                raise
            time.sleep(READ_AGAIN_SECONDS)
    raise AssertionError


def read_outputs(outputs: Mapping[str, Any]) -> LiveStack | None:
    if "bucket" not in outputs:
        return None
    if "region" not in outputs:
        # The outputs of a stack that an earlier version of this program updated last.
        region = outputs["url"].split(".")[2]  # https://….execute-api.<region>.amazonaws.com
        return LiveStack(outputs["bucket"], region, ("signing",), keeps_seeds=True)
    return LiveStack(outputs["bucket"], outputs["region"], tuple(outputs.get("signingKeys", ())), outputs["url"])


def check_changes(live: LiveStack, settings: Settings) -> None:
    """
    Raises:
        InvalidConfigurationError: a setting would replace the bucket or the table, or make valid tokens invalid.
    """
    if settings.region != live.region:
        raise InvalidConfigurationError(
            f"region cannot be changed to {settings.region}, because this stack is in {live.region} and Pulumi would"
            " delete all pictures and users there: set it back, or create another stack."
        )
    if settings.bucket not in {None, live.bucket}:
        raise InvalidConfigurationError(
            f"bucket cannot be changed to {settings.bucket}, because Pulumi would delete {live.bucket} with all"
            " pictures: set it back, or create another stack."
        )
    if settings.issuer or not live.signing_keys:
        return
    signing = live.signing_keys[0]
    first = settings.key_names[0]
    if first not in live.signing_keys:
        raise InvalidConfigurationError(
            f"signingKeys cannot start with {first}, because no key set contains that key yet: append it to"
            f" {','.join(live.signing_keys)}, run `pulumi up`, and wait 15 minutes before it becomes the first."
        )
    if signing not in settings.key_names:
        raise InvalidConfigurationError(
            f"signingKeys must still contain {signing}, because it signs tokens until this update: move it behind"
            " the first, run `pulumi up`, and remove it when its last tokens have expired."
        )
