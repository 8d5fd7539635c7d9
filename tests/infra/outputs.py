"""Outputs of Pulumi that a program uses as if they were values."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Generator


@contextlib.contextmanager
def refuse_to_judge_outputs() -> Generator[None]:
    """Make it an error that a program asks whether an output is true, or equal to something.

    Pulumi lets a program do so, and the result means nothing.
    """

    def find_truth(_: pulumi.Output[object]) -> bool:
        return _refuse(True)  # noqa: FBT003 - as any object

    def compare(one: pulumi.Output[object], other: object) -> bool:
        return _refuse(one is other)

    changed = (("__bool__", find_truth), ("__eq__", compare), ("__hash__", object.__hash__))
    before = {name: pulumi.Output.__dict__[name] for name, _ in changed if name in pulumi.Output.__dict__}
    for name, method in changed:
        setattr(pulumi.Output, name, method)
    try:
        yield
    finally:
        for name, _ in changed:
            if name in before:
                setattr(pulumi.Output, name, before[name])
            else:
                delattr(pulumi.Output, name)


def _refuse(answer: bool) -> bool:  # noqa: FBT001 - the comparison's result
    asker = sys._getframe(2).f_code.co_filename  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no public way
    if "site-packages" in asker or asker.startswith(sys.base_prefix):
        return answer
    raise TypeError("The program uses an output as a value. Its value is not known yet.")
