from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from infra.settings import Settings as StackSettings
from services.auth.settings import Settings as AuthSettings
from services.frontend.settings import Settings as FrontendSettings
from services.settings.environment import InvalidSettingsError, ServiceSettings, read_settings
from services.uploads.decision import Limits
from services.uploads.picture import limit_kinds
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.settings import Settings as SweepSettings
from services.web.server import serve

ROOT = Path(__file__).parents[2]

NEEDED = {
    "ORIGIN": "https://pictures.example",
    "TABLE": "users",
    "BUCKET": "pictures",
    "JWKS_URL": "http://auth/jwks",
    "SIGNING_KEYS": "one,two",
}


KINDS = (AuthSettings, UploadsSettings, FrontendSettings, SweepSettings)


def read(**given: str) -> UploadsSettings:
    return read_settings(UploadsSettings, NEEDED | given)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            UploadsSettings,
            UploadsSettings(
                origin="https://pictures.example",
                table="users",
                host="127.0.0.1",
                port=8000,
                pending="prefix",
                bucket="pictures",
                jwks_url="http://auth/jwks",
                max_bytes=5_000_000,
                max_width=4200,
                max_height=4200,
                form_seconds=300,
                confirm_seconds=3600,
                metrics=False,
            ),
        ),
        (
            AuthSettings,
            AuthSettings(
                origin="https://pictures.example",
                table="users",
                host="127.0.0.1",
                port=8000,
                signing_keys="one,two",
                token_seconds=3600,
                metrics=False,
            ),
        ),
        (
            FrontendSettings,
            FrontendSettings(
                origin="https://pictures.example",
                table="users",
                host="127.0.0.1",
                port=8000,
                bucket="pictures",
                jwks_url="http://auth/jwks",
                picture_url_seconds=300,
            ),
        ),
    ],
)
def test_a_setting_that_is_not_set_has_its_default(kind: type[ServiceSettings], expected: ServiceSettings) -> None:
    assert read_settings(kind, NEEDED) == expected


def test_numbers_become_numbers() -> None:
    settings = read(
        PORT="9000", MAX_BYTES="10000", MAX_WIDTH="2", MAX_HEIGHT="3", FORM_SECONDS="4", CONFIRM_SECONDS="5"
    )
    assert settings.port == 9000
    assert settings.limits == Limits(limit_kinds(10_000, 2, 3), form_seconds=4, confirm_seconds=5)


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_a_boolean_is_a_word_or_a_digit(value: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert read(METRICS=value).metrics is expected


def test_other_variables_are_ignored() -> None:
    assert read(PATH="/bin", port="9000", Port="9000", AWS_REGION="eu-central-1") == read()


def test_an_empty_variable_counts_as_unset() -> None:
    assert read(PORT="", MAX_BYTES="") == read()


@pytest.mark.parametrize("environ", [{}, {"ORIGIN": "", "TABLE": "", "BUCKET": "", "JWKS_URL": ""}])
def test_all_missing_variables_are_named_at_once(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read_settings(UploadsSettings, environ)
    assert str(caught.value) == "Missing from the environment: ORIGIN, TABLE, BUCKET"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("METRICS", "maybe", "true or false"),
        ("METRICS_NAMESPACE", "two words", "a text like ThreePhaseUpload/demo"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "80.5", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PENDING", "Tag", "prefix or tag"),
        ("TABLE", "ab", "a text of at least 3 characters"),
        ("BUCKET", "ab", "a text of at least 3 characters"),
        ("JWKS_URL", "/jwks", "a text like https://example.com/auth/.well-known/jwks.json"),
        ("MAX_BYTES", "9999", "a whole number from 10000 to 20000000"),
        ("MAX_BYTES", "20000001", "a whole number from 10000 to 20000000"),
        ("MAX_WIDTH", "0", "a whole number of at least 1"),
        ("MAX_HEIGHT", "-1", "a whole number of at least 1"),
        ("FORM_SECONDS", "0", "a whole number from 1 to 600"),
        ("FORM_SECONDS", "601", "a whole number from 1 to 600"),
        ("CONFIRM_SECONDS", "43201", "a whole number from 1 to 43200"),
    ],
)
def test_the_error_for_a_wrong_variable_names_the_valid_values(name: str, value: str, expected: str) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read(**{name: value})
    assert str(caught.value) == f"In the environment: {name} must be {expected}, not {value!r}"


def test_all_wrong_variables_are_named_at_once() -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read(PORT="x", PENDING="tga")
    assert str(caught.value) == (
        "In the environment: PORT must be a whole number from 1 to 65535, not 'x'; "
        "PENDING must be prefix or tag, not 'tga'"
    )


@pytest.mark.parametrize(
    ("variable", "setting"),
    [("MAX_BYTE", "MAX_BYTES"), ("max_bytes", "MAX_BYTES"), ("CONFIRM_SECOND", "CONFIRM_SECONDS")],
)
def test_a_misspelled_variable_is_refused_with_the_nearest_name(variable: str, setting: str) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read(**{variable: "10000"})
    assert str(caught.value) == f"In the environment: {variable} is no setting, the nearest name is {setting}."


def test_the_variables_of_all_programs_may_be_set_together() -> None:
    every = {field.name.upper() for kind in KINDS for field in msgspec.structs.fields(kind)}
    for kind in KINDS:
        own = {field.name.upper() for field in msgspec.structs.fields(kind)}
        assert read_settings(kind, NEEDED | dict.fromkeys(every - own - NEEDED.keys(), "1"))


@pytest.mark.parametrize("kind", [*KINDS, StackSettings])
def test_a_setting_with_a_pattern_has_an_example_that_is_valid(kind: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(kind):
        [schema] = msgspec.json.schema_components([field.type])[0]
        found = [each for each in (schema, *schema.get("anyOf", ())) if "pattern" in each]
        assert all(each["examples"] for each in found), field.name
        for example in (example for each in found for example in each["examples"]):
            assert msgspec.convert(example, field.type) == example


def test_there_are_two_strategies_and_no_other() -> None:
    assert read(PENDING="tag").pending == "tag"
    assert read(PENDING="prefix").pending == "prefix"


@pytest.mark.parametrize(("kind", "name"), [(AuthSettings, "TOKEN_SECONDS"), (FrontendSettings, "PICTURE_URL_SECONDS")])
def test_a_time_span_is_at_least_a_second(kind: type[ServiceSettings], name: str) -> None:
    with pytest.raises(InvalidSettingsError, match=f"{name} must be a whole number"):
        read_settings(kind, NEEDED | {name: "0"})


def test_a_picture_s_url_is_valid_for_at_most_fifteen_minutes() -> None:
    with pytest.raises(InvalidSettingsError, match="PICTURE_URL_SECONDS must be a whole number from 1 to 450"):
        read_settings(FrontendSettings, NEEDED | {"PICTURE_URL_SECONDS": "451"})


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:8000",
        "https://example.com",
        "http://127.0.0.1:8000",
        "https://a-1.b.example:8443",
        "http://a:4430",
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: str) -> None:
    assert read(ORIGIN=origin).origin == origin


@pytest.mark.parametrize(
    "origin",
    [
        "example.com",
        "//example.com",
        "ftp://example.com",
        "https://",
        "https://example.com/",
        "https://example.com/page",
        "https://example.com?page",
        "https://example.com#page",
        "https://user@example.com",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "https://EXAMPLE.com",
        "https://example.com:443",
        "http://localhost:80",
        "http://localhost:65536",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    # With such a value every request with a cookie would be refused as one from another origin.
    with pytest.raises(InvalidSettingsError, match="ORIGIN must be a text like https://example"):
        read(ORIGIN=origin)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://example.com:65536/",
        "https://example.com:0/",
        "https://user:password@example.com/",
        "https://",
        "ftp://localhost/",
    ],
)
def test_a_url_to_which_no_message_can_be_sent_safely_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"CONFIRMED_URL must be a text like https://example.com"):
        read(CONFIRMED_URL=url, CONFIRMED_SECRET="whsec_" + "A" * 32)


def test_the_confirm_window_may_not_end_before_the_form_expires() -> None:
    assert read(FORM_SECONDS="300", CONFIRM_SECONDS="300").limits.confirm_seconds == 300
    with pytest.raises(InvalidSettingsError) as caught:
        read(FORM_SECONDS="300", CONFIRM_SECONDS="299")
    assert str(caught.value) == "In the environment: CONFIRM_SECONDS must not be shorter than FORM_SECONDS"


def read_sweep(**given: str) -> SweepSettings:
    return read_settings(SweepSettings, {"BUCKET": "pictures", "TABLE": "users"} | given)


def test_the_sweep_requires_only_bucket_and_table() -> None:
    assert read_sweep() == SweepSettings(
        bucket="pictures",
        table="users",
        max_bytes=5_000_000,
        max_width=4200,
        max_height=4200,
        confirm_seconds=3600,
        margin_seconds=3600,
        max_deletions=10_000,
        max_deleted_share=0.1,
        metrics=False,
    )
    with pytest.raises(InvalidSettingsError, match=r"^Missing from the environment: BUCKET, TABLE$"):
        read_settings(SweepSettings, {})


def test_the_sweep_has_the_defaults_of_the_uploads_service() -> None:
    service, sweep = read(), read_sweep()
    assert sweep.limits == service.limits.pictures
    assert sweep.confirm_seconds == service.confirm_seconds


def test_the_sweep_reads_numbers_as_a_service_does() -> None:
    settings = read_sweep(
        MAX_BYTES="10000",
        MAX_WIDTH="2",
        MAX_HEIGHT="3",
        CONFIRM_SECONDS="4",
        MARGIN_SECONDS="2700",
        MAX_DELETIONS="1",
        MAX_DELETED_SHARE="1",
    )
    assert settings.limits == limit_kinds(10_000, 2, 3)
    assert (settings.confirm_seconds, settings.margin_seconds, settings.max_deletions) == (4, 2700, 1)
    assert settings.max_deleted_share == 1


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        # Three quarters of an hour: one for each of two inaccurate clocks, and one for a running request.
        ("MARGIN_SECONDS", "2699", "a whole number from 2700 to 86400"),
        ("MARGIN_SECONDS", "0", "a whole number from 2700 to 86400"),
        ("MARGIN_SECONDS", "-3600", "a whole number from 2700 to 86400"),
        ("MARGIN_SECONDS", "1h", "a whole number from 2700 to 86400"),
        ("MAX_DELETIONS", "0", "a whole number of at least 1"),
        ("MAX_DELETIONS", "all", "a whole number of at least 1"),
        ("MAX_DELETED_SHARE", "0", "a number above 0 and at most 1"),
        ("MAX_DELETED_SHARE", "1.1", "a number above 0 and at most 1"),
        ("MAX_DELETED_SHARE", "a tenth", "a number above 0 and at most 1"),
        ("CONFIRM_SECONDS", "0", "a whole number from 1 to 43200"),
        ("CONFIRM_SECONDS", "43201", "a whole number from 1 to 43200"),
        ("MAX_BYTES", "20000001", "a whole number from 10000 to 20000000"),
        ("BUCKET", "ab", "a text of at least 3 characters"),
        ("TABLE", "ab", "a text of at least 3 characters"),
    ],
)
def test_the_error_for_a_wrong_variable_of_the_sweep_names_the_valid_values(
    name: str, value: str, expected: str
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read_sweep(**{name: value})
    assert str(caught.value) == f"In the environment: {name} must be {expected}, not {value!r}"


def test_a_service_with_a_wrong_setting_exits_with_one_line() -> None:
    created: list[ServiceSettings] = []

    def create_app(settings: ServiceSettings) -> None:
        created.append(settings)

    with pytest.raises(SystemExit) as caught:
        serve("uploads", UploadsSettings, NEEDED | {"PORT": "x"}, create_app)  # pyright: ignore[reportArgumentType]
    assert caught.value.code == "In the environment: PORT must be a whole number from 1 to 65535, not 'x'"
    assert not created
