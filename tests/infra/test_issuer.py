"""A stack that accepts the access tokens of an OpenID Connect issuer has no auth service."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from infra.settings import InvalidConfigurationError, read_settings
from services.frontend.settings import Settings as FrontendSettings
from services.settings.environment import ServiceSettings
from services.settings.environment import read_settings as read_environment
from services.uploads.settings import Settings as UploadsSettings
from tests.infra.checks import CHECKS
from tests.infra.cloud import Cloud
from tests.infra.stacks import deploy

if TYPE_CHECKING:
    from tests.infra.deployment import Deployment
    from tests.infra.stacks import Stack

LOGIN = {
    "issuer": "https://login.example.com/realms/shop",
    "audience": "pictures,shop",
    "algorithms": "ES256",
    "usernameClaim": "oid",
}
KEY_SET = "https://keys.example.com/service_accounts/shop@example.com?version=1"
KINDS: dict[str, type[ServiceSettings]] = {"uploads": UploadsSettings, "frontend": FrontendSettings}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy(LOGIN, Cloud())


def environment(deployment: Deployment, name: str) -> dict[str, str]:
    definition = deployment.one("aws:ecs/taskDefinition:TaskDefinition", name)
    [container] = json.loads(definition.inputs["containerDefinitions"])
    return {entry["name"]: entry["value"] for entry in container["environment"]}


def test_all_checks_find_nothing(deployment: Deployment) -> None:
    assert {check.__name__: check(deployment) for check in CHECKS} == {check.__name__: [] for check in CHECKS}


def test_there_is_neither_an_auth_service_nor_a_signing_key(deployment: Deployment, up: Deployment) -> None:
    of_auth = {str(each) for each in up.registrations if re.match(r"auth(-|$)|signing$", each.name)}
    assert {"Key signing", "Role auth", "Service auth", "ListenerRule auth"} < of_auth
    assert {str(each) for each in deployment.registrations} == {str(each) for each in up.registrations} - of_auth
    assert "authLogs" not in deployment.exports
    assert "signingKeys" not in deployment.exports
    assert deployment.exports["images"].keys() == deployment.exports["running"].keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_the_services_are_told_of_the_issuer(deployment: Deployment, name: str) -> None:
    told = environment(deployment, name)
    assert "JWKS_URL" not in told
    settings = read_environment(KINDS[name], told)
    assert isinstance(settings, UploadsSettings | FrontendSettings)
    assert settings.issuer == LOGIN["issuer"]
    assert (settings.audience, settings.algorithms, settings.username_claim) == ("pictures,shop", "ES256", "oid")


def test_a_live_stack_changes_its_issuer_and_back(live: Stack) -> None:
    steps = live.up(LOGIN).steps
    assert "Service auth" in steps["delete"]
    assert steps["replace"] == {"TaskDefinition uploads", "TaskDefinition frontend"}
    live.up({"jwksUrl": KEY_SET})
    assert environment(live.deployment(), "uploads")["JWKS_URL"] == KEY_SET
    assert live.up(dict.fromkeys((*LOGIN, "jwksUrl"))).steps["create"] >= {"Service auth", "Key signing"}
    assert environment(live.deployment(), "uploads")["JWKS_URL"].startswith("http://")
    assert live.up().steps == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"audience": "api"}, "audience needs issuer"),
        ({"algorithms": "ES256"}, "algorithms needs issuer"),
        ({"usernameClaim": "oid"}, "usernameClaim needs issuer"),
        ({"jwksUrl": KEY_SET}, "jwksUrl needs issuer"),
        ({"issuer": LOGIN["issuer"]}, "issuer needs audience"),
        (LOGIN | {"issuer": "http://localhost:3000"}, "issuer must be a text like https"),
        (LOGIN | {"issuer": "https://login.example.com:8443"}, "issuer must be a text like https"),
        (LOGIN | {"jwksUrl": "http://login.example.com/jwks.json"}, "jwksUrl must be a text like https"),
        (LOGIN | {"algorithms": "HS256"}, "algorithms must be a text like RS256,ES256"),
    ],
)
def test_an_issuer_that_can_not_be_used_is_refused_before_any_resource_is_created(
    given: dict[str, str], expected: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=expected):
        read_settings(given)
