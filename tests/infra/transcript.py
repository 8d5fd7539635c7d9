"""The last section of docs/deploying.md: what an operator types and reads in the year of a stack of test_stack.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.infra.stacks import Result

HEADING = "## What Pulumi prints\n"
PAGE = (Path(__file__).parents[2] / "docs/deploying.md").read_text()
SECTION = HEADING + PAGE.partition(HEADING)[2]

INTRODUCTION = """
`tests/infra/test_stack.py` runs these commands on Pulumi's engine, with an AWS account in memory, and compares what the
engine prints with this section. Long lists of resources are left out.
"""

COMMANDS = (
    ("first preview", "pulumi preview"),
    ("first up", "pulumi up"),
    ("unchanged", "pulumi up                     # nothing has changed"),
    ("more tasks, previewed", "pulumi config set minTasks 3 && pulumi preview"),
    ("failed deployment", "pulumi up                     # a task of the new version does not start"),
    ("after it", "pulumi up                     # deploys it again"),
    ("changed by hand, previewed", "pulumi preview                # after changes by hand"),
    ("repaired", "pulumi up"),
    ("destroyed", "pulumi destroy"),
    ("without the demo", "pulumi up                     # another stack, with `issuer` and `demo: false`"),
)
"""The operations of the section, and the commands that do them."""

_OUTPUTS = {"first up", "without the demo"}
_MANY = 30
"""A longer list of resources is left out."""
_RESOURCE = re.compile(r"^ (?:\+|-|~|\+-|\+\+|--|<|>)\s+(aws|docker-build):")
_DONE = re.compile(r" (?:created|updated|deleted|replaced|failed|update|create|delete|replace)\b")


def draw_section(results: Mapping[str, Result]) -> str:
    lines = [HEADING, *INTRODUCTION.splitlines()[1:], "", "```"]
    for name, command in COMMANDS:
        lines += [f"$ {command}", *_draw(results[name].printed, outputs=name in _OUTPUTS), ""]
    return "\n".join([*lines[:-1], "```", ""])


def _draw(printed: str, *, outputs: bool) -> Iterator[str]:
    """Without durations and what differs between runs. Pulumi prints the resources as they are done; here, by name."""
    body, _, summary = printed.partition("Resources:\n")
    before, found, after = body.partition("Outputs:\n")
    steps = sorted({_clean(line) for line in before.splitlines() if _RESOURCE.match(line) and _DONE.search(line)})
    if len(steps) <= _MANY:
        yield from steps
    if "Diagnostics:\n" in before:
        # How far the engine came with the other resources differs between runs, so the summary is left out.
        yield from _draw_errors(before.partition("Diagnostics:\n")[2])
        return
    if found and outputs:
        yield "Outputs:"
        yield from _clean(after).rstrip().splitlines()
    if summary:
        yield "Resources:"
        yield from summary.partition("\n\n")[0].rstrip().splitlines()


def _draw_errors(diagnostics: str) -> Iterator[str]:
    yield "Diagnostics:"
    for block in diagnostics.split("\n\n"):
        if block.startswith("  aws:"):
            yield from block.expandtabs(4).splitlines()


def _clean(text: str) -> str:
    text = re.sub(r"(:[a-z2-7]{16})?@sha256:[0-9a-f]+(\.\.\.)?", "@sha256:…", text)
    return re.sub(r" \([0-9.]+s\)", "", text).rstrip()
