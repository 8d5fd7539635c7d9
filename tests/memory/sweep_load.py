"""`python -m tests.memory.sweep_load N` sweeps a generated bucket of N objects and prints its peak memory.

It runs in a process of its own, so that the memory is the sweep's alone. Rows and objects are generated on demand.
"""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from services.store.keys import USERNAME_FIELD, Upload, parse_key
from services.store.kinds import AVATAR
from services.uploads.bucket import MissingObjectError
from services.uploads.objects import Described, Listed
from services.uploads.picture import limit_kinds
from services.uploads.sweep.sweeper import Sweeper
from tests.rows import make_row, make_upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from services.store.table import Row
    from services.uploads.bucket import Bucket
    from services.uploads.users import Users

STATUS = Path("/proc/self/status")
STRIDE = 7_368_787
"""A prime number. Its multiples modulo the count visit each row once, in an order other than that of the keys."""
ORPHAN_EVERY, DANGLING_EVERY = 10, 100
NOW = 1_800_000_000
FIRST = NOW - 10_000_000


def upload_id(number: int) -> Upload:
    """Return an id. Ids are a millisecond apart, in the order of the numbers."""
    text = f"{FIRST * 1000 + number:012x}"
    return make_upload(f"{text[:8]}-{text[8:]}-7000-8000-000000000000")


def exists(number: int) -> bool:
    return number % DANGLING_EVERY != 1


@dataclass(frozen=True)
class Generated:
    """A bucket and a table in which every tenth object has no row and every hundredth row no object."""

    count: int

    def list_rows(self) -> Iterator[Row]:
        for step in range(self.count):
            number = step * STRIDE % self.count
            if number % ORPHAN_EVERY:
                yield self.find_row(f"user{number:060}")

    def find_row(self, username: str) -> Row:
        return make_row(username, username, upload_id(int(username.removeprefix("user"))).permanent_key)

    def list_objects(self, prefix: str) -> Iterator[Listed]:
        for number in range(self.count if prefix == AVATAR.permanent_prefix else 0):
            if exists(number):
                yield Listed(upload_id(number).permanent_key, NOW - 10_000)

    def describe(self, key: str) -> Described:
        """Describe an orphan, whose owner is a user who now has a later avatar, or that avatar."""
        found = parse_key(key, AVATAR.permanent_prefix)
        if found is None or not exists(round((found.created - FIRST) * 1000)):
            raise MissingObjectError(key)
        return Described({USERNAME_FIELD: f"user{self.count - 1:060}"}, None)

    def read_tags(self, key: str) -> Mapping[str, str]:
        assert key.startswith(AVATAR.permanent_prefix)
        return {}

    def delete(self, keys: Sequence[str]) -> None:
        assert keys


def read_peak_kibibytes() -> int:
    """Read the peak from Linux. The peak of getrusage includes the parent process (Linux: `exec_mmap`)."""
    [peak] = re.findall(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    return int(peak)


def main() -> None:
    count = int(sys.argv[1])
    generated = Generated(count)
    with ThreadPoolExecutor(4) as executor:
        sweeper = Sweeper(
            bucket=cast("Bucket", generated),
            users=cast("Users", generated),
            limits=limit_kinds(1000, 80, 60),
            settle_seconds=7200,
            max_deletions=count,
            max_deleted_share=1.0,
            clock=lambda: NOW,
            executor=executor,
        )
        report = sweeper.sweep()
    print(json.dumps({"peak": read_peak_kibibytes(), **report.as_json()}))  # noqa: T201 - the output of the command


if __name__ == "__main__":
    main()
