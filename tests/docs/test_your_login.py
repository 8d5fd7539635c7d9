"""The section "Your own login" of docs/your-app.md."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local.demo import parse_options
from services.store.keys import make_username
from tests.conftest import only_prefix
from tests.docs.port_mapping import map_documented_address
from tests.docs.snippets import skip_or_fail
from tests.unit.issuers import SHAPES

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import User

PAGE = (Path(__file__).parents[2] / "docs/your-app.md").read_text()
SECTION = PAGE.partition("\n## Your own login\n")[2].partition("\n## ")[0]
NAMES = [
    "ada",
    "auth0|6475f2",
    "_a",
    "a" * 128,
    "a" * 129,
    "ada@example.com",
    "Zoë",
    "-a",
    "..",
    "a\n",
    "~a",
    "a b",
    "😀",
]


def test_the_settings_for_an_issuer_are_those_with_which_its_token_is_accepted() -> None:
    rows = re.findall(r"^\| ([A-Z]\w+) \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", SECTION, re.MULTILINE)
    assert len(rows) == 7
    for name, *settings in rows:
        assert settings == [SHAPES[name].issuer, SHAPES[name].audience, SHAPES[name].username_claim]


def test_the_demo_takes_the_documented_options() -> None:
    [command] = re.findall(r"^uv run demo ((?:.*\\\n)*.*)$", SECTION, re.MULTILINE)
    options = parse_options(shlex.split(command.replace("\\\n", "")))
    assert options.services == ("uploads",)
    assert options.settings.issuer == SHAPES["Keycloak"].issuer


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--issuer", "http://login.example.com", "--audience", "a"], "must begin with https://"),
        (["--issuer", "https://login.example.com"], "--issuer needs audience"),
        (["--audience", "a"], "--audience needs issuer"),
    ],
)
def test_the_demo_refuses_an_issuer_that_can_not_be_used(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_options(arguments)
    assert expected in capsys.readouterr().err


def test_the_documented_function_makes_the_services_usernames(tmp_path: Path) -> None:
    if not (node := shutil.which("node")):
        skip_or_fail("There is no Node to run JavaScript with")
    [script] = re.findall(r"^```js\n(// username\.js\n.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    program = tmp_path / "username.mjs"
    call = f"console.log(JSON.stringify(await Promise.all({json.dumps(NAMES)}.map(makeUsername))));"
    program.write_text(f"{script}\n{call}\n")
    done = subprocess.run([node, program], capture_output=True, text=True, check=True)  # noqa: S603 - the document's
    assert json.loads(done.stdout) == [make_username(name) for name in NAMES]


@only_prefix
def test_the_documented_command_presigns_with_a_token(stack: Stack, user: User) -> None:
    [command] = re.findall(r"^(curl -i .*\n.*)$", SECTION, re.MULTILINE)
    token = user.http.post(f"{stack.origin}/auth/login", json={"username": user.username}).json()["access_token"]
    shell = ["sh", "-ec", command]
    with map_documented_address(stack.origin) as mapping:
        environ = {**os.environ, **mapping, "TOKEN": token}
        done = subprocess.run(shell, env=environ, capture_output=True, text=True, check=True)  # noqa: S603 - the document's
    assert " 200 " in done.stdout.splitlines()[0]
    assert f'"x-amz-meta-username":"{user.username}"' in done.stdout
