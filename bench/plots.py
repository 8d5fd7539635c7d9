"""Draws the results as plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.spread import Spread
from bench.subjects import BY_NAME, OURS

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.results import Results

OWN, OTHERS, UPPER_BOUND = "#2a78d6", "#9aa5b1", "#dfe3e8"
CONFIRM_COLOURS = {
    ("ours", "prefix"): OWN,
    ("ours", "tag"): "#a9c9ee",
    ("original", "prefix"): "#7b8794",
    ("original", "tag"): "#cbd2d9",
}

# The same results give the same file, and text is written as text.
mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none"})


def draw(results: Results, folder: Path) -> None:
    if results.presigns:
        _draw_throughput(results).savefig(folder / "throughput.svg", metadata={"Date": None})
        _draw_latency(results).savefig(folder / "latency.svg", metadata={"Date": None})
    if results.confirms:
        _draw_confirms(results).savefig(folder / "confirm.svg", metadata={"Date": None})


def _draw_throughput(results: Results) -> Figure:
    found = {name: Spread.of(each.per_second for each in rounds) for name, rounds in results.presigns.items()}
    names = sorted(found, key=lambda name: found[name].median)
    figure, axes = _open(len(names))
    spreads = [found[name] for name in names]
    medians = [spread.median for spread in spreads]
    reach = [[s.median - s.minimum for s in spreads], [s.maximum - s.median for s in spreads]]
    bars = axes.barh(_titles(names), medians, xerr=reach, color=[_colour(name) for name in names], ecolor="#333")
    axes.bar_label(bars, [f"{median:,.0f}" for median in medians], padding=6)
    axes.set_title("Presign: requests a second on one core (median, minimum to maximum)", loc="left")
    axes.margins(x=0.15)
    return figure


def _draw_latency(results: Results) -> Figure:
    medians = {
        name: (Spread.of(each.p50 for each in rounds).median, Spread.of(each.p99 for each in rounds).median)
        for name, rounds in results.presigns.items()
    }
    names = sorted(medians, key=lambda name: -medians[name][0])
    figure, axes = _open(len(names))
    slowest = [medians[name][1] for name in names]
    bars = axes.barh(_titles(names), slowest, color="#eeeeee", edgecolor="#bbbbbb", label="p99")
    axes.barh(
        _titles(names), [medians[name][0] for name in names], color=[_colour(name) for name in names], label="p50"
    )
    axes.bar_label(bars, [f"{medians[name][0]:.1f} / {medians[name][1]:.1f}" for name in names], padding=6)
    axes.set_xscale("log")
    axes.set_title("Presign: latency in ms, p50 / p99 (logarithmic)", loc="left")
    axes.margins(x=0.15)
    return figure


def _draw_confirms(results: Results) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    variants = list(dict.fromkeys((implementation, pending) for implementation, pending, _ in results.confirms))
    delays = list(dict.fromkeys(delay for _, _, delay in results.confirms))
    width = 0.8 / len(variants)
    for number, (implementation, pending) in enumerate(variants):
        found = [
            Spread.of(each.p50 for each in results.confirms[implementation, pending, delay]).median for delay in delays
        ]
        places = [place + number * width for place in range(len(delays))]
        colour = CONFIRM_COLOURS[implementation, pending]
        bars = axes.bar(places, found, width * 0.9, color=colour, label=f"{implementation}, {pending}")
        axes.bar_label(bars, [f"{median:.0f}" for median in found], padding=2)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(delays))], [f"{delay} ms" for delay in delays])
    axes.set_title("Confirm: p50 in ms, by the delay of each call to AWS", loc="left")
    axes.legend(frameon=False)
    _strip(axes)
    return figure


def _open(bars: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 0.8 + 0.4 * bars), layout="constrained")
    axes = figure.subplots()
    _strip(axes)
    return figure, axes


def _strip(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)  # pyright: ignore[reportUnknownMemberType]


def _titles(names: list[str]) -> list[str]:
    return [BY_NAME[name].title.replace("*", "").replace("`", "") for name in names]


def _colour(name: str) -> str:
    return OWN if name.startswith(OURS) else UPPER_BOUND if BY_NAME[name].is_upper_bound else OTHERS
