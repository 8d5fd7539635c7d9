"""The services' metrics in the form that CloudWatch reads."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from litestar.testing import TestClient

from services.auth import app as auth
from services.auth.settings import Settings as AuthSettings
from services.settings.environment import METRICS_NAMESPACE
from services.store.kinds import AVATAR
from services.uploads import app as uploads
from services.uploads.confirm import Confirmed, Confirmer
from services.uploads.message import describe_removed
from services.uploads.removal import Removed, Remover
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.report import METRICS, Outcome, Report
from services.web import examples
from services.web.callers.identity import Caller
from services.web.callers.verifier import Verifier
from services.web.metrics import Metrics
from tests.metric_lines import check_line, read_counts
from tests.rows import make_upload
from tests.unit.conftest import find_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from botocore.stub import Stubber
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

ORIGIN = "https://pictures.example"
BEARER = {"Authorization": "Bearer token"}
MAX_BYTES = 1000
UPLOAD = make_upload("019b0000-0000-7000-8000-000000000001")
KEY = UPLOAD.permanent_key
ROOT = Path(__file__).parents[2]

Lines = list[str]


@pytest.fixture
def lines() -> Lines:
    """The lines that were written."""
    return []


@pytest.fixture
def calls(
    lines: Lines, s3_client: S3Client, dynamodb_client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient[Any]]:
    """A client of the uploads service, which accepts every token."""
    monkeypatch.setattr(Verifier, "verify", believe)
    settings = UploadsSettings(
        origin=ORIGIN, table="users", bucket="pictures", jwks_url="http://auth/jwks", max_bytes=MAX_BYTES
    )
    application = uploads.create_app(
        settings,
        s3=s3_client,
        dynamodb=dynamodb_client,
        credentials=find_credentials,
        metrics=Metrics("uploads", write=lines.append),
    )
    with TestClient(application, raise_server_exceptions=False) as client:
        client.headers.update(BEARER)
        yield client


async def believe(_self: Verifier, _token: str) -> Caller:
    return Caller("Cooper12")


def presign(calls: TestClient[Any], content_type: str = "image/png", size: int = 1) -> httpx.Response:
    declared = {"content_type": content_type, "size": size, "sha256": examples.SHA256}
    return calls.post("/uploads/presign", json=declared)


def confirm(calls: TestClient[Any], monkeypatch: pytest.MonkeyPatch, outcome: Exception | None = None) -> None:
    """Make the confirm end with this outcome."""

    def end(*_: object) -> Confirmed:
        if outcome:
            raise outcome
        return Confirmed(UPLOAD, ())

    monkeypatch.setattr(Confirmer, "confirm", end)
    calls.post("/uploads/confirm", json={"key": KEY})


class TestLine:
    def test_a_metric_line_has_the_form_that_cloudwatch_reads(self, lines: Lines) -> None:
        before = time.time()
        Metrics("uploads", write=lines.append).count("Presigned")
        [line] = lines
        check_line(line)
        document = json.loads(line)
        assert before - 1 <= document.pop("_aws")["Timestamp"] / 1000 <= time.time()
        assert document == {"Service": "uploads", "Presigned": [1]}
        assert read_counts(lines) == {("Presigned", ("Service", "uploads")): 1}

    def test_a_metric_with_a_dimension_is_also_counted_without_it(self, lines: Lines) -> None:
        metrics = Metrics("uploads", write=lines.append)
        for reason in ("expired", "expired", "too-large"):
            metrics.count("Refused", Reason=reason)
        assert read_counts(lines) == {
            ("Refused", ("Service", "uploads")): 3,
            ("Refused", ("Service", "uploads"), ("Reason", "expired")): 2,
            ("Refused", ("Service", "uploads"), ("Reason", "too-large")): 1,
        }

    def test_a_measured_value_has_its_unit(self, lines: Lines) -> None:
        Metrics("uploads", write=lines.append).measure("ClockErrorBound", 0.446931, "Milliseconds")
        document = check_line(lines[0])
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert directive["Metrics"] == [{"Name": "ClockErrorBound", "Unit": "Milliseconds"}]
        assert document["ClockErrorBound"] == [0.446931]

    def test_a_metric_line_has_the_time_of_the_clock(self, lines: Lines) -> None:
        moment = int(time.time()) - 60
        Metrics("uploads", write=lines.append, clock=lambda: moment + 0.9876).count("Presigned")
        assert json.loads(lines[0])["_aws"]["Timestamp"] == moment * 1000 + 987

    def test_no_metrics_are_written_if_they_are_off(self, lines: Lines) -> None:
        metrics = Metrics("uploads", on=False, write=lines.append)
        metrics.count("Presigned")
        metrics.count("Refused", Reason="expired")
        metrics.record({"Swept": 1})
        metrics.measure("ClockErrorBound", 0.4, "Milliseconds")
        assert lines == []

    def test_the_lines_of_ten_threads_do_not_mix(self, capfd: pytest.CaptureFixture[str]) -> None:
        metrics = Metrics("uploads")

        def count(number: int) -> None:
            for _ in range(100):
                metrics.count("Refused", Reason=f"reason-{number}")

        with ThreadPoolExecutor(10) as executor:
            list(executor.map(count, range(10)))
        counts = read_counts(capfd.readouterr().out.splitlines())
        assert counts.pop(("Refused", ("Service", "uploads"))) == 1000
        assert counts == {("Refused", ("Service", "uploads"), ("Reason", f"reason-{n}")): 100 for n in range(10)}

    def test_a_failure_to_write_metrics_is_ignored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> int:
            raise BrokenPipeError

        monkeypatch.setattr(os, "write", fail)
        Metrics("uploads").count("Presigned")


def test_the_checks_of_this_module_refuse_invalid_lines() -> None:
    # The checks of these tests must be able to fail.
    good: dict[str, Any] = {
        "_aws": {
            "Timestamp": 1_700_000_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": METRICS_NAMESPACE,
                    "Dimensions": [["Service"]],
                    "Metrics": [{"Name": "A", "Unit": "Count"}],
                }
            ],
        },
        "Service": "uploads",
        "A": 1,
    }
    check_line(json.dumps(good))
    directive = good["_aws"]["CloudWatchMetrics"][0]

    def with_directive(**changed: Any) -> dict[str, Any]:
        return good | {"_aws": good["_aws"] | {"CloudWatchMetrics": [directive | changed]}}

    for bad in (
        good | {"_aws": good["_aws"] | {"Timestamp": 1_700_000_000}},
        good | {"_aws": {"Timestamp": 1_700_000_000_000}},
        {name: value for name, value in good.items() if name != "A"},
        {name: value for name, value in good.items() if name != "Service"},
        good | {"A": "1"},
        good | {"Service": 1},
        good | {"Service": ""},
        with_directive(Namespace=""),
        with_directive(Dimensions=[]),
        with_directive(Metrics=[{"Name": "A", "Unit": "Pieces"}]),
        with_directive(Metrics=[{"Name": "", "Unit": "Count"}]),
        with_directive(More=1),
    ):
        with pytest.raises(AssertionError):
            check_line(json.dumps(bad))
    with pytest.raises(AssertionError):
        check_line(json.dumps(good) + "\n" + json.dumps(good))


class TestUploads:
    def test_a_presign_is_counted(self, calls: TestClient[Any], lines: Lines) -> None:
        assert presign(calls).status_code == 200
        assert read_counts(lines) == {("Presigned", ("Service", "uploads")): 1}

    @pytest.mark.parametrize(
        ("content_type", "size", "reason"),
        [
            ("text/plain", 1, "type-not-allowed"),
            ("image/png", 0, "empty-file"),
            ("image/png", MAX_BYTES + 1, "too-large"),
        ],
    )
    def test_a_refused_presign_is_counted_by_its_reason(
        self, calls: TestClient[Any], lines: Lines, content_type: str, size: int, reason: str
    ) -> None:
        assert presign(calls, content_type, size).status_code >= 400
        assert read_counts(lines) == refused("uploads", reason)

    def test_a_confirm_is_counted(self, calls: TestClient[Any], lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
        confirm(calls, monkeypatch)
        assert read_counts(lines) == {("Confirmed", ("Service", "uploads")): 1}

    def test_a_removal_is_counted(self, calls: TestClient[Any], lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
        def end(*_: object) -> Removed:
            return Removed((), describe_removed("ada", AVATAR, UPLOAD.id.text, None))

        monkeypatch.setattr(Remover, "remove", end)
        answer = calls.delete("/uploads/avatar")
        assert (answer.status_code, answer.content) == (204, b"")
        assert read_counts(lines) == {("Removed", ("Service", "uploads")): 1}

    @pytest.mark.parametrize("kind", uploads.ERRORS, ids=lambda kind: kind.__name__)
    def test_each_error_is_counted_once(
        self, calls: TestClient[Any], lines: Lines, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
    ) -> None:
        confirm(calls, monkeypatch, kind(f"{KEY} of Cooper12"))
        slug = uploads.ERRORS[kind].slug
        alone = {"superseded": "Superseded", "unavailable": "Unavailable"}
        expected = {(alone[slug], ("Service", "uploads")): 1} if slug in alone else refused("uploads", slug)
        assert read_counts(lines) == expected
        # No line holds a username or a key, so neither can become a dimension.
        assert "Cooper12" not in lines[0]
        assert KEY not in lines[0]

    @pytest.mark.parametrize(
        ("error", "name"),
        [
            (EndpointConnectionError(endpoint_url="https://s3"), "Unavailable"),
            (ClientError({"Error": {"Code": "SlowDown"}}, "CopyObject"), "Unavailable"),
            (ClientError({"Error": {"Code": "AccessDenied"}}, "CopyObject"), "Internal"),
            (KeyError("a bug"), "Internal"),
        ],
        ids=repr,
    )
    def test_a_server_error_is_not_counted_as_a_refusal(
        self, calls: TestClient[Any], lines: Lines, monkeypatch: pytest.MonkeyPatch, error: Exception, name: str
    ) -> None:
        confirm(calls, monkeypatch, error)
        assert read_counts(lines) == {(name, ("Service", "uploads")): 1}

    def test_a_request_without_a_token_is_counted_as_a_refusal(self, calls: TestClient[Any], lines: Lines) -> None:
        calls.headers.pop("Authorization")
        assert presign(calls).status_code == 401
        assert read_counts(lines) == refused("uploads", "not-logged-in")

    def test_a_request_that_reaches_no_handler_is_not_counted(self, calls: TestClient[Any], lines: Lines) -> None:
        # Requests to made-up paths create no metrics.
        assert calls.get("/uploads/anything").status_code == 404
        assert calls.get("/uploads/presign").status_code == 405
        assert calls.post("/uploads/presign", content=b"{").status_code == 415
        assert calls.post("/uploads/presign", json={"size": 1}).status_code == 400
        assert calls.get("/healthz").status_code == 200
        assert lines == []


class FakeKms:
    """Signs a digest with ECDSA and returns DER, as KMS does."""

    key = ec.derive_private_key(11, ec.SECP256R1())

    def get_public_key(self, **_: Any) -> dict[str, bytes]:
        return {"PublicKey": self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}

    def sign(self, **call: Any) -> dict[str, bytes]:
        return {"Signature": self.key.sign(call["Message"], ec.ECDSA(Prehashed(SHA256())))}


class TestAuth:
    @pytest.fixture
    def calls(self, lines: Lines, dynamodb_client: DynamoDBClient) -> Iterator[TestClient[Any]]:
        settings = AuthSettings(origin=ORIGIN, table="users", signing_keys="one")
        application = auth.create_app(
            settings,
            dynamodb=dynamodb_client,
            kms=cast("KMSClient", FakeKms()),
            metrics=Metrics("auth", write=lines.append),
        )
        with TestClient(application, raise_server_exceptions=False) as client:
            yield client

    def test_a_login_is_counted(self, calls: TestClient[Any], lines: Lines, dynamodb_stub: Stubber) -> None:
        dynamodb_stub.add_response("get_item", {"Item": {"Username": {"S": "Cooper12"}}})
        assert calls.post("/auth/login", json={"username": "Cooper12"}).status_code == 200
        assert read_counts(lines) == {("LoggedIn", ("Service", "auth")): 1}
        assert "Cooper12" not in lines[0]

    def test_a_login_of_an_unknown_user_is_counted_as_a_refusal(
        self, calls: TestClient[Any], lines: Lines, dynamodb_stub: Stubber
    ) -> None:
        dynamodb_stub.add_response("get_item", {})
        assert calls.post("/auth/login", json={"username": "Nobody1"}).status_code == 404
        assert read_counts(lines) == refused("auth", "unknown-user")

    def test_a_request_from_another_origin_is_counted_as_a_refusal(self, calls: TestClient[Any], lines: Lines) -> None:
        answer = calls.post("/auth/login", json={"username": "Cooper12"}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert read_counts(lines) == refused("auth", "foreign-origin")

    @pytest.mark.parametrize(("headers", "count"), [({}, 1), (BEARER, 1)], ids=["no token", "a bad one"])
    def test_a_request_without_a_token_is_counted_as_a_refusal(
        self, calls: TestClient[Any], lines: Lines, headers: dict[str, str], count: int
    ) -> None:
        assert calls.get("/auth/me", headers=headers).status_code == 401
        assert read_counts(lines) == refused("auth", "not-logged-in", count)

    def test_a_transient_error_of_aws_is_not_counted_as_a_refusal(
        self, calls: TestClient[Any], lines: Lines, dynamodb_stub: Stubber
    ) -> None:
        dynamodb_stub.add_client_error("get_item", "InternalServerError", http_status_code=500)
        assert calls.post("/auth/login", json={"username": "Cooper12"}).status_code == 503
        assert read_counts(lines) == {("Unavailable", ("Service", "auth")): 1}


@pytest.mark.parametrize(("setting", "count"), [(False, 0), (True, 1)])
def test_the_setting_decides_whether_metrics_are_written(
    s3_client: S3Client,
    dynamodb_client: DynamoDBClient,
    capfd: pytest.CaptureFixture[str],
    setting: bool,  # noqa: FBT001 - a table
    count: int,
) -> None:
    settings = UploadsSettings(
        origin=ORIGIN, table="users", bucket="pictures", jwks_url="http://auth/jwks", metrics=setting
    )
    with TestClient(
        uploads.create_app(settings, s3=s3_client, dynamodb=dynamodb_client, credentials=find_credentials)
    ) as calls:
        assert presign(calls).status_code == 401
    assert len(read_counts(capfd.readouterr().out.splitlines())) == 2 * count


def test_the_metrics_of_a_sweep_are_one_line(lines: Lines) -> None:
    report = Report(dry_run=False, rows=9)
    for times, outcome in enumerate(Outcome):
        for _ in range(times):
            report.add(outcome, f"Cooper12 -> {KEY}")
    Metrics("sweep", write=lines.append).record(report.as_metrics())
    [line] = lines
    check_line(line)
    assert "Cooper12" not in line
    service = ("Service", "sweep")
    expected = {(name, service): report.counts[outcome] for outcome, name in METRICS.items()}
    assert read_counts(lines) == {("Swept", service): 1, **expected}


def test_the_metrics_of_a_sweep_without_findings_are_zeros() -> None:
    assert Report(dry_run=False).as_metrics() == {
        "Swept": 1,
        "Live": 0,
        "Pending": 0,
        "Orphans": 0,
        "Restored": 0,
        "Replaced": 0,
        "Skipped": 0,
        "Kept": 0,
        "Dangling": 0,
        "Failed": 0,
        "Told": 0,
        "Untold": 0,
    }


def test_each_outcome_that_needs_attention_has_a_metric() -> None:
    assert set(METRICS) >= {Outcome.SKIPPED, Outcome.DANGLING, Outcome.FAILED, Outcome.UNTOLD}


def refused(service: str, reason: str, count: int = 1) -> dict[tuple[Any, ...], int]:
    whole = ("Refused", ("Service", service))
    return {whole: count, (*whole, ("Reason", reason)): count}
