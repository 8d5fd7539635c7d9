"""The results as a page of Markdown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.spread import Spread, find_ratios
from bench.subjects import BY_NAME, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.load import Measured
    from bench.results import Results

FRAMEWORK = "litestar-constant"

METHOD = """\
Servers have one core and the load has the other, with the canned AWS. Subjects take turns in each round. Figures are
medians of the rounds, with the least and the most in brackets. Processor time is the server's, and is what other work
on the machine disturbs the least."""

CONFIRMERS = {"ours": "**ours**, `{}`", "original": "the original's calls, `{}`"}


def write_report(results: Results, about: Mapping[str, str], connections: int) -> str:
    """`about`: the run, its machine and its versions, by what they are called."""
    parts = [
        "# The benchmark",
        "",
        "Written by `uv run bench`; not to be edited.",
        "",
        *_table(["", ""], about.items()),
    ]
    parts += ["", METHOD]
    if results.presigns:
        parts += ["", *_describe_presigns(results, connections)]
    if results.confirms:
        parts += ["", *_describe_confirms(results)]
    if results.views:
        parts += ["", *_describe_views(results)]
    if results.loaded:
        parts += ["", *_describe_loaded(results, connections)]
    if results.starts:
        parts += ["", *_describe_starts(results)]
    if results.left_out:
        parts += ["", "## Left out", "", *(f"- {who}: {why}" for who, why in results.left_out.items())]
    return "\n".join(parts) + "\n"


def _describe_presigns(results: Results, connections: int) -> Iterable[str]:
    ours = results.presigns.get(OURS)
    rows: list[Sequence[str]] = []
    for name, rounds in sorted(results.presigns.items(), key=lambda item: -_median(item[1])):
        subject = BY_NAME[name]
        ratio = "" if ours is None or name == OURS else _spread(find_ratios(_rates(ours), _rates(rounds)), ".2f")
        rows.append(
            (
                subject.title,
                _spread(Spread.of(_rates(rounds)), ",.0f"),
                ratio,
                f"{Spread.of(each.p50 for each in rounds).median:.1f}",
                f"{Spread.of(each.p99 for each in rounds).median:.1f}",
                f"{Spread.of(each.cpu for each in rounds).median:,.0f}",
                subject.differs,
            )
        )
    yield "## Presign"
    yield ""
    yield f"The first call, {connections} connections. Each of ours has a Bearer token, which is verified."
    yield ""
    head = ["", "requests/s", "ours is × as fast", "p50 ms", "p99 ms", "CPU µs a request", "what is not like for like"]
    yield from _table(head, rows)
    if ours and FRAMEWORK in results.presigns:
        own = Spread.of(each.cpu for each in ours).median
        framework = Spread.of(each.cpu for each in results.presigns[FRAMEWORK]).median
        yield ""
        yield f"On top of Litestar's constant answer our presign takes {own - framework:,.0f} µs of processor time."
    yield ""
    yield "![Throughput](throughput.svg)"
    yield ""
    yield "![Latency](latency.svg)"


def _describe_confirms(results: Results) -> Iterable[str]:
    longest = max(delay for _, _, delay in results.confirms)
    rows: list[Sequence[str]] = []
    for (whose, pending, delay), rounds in results.confirms.items():
        ours = results.confirms["ours", pending, delay]
        ratio = _spread(find_ratios([each.p50 for each in rounds], [each.p50 for each in ours]), ".2f")
        rows.append(
            (
                CONFIRMERS[whose].format(pending),
                f"{delay}",
                _spread(Spread.of(each.p50 for each in rounds), ".1f"),
                "" if whose == "ours" else ratio,
                f"{Spread.of(each.in_sequence for each in results.confirms[whose, pending, longest]).median:g}",
                f"{Spread.of(each.in_all for each in rounds).median:g}",
                _spread(Spread.of(each.cpu for each in rounds), ".1f"),
            )
        )
    yield "## Confirm"
    yield ""
    yield (
        "The third call, one connection, over an avatar that is there already. Ours verifies the token, looks at the"
        " bytes and keeps every invariant; its deletion follows the answer and is in the processor time. The original's"
        " calls are replayed through boto3 under Litestar, without authentication and without its sixth call under"
        " `tag`, which went beside another one."
    )
    yield ""
    head = ["", "AWS call takes ms", "p50 ms", "takes × ours", "calls in sequence", "calls in all", "CPU ms a confirm"]
    yield from _table(head, rows)
    yield ""
    yield "![Confirm](confirm.svg)"


def _describe_views(results: Results) -> Iterable[str]:
    rows = [
        (
            f"{count:,}",
            f"{delay}",
            f"{Spread.of(e.calls for e in rounds).median:g}",
            _spread(Spread.of(e.p50 for e in rounds), ".1f"),
        )
        for (count, delay), rounds in results.views.items()
    ]
    yield "## Page view"
    yield ""
    yield "The page with all its data, one connection, logged in; as many users as objects, each with an avatar."
    yield ""
    yield from _table(["objects", "AWS call takes ms", "AWS calls", "p50 ms"], rows)


def _describe_loaded(results: Results, connections: int) -> Iterable[str]:
    rows = [
        (
            each.title,
            f"{each.measured.per_second:,.0f}",
            f"{each.measured.p50:.1f}",
            f"{each.measured.p99:.1f}",
            f"{each.measured.cpu / 1000:.2f}",
            f"{each.resident:.0f}",
        )
        for each in results.loaded
    ]
    yield "## Services under load"
    yield ""
    yield f"{connections} connections, AWS without delay; one round. Memory is what is resident when the load ends."
    yield ""
    yield from _table(["", "requests/s", "p50 ms", "p99 ms", "CPU ms a request", "resident MB"], rows)


def _describe_starts(results: Results) -> Iterable[str]:
    rows = [
        (
            service,
            _spread(Spread.of(each.seconds for each in rounds), ".2f"),
            f"{Spread.of(each.cpu for each in rounds).median:.2f}",
            f"{Spread.of(each.resident for each in rounds).median:.0f}",
        )
        for service, rounds in results.starts.items()
    ]
    yield "## Starting"
    yield ""
    yield "From the command to the first 200 of `/healthz`, with bytecode that is compiled already, as in the images."
    yield ""
    yield from _table(["", "seconds", "CPU s", "resident MB"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(spread: Spread, form: str) -> str:
    return f"{spread.median:{form}} ({spread.least:{form}} to {spread.most:{form}})"


def _rates(rounds: Iterable[Measured]) -> list[float]:
    return [each.per_second for each in rounds]


def _median(rounds: Iterable[Measured]) -> float:
    return Spread.of(_rates(rounds)).median
