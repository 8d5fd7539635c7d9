"""What a sweep found and did: counted, and what matters of it by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MOST_NAMES = 100
"""Of what is named, so that a report stays readable and its size bounded."""


class Outcome(StrEnum):
    LIVE = "live"
    YOUNG = "young"
    PENDING = "pending"
    FOREIGN = "foreign"
    GONE = "gone"
    DELETED = "deleted"
    HEALED = "healed"
    BLANKED = "blanked"
    WITHHELD = "withheld"
    DANGLING = "dangling"
    FAILED = "failed"


MEANINGS = {
    Outcome.LIVE: "a row points at them",
    Outcome.YOUNG: "not old enough to be judged: they may still become an avatar",
    Outcome.PENDING: "abandoned or left over; a lifecycle rule deletes them",
    Outcome.FOREIGN: "not named as an upload is; left alone",
    Outcome.GONE: "deleted or changed by somebody else meanwhile",
    Outcome.DELETED: "no row points at them, nor ever will",
    Outcome.HEALED: "live ones that a lifecycle rule would have deleted",
    Outcome.BLANKED: "live ones whose bytes were no picture any more: a blank one took their place",
    Outcome.WITHHELD: "orphans that were not deleted, as they are too many for it to be true",
    Outcome.DANGLING: "rows whose object is missing",
    Outcome.FAILED: "AWS refused or did not answer; the next sweep tries again",
}

METRICS = {
    Outcome.LIVE: "Live",
    Outcome.PENDING: "Pending",
    Outcome.DELETED: "Orphans",
    Outcome.HEALED: "Healed",
    Outcome.BLANKED: "Blanked",
    Outcome.WITHHELD: "Withheld",
    Outcome.DANGLING: "Dangling",
    Outcome.FAILED: "Failed",
}

NEED_A_PERSON = (Outcome.WITHHELD, Outcome.DANGLING, Outcome.FAILED)

NAMED = (Outcome.DELETED, Outcome.HEALED, Outcome.BLANKED, *NEED_A_PERSON)
"""What was done, and what is left to a person."""


@dataclass
class Report:
    dry_run: bool
    rows: int = 0
    """Those with an avatar."""
    tried: int = 0
    """Orphans that S3 was told to delete, whatever it answered: a call that failed may have done it all the same."""
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    names: dict[Outcome, list[str]] = field(
        default_factory=lambda: {kind: [] for kind in Outcome if kind is not Outcome.LIVE}
    )
    """The first of each but the live ones: keys, and users of dangling rows."""

    def add(self, outcome: Outcome, name: str) -> None:
        self.counts[outcome] += 1
        named = self.names.get(outcome)
        if named is not None and len(named) < MOST_NAMES:
            named.append(name)

    @property
    def needs_a_person(self) -> bool:
        return any(self.counts[outcome] for outcome in NEED_A_PERSON)

    def as_json(self) -> dict[str, object]:
        counts = {outcome.value: count for outcome, count in self.counts.items()}
        names = {outcome.value: self.names[outcome] for outcome in NAMED if self.names[outcome]}
        return {"dry_run": self.dry_run, "rows": self.rows, **counts, "names": names}

    def as_metrics(self) -> dict[str, int]:
        """Zeros as well, so that a graph shows them and an alarm ends."""
        return {"Swept": 1} | {name: self.counts[outcome] for outcome, name in METRICS.items()}

    def as_text(self) -> str:
        lines = [f"{self.rows:>10,} rows with an avatar"]
        lines += [
            f"{self.counts[outcome]:>10,} {outcome}: {meaning}"
            for outcome, meaning in MEANINGS.items()
            if self.counts[outcome]
        ]
        lines += [f"           {outcome}: {name}" for outcome in NAMED for name in self.names[outcome]]
        if self.dry_run:
            lines.append("Dry run: this is what would have been done.")
        return "\n".join(lines)
