"""When an object expires by S3's lifecycle rules. Pure.

AWS: "Lifecycle configuration elements", "How S3 Lifecycle interacts with other bucket configurations".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


LIFECYCLE_PATH = "/_lifecycle"
"""Path at which the emulator shows its clock (GET) and moves it (POST)."""


@dataclass(frozen=True, slots=True)
class Expiration:
    when: datetime
    rule: str

    @property
    def header(self) -> str:
        """The value of `x-amz-expiration` (AWS: HeadObject)."""
        return f'expiry-date="{self.when:%a, %d %b %Y %H:%M:%S} GMT", rule-id="{self.rule}"'


def find_expiration(
    rules: Iterable[Mapping[str, Any]], key: str, tags: Mapping[str, str], modified: datetime
) -> Expiration | None:
    """The earliest expiration by an enabled rule that matches the object. None if the object does not expire."""
    found = [
        Expiration(round_up_to_midnight(modified + timedelta(days=days)), rule.get("ID", ""))
        for rule in rules
        if rule.get("Status") == "Enabled" and (days := _days(rule)) and _matches(rule, key, tags)
    ]
    return min(found, key=lambda expiration: expiration.when, default=None)


def round_up_to_midnight(moment: datetime) -> datetime:
    midnight = datetime.combine(moment.astimezone(UTC).date(), time(), UTC)
    return midnight if moment == midnight else midnight + timedelta(days=1)


def _days(rule: Mapping[str, Any]) -> int:
    expiration: Mapping[str, Any] = rule.get("Expiration") or {}
    return int(expiration.get("Days") or 0)


def _matches(rule: Mapping[str, Any], key: str, tags: Mapping[str, str]) -> bool:
    condition: Mapping[str, Any] = rule.get("Filter") or {}
    combined: Mapping[str, Any] = condition.get("And") or {}
    prefix = condition.get("Prefix") or combined.get("Prefix") or rule.get("Prefix") or ""
    required = [condition["Tag"]] if condition.get("Tag") else combined.get("Tags") or []
    return key.startswith(prefix) and all(tags.get(tag["Key"]) == tag["Value"] for tag in required)
