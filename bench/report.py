"""Writes the results as a page of Markdown. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.ratios import compare, find_run_ratios
from bench.spread import Spread, find_ratios
from bench.subjects import BY_NAME, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.load import Measurement
    from bench.results import Results

FRAMEWORK = "litestar-constant"
GO, GO_VERIFIED = "go", "go-verified"

METHOD = """\
The server under test runs on one core; the load and an in-memory AWS run on the other. Each round measures all subjects
in turn. Figures are medians of the rounds, with minimum and maximum in brackets. Processor time is the server's. Other
programs on the machine affect it less than they affect latency and throughput."""

CONFIRM_TITLES = {"ours": "**ours**, `{}`", "original": "the original's calls, `{}`"}


def write_report(
    results: Results, about: Mapping[str, str], connections: int, before: Mapping[str, Spread] | None = None
) -> str:
    """
    Args:
        results: the measurements.
        about: describes the run, its machine and its versions, by label.
        connections: the number of connections of the load.
        before: the ratios of an earlier run (`bench.ratios`).
    """
    parts = [
        "# The benchmark",
        "",
        "`uv run bench` writes this page; do not edit it.",
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
    if results.services:
        parts += ["", *_describe_services(results, connections)]
    if results.starts:
        parts += ["", *_describe_starts(results)]
    if results.readers:
        parts += ["", *_describe_readers(results)]
    if ratios := find_run_ratios(results):
        parts += ["", *_describe_ratios(ratios, before or {})]
    if results.skipped:
        parts += ["", "## Skipped", "", *(f"- {title}: {reason}" for title, reason in results.skipped.items())]
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
                subject.difference,
            )
        )
    yield "## Presign"
    yield ""
    yield f"Presign requests over {connections} connections. Our service verifies the Bearer token of each."
    yield ""
    head = ["", "requests/s", "ours is × as fast", "p50 ms", "p99 ms", "CPU µs a request", "difference from ours"]
    yield from _table(head, rows)
    if ours and FRAMEWORK in results.presigns:
        own = Spread.of(each.cpu for each in ours).median
        framework = Spread.of(each.cpu for each in results.presigns[FRAMEWORK]).median
        yield ""
        yield f"Our presign takes {own - framework:,.0f} µs of processor time more than Litestar's constant response."
    if ours and GO in results.presigns and GO_VERIFIED in results.presigns:
        remembering, verifying = (_median(results.presigns[name]) / _median(ours) for name in (GO, GO_VERIFIED))
        yield ""
        yield (
            f"Go's server makes {remembering:.1f} times as many presigns as ours where it remembers a token, "
            f"as ours does, and {verifying:.1f} times as many where it verifies each one."
        )
    yield ""
    yield "![Throughput](throughput.svg)"
    yield ""
    yield "![Latency](latency.svg)"


def _describe_confirms(results: Results) -> Iterable[str]:
    longest = max(delay for _, _, delay in results.confirms)
    rows: list[Sequence[str]] = []
    for (implementation, pending, delay), rounds in results.confirms.items():
        delayed = results.confirms[implementation, pending, longest]
        ours = results.confirms["ours", pending, delay]
        ratio = _spread(find_ratios([each.p50 for each in rounds], [each.p50 for each in ours]), ".2f")
        rows.append(
            (
                CONFIRM_TITLES[implementation].format(pending),
                f"{delay}",
                _spread(Spread.of(each.p50 for each in rounds), ".1f"),
                "" if implementation == "ours" else ratio,
                f"{Spread.of(each.sequential_calls for each in delayed).median:g}",
                f"{Spread.of(each.calls for each in rounds).median:g}",
                _spread(Spread.of(each.cpu for each in rounds), ".1f"),
            )
        )
    yield "## Confirm"
    yield ""
    yield (
        "Confirm requests over one connection, each replacing an avatar. Ours verifies the token, checks the bytes and"
        " keeps every invariant; it deletes the old object after the response, and the processor time includes that."
        " The original's calls are made through boto3 under Litestar, without authentication and without the sixth call"
        " under `tag`, which the original made in parallel with another one."
    )
    yield ""
    head = [
        "",
        "delay of an AWS call, ms",
        "p50 ms",
        "takes × ours",
        "calls in sequence",
        "all calls",
        "CPU ms a confirm",
    ]
    yield from _table(head, rows)
    yield ""
    yield "![Confirm](confirm.svg)"


def _describe_views(results: Results) -> Iterable[str]:
    rows = [
        (
            f"{count:,}",
            f"{delay}",
            f"{Spread.of(e.first_calls for e in rounds).median:g}",
            _spread(Spread.of(e.first for e in rounds), ".1f"),
            f"{Spread.of(e.calls for e in rounds).median:g}",
            _spread(Spread.of(e.p50 for e in rounds), ".1f"),
            f"{Spread.of(e.cpu for e in rounds).median:.1f}",
        )
        for (count, delay), rounds in results.views.items()
    ]
    yield "## Page view"
    yield ""
    yield (
        "The page with all its data over one connection, logged in. Each object is the avatar of one user. The first"
        " view after a start has nothing cached."
    )
    yield ""
    head = [
        "objects",
        "delay of an AWS call, ms",
        "AWS calls at first",
        "first view, ms",
        "AWS calls",
        "p50 ms",
        "CPU ms",
    ]
    yield from _table(head, rows)


def _describe_services(results: Results, connections: int) -> Iterable[str]:
    rows = [
        (
            each.title,
            f"{each.load.per_second:,.0f}",
            f"{each.load.p50:.1f}",
            f"{each.load.p99:.1f}",
            f"{each.load.cpu / 1000:.2f}",
            f"{each.calls:.2f}",
            f"{each.resident:.0f}",
        )
        for each in results.services
    ]
    yield "## Services under load"
    yield ""
    yield f"{connections} connections, no delay of AWS calls, one round. Memory is resident at the end of the load."
    yield ""
    head = ["", "requests/s", "p50 ms", "p99 ms", "CPU ms a request", "AWS calls a request", "resident MB"]
    yield from _table(head, rows)


def _describe_starts(results: Results) -> Iterable[str]:
    rows = [
        (
            service,
            _spread(Spread.of(each.seconds for each in rounds), ".2f"),
            f"{Spread.of(each.cpu for each in rounds).median:.2f}",
            f"{Spread.of(each.resident for each in rounds).median:.0f}",
            _spread(Spread.of(first), ".0f") if (first := [each.first for each in rounds if each.first]) else "",
        )
        for service, rounds in results.starts.items()
    ]
    yield "## Starting"
    yield ""
    yield "From the start command to the first 200 of `/healthz`, with compiled bytecode as in the images."
    yield ""
    yield from _table(["", "seconds", "CPU s", "resident MB", "first presign, ms"], rows)


def _describe_readers(results: Results) -> Iterable[str]:
    rows = [
        (title, f"{each.size:,}", f"{each.steps:,}", f"{each.milliseconds:.2f}")
        for title, each in results.readers.items()
    ]
    yield "## Picture readers"
    yield ""
    yield "Usual pictures, and the files on which the readers take the longest. Processor time, the minimum of 15 runs."
    yield ""
    yield from _table(["", "bytes", "steps", "ms"], rows)


def _describe_ratios(ratios: Mapping[str, Spread], before: Mapping[str, Spread]) -> Iterable[str]:
    verdicts = compare(before, ratios)
    rows = [
        (
            name,
            _spread(ratio, ".2f"),
            _spread(before[name], ".2f") if name in before else "",
            verdicts.get(name, ""),
        )
        for name, ratio in ratios.items()
    ]
    yield "## Compared with the run before"
    yield ""
    yield (
        "Processor time as a ratio to a peer of the same run, from `ratios.json`. A ratio differs if the ranges of the"
        " two runs have nothing in common."
    )
    yield ""
    yield from _table(["", "this run", "the run before", "this run is"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(spread: Spread, form: str) -> str:
    return f"{spread.median:{form}} ({spread.minimum:{form}} to {spread.maximum:{form}})"


def _rates(rounds: Iterable[Measurement]) -> list[float]:
    return [each.per_second for each in rounds]


def _median(rounds: Iterable[Measurement]) -> float:
    return Spread.of(_rates(rounds)).median
