"""The report of a sweep: how many objects and rows have which outcome, and the names of those that matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from services.store.kinds import KINDS

MAX_NAMES = 100
"""Maximum number of names for each outcome."""


class Outcome(StrEnum):
    LIVE = "live"
    YOUNG = "young"
    DEFERRED = "deferred"
    PENDING = "pending"
    FOREIGN = "foreign"
    GONE = "gone"
    DELETED = "deleted"
    RESTORED = "restored"
    REPLACED = "replaced"
    TOLD = "told"
    WAITING = "waiting"
    SKIPPED = "skipped"
    KEPT = "kept"
    DANGLING = "dangling"
    FAILED = "failed"
    UNTOLD = "untold"


MEANINGS = {
    Outcome.LIVE: "a row refers to them",
    Outcome.YOUNG: "not referenced yet; they may still be confirmed",
    Outcome.DEFERRED: "not referenced; the sweep of every sixth hour inspects them",
    Outcome.PENDING: "not confirmed; a lifecycle rule deletes them",
    Outcome.FOREIGN: "their name is not that of an upload; left alone",
    Outcome.GONE: "deleted or changed during the sweep",
    Outcome.DELETED: "orphans: no row refers to them, nor ever will",
    Outcome.RESTORED: "live pictures that had the pending tag; it was removed",
    Outcome.REPLACED: "live pictures overwritten with a blank one, since their bytes were not the declared picture",
    Outcome.TOLD: "rows of whose picture or removal the application was told now",
    Outcome.WAITING: "rows of whose picture or removal the next sweep tells the application",
    Outcome.SKIPPED: "orphans; there were too many for one sweep, so none was deleted",
    Outcome.KEPT: "orphans, kept since the object of some row is missing and they may be their users' newest pictures",
    Outcome.DANGLING: "rows whose object is missing",
    Outcome.FAILED: "they could not be inspected or deleted; the next sweep tries again",
    Outcome.UNTOLD: "rows of whose picture or removal the application accepted no message; the next sweep tries again",
}

METRICS = {
    Outcome.LIVE: "Live",
    Outcome.PENDING: "Pending",
    Outcome.DELETED: "Orphans",
    Outcome.RESTORED: "Restored",
    Outcome.REPLACED: "Replaced",
    Outcome.SKIPPED: "Skipped",
    Outcome.KEPT: "Kept",
    Outcome.DANGLING: "Dangling",
    Outcome.FAILED: "Failed",
    Outcome.TOLD: "Told",
    Outcome.UNTOLD: "Untold",
}

NEED_ATTENTION = (Outcome.SKIPPED, Outcome.KEPT, Outcome.DANGLING, Outcome.FAILED, Outcome.UNTOLD)

NAMED = (Outcome.DELETED, Outcome.RESTORED, Outcome.REPLACED, *NEED_ATTENTION)
"""The outcomes whose objects or rows the report names."""


@dataclass
class Report:
    dry_run: bool
    rows: int = 0
    """Number of rows that have a picture, or had one until the user removed it."""
    listed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """For each kind, the number of objects under its permanent prefix."""
    excess: str | None = None
    """Why no orphan was deleted, if there were too many."""
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    names: dict[Outcome, list[str]] = field(
        default_factory=lambda: {kind: [] for kind in Outcome if kind is not Outcome.LIVE}
    )
    """The first names of each outcome but `LIVE`: keys, and users of dangling rows."""

    def add(self, outcome: Outcome, name: str) -> None:
        self.counts[outcome] += 1
        named = self.names.get(outcome)
        if named is not None and len(named) < MAX_NAMES:
            named.append(name)

    @property
    def needs_attention(self) -> bool:
        return any(self.counts[outcome] for outcome in NEED_ATTENTION)

    def as_json(self) -> dict[str, object]:
        counts = {outcome.value: count for outcome, count in self.counts.items()}
        names = {outcome.value: self.names[outcome] for outcome in NAMED if self.names[outcome]}
        excess = {"excess": self.excess} if self.excess else {}
        return {
            "dry_run": self.dry_run,
            "rows": self.rows,
            "listed": sum(self.listed.values()),
            **counts,
            "names": names,
            **excess,
        }

    def as_metrics(self) -> dict[str, int]:
        """Zeros are included, so that graphs show them and alarms return to OK."""
        return {"Swept": 1} | {name: self.counts[outcome] for outcome, name in METRICS.items()}

    def as_text(self) -> str:
        lines = [f"{self.rows:>10,} rows that have or had a picture"]
        lines += [
            f"{self.counts[outcome]:>10,} {outcome}: {meaning}"
            for outcome, meaning in MEANINGS.items()
            if self.counts[outcome]
        ]
        lines += [f"           {outcome}: {name}" for outcome in NAMED for name in self.names[outcome]]
        if self.excess:
            lines.append(f"No orphan was deleted: {self.excess}.")
        if self.dry_run:
            lines.append("Dry run: nothing was changed.")
        return "\n".join(lines)
