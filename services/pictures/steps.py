"""A bound on the work of the readers."""

from __future__ import annotations

from dataclasses import dataclass

MAX_STEPS = 10_000
"""Maximum number of steps for one file. A step is one turn of a reader's loop and takes about a microsecond.

A usual picture takes less than a hundred, an animation of a hundred frames less than a thousand. These files are
refused, although browsers show them:

- a PNG of more than 10,000 chunks, which for 5 MB is less than 500 bytes in each (encoders write 4 KB or more), or of
  more than 5,000 frames;
- a GIF of more than about 1,400 frames (a frame takes seven steps), or with more than 10,000 blocks of less than 254
  bytes (encoders fill all blocks but a frame's last; full blocks in a row take one step together);
- an animated WebP of more than about 5,000 frames, or 3,300 with transparency;
- a JPEG with more than 10,000 segments before its first scan.
"""


class TooManyStepsError(Exception):
    pass


@dataclass(slots=True)
class Steps:
    """Counts the steps of a reader."""

    taken: int = 0

    def take(self) -> None:
        """
        Raises:
            TooManyStepsError: the file needs more than `MAX_STEPS`.
        """
        if self.taken == MAX_STEPS:
            raise TooManyStepsError
        self.taken += 1
