"""Checks that the clocks of S3, of the services and of this machine agree."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from infra.check.outcome import CheckFailedError, NotCheckedError, require
from infra.check.picture import make_picture
from infra.check.uploads import read_upload
from infra.check.visit import Check

if TYPE_CHECKING:
    import httpx2

    from infra.check.visit import Visit

ALLOWED_SECONDS = 5
"""How far two clocks may differ, in addition to the time between the requests."""


def check_services(visit: Visit) -> None:
    began = _read_s3(visit)
    paths = visit.choose(auth="/auth/me", uploads="/uploads/none", frontend="/users")
    times = {path: _read_date(visit.deployment.call("GET", path)) for path in paths}
    ended = _read_s3(visit)
    for path, time in times.items():
        _expect_between(began, time, ended, f"the Date of {path}")


def check_ids(visit: Visit) -> None:
    began = _read_s3(visit)
    form = visit.user.obtain_form(make_picture())
    ended = _read_s3(visit)
    upload = read_upload(form["key"])
    if upload is None:
        raise NotCheckedError("the key has no id")
    _expect_between(began, upload.id.created, ended, "the time in an upload's id")


def check_here(visit: Visit) -> None:
    began = visit.clock()
    time = _read_s3(visit)
    _expect_between(began, time, visit.clock(), "S3's clock")


def _read_s3(visit: Visit) -> float:
    return _read_date(visit.deployment.call("GET", visit.confirmed["url"]))


def _read_date(response: httpx2.Response) -> float:
    date = response.headers.get("Date")
    if date is None:
        raise CheckFailedError("a Date header", f"none from {response.url.host}")
    return parsedate_to_datetime(date).timestamp()


def _expect_between(began: float, time: float, ended: float, what: str) -> None:
    ahead = time - began if time < began else max(0.0, time - ended)
    require(abs(ahead) <= ALLOWED_SECONDS, f"{what} within {ALLOWED_SECONDS} s", f"{ahead:+.0f} s")


CHECKS: tuple[Check, ...] = (
    Check("clock-services", "The services' clocks agree with S3's", check_services),
    Check("clock-ids", "The times in upload ids agree with S3's clock", check_ids),
    Check("clock-here", "This machine's clock agrees with S3's", check_here),
)
