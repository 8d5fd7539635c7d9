from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.documents.policies import Document


def write_policy(
    policy: Callable[..., Document], **names: pulumi.Input[str] | Sequence[pulumi.Input[str]]
) -> pulumi.Output[str]:
    """The document in JSON. `policy` makes it once Pulumi knows the `names`, which are its arguments."""
    return pulumi.Output.json_dumps(pulumi.Output.all(**names).apply(lambda known: policy(**known)))
