from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.documents.policies import Document


def write_policy(policy: Callable[..., Document], **names: pulumi.Input[str]) -> pulumi.Output[str]:
    """The document that a pure function makes of names, as soon as these are known, in JSON."""
    return pulumi.Output.json_dumps(pulumi.Output.all(**names).apply(lambda known: policy(**known)))
