"""The page answers ten questions, and its numbers are those of the program and of docs/deploying.md."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from infra.documents.bucket import PENDING_DAYS
from infra.documents.routing import TIMEOUT_SECONDS
from infra.local.gateway import MAX_BODY_BYTES
from services.frontend.templates import create_environment
from services.settings import limits
from services.store.kinds import AVATAR
from services.uploads.decision import Limits
from services.uploads.form import Destination, Signer
from services.uploads.objects import Declared
from services.uploads.picture import limit_kinds
from services.uploads.presign import Presigner
from services.uploads.strategies import STRATEGIES

COSTS = (Path(__file__).parents[2] / "docs/deploying.md").read_text()

QUESTIONS = {
    "backend": ("Why not through the backend?", "carries each byte twice"),
    "calls": ("Why three calls, not two?", "does not open the file"),
    "policy": ("What does the form pin, and who enforces it?", "S3 enforces each condition"),
    "user": ("Who proves in phase 3 that this user uploaded it?", "access token"),
    "confirm": ("What if the third call never comes?", "lifecycle rule deletes it a day after its upload"),
    "again": ("Can a form be used twice?", "Yes, until it expires"),
    "copy": ("Why is the object copied?", "can be written again after the check"),
    "strategy": ("Prefix or tag, and when?", "Choose tag if"),
    "cost": ("What does a million uploads cost?", "about 22.45"),
    "own": ("How do I put it into my own app?", "docs/your-app.md"),
}
"""The ten questions by their id on the page, each with a part of its answer."""


def render(template: str, strategy: str = "prefix") -> str:
    return create_environment().get_template(template).render(strategy=strategy, current=None, has_login=True)


def strip_tags(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def find_answers() -> dict[str, tuple[str, str]]:
    found = re.findall(
        r'<li class="question" id="question=(\w+)"><h3>(.*?)</h3>(.*?)</li>', render("questions.html"), re.DOTALL
    )
    return {name: (strip_tags(question), strip_tags(answer)) for name, question, answer in found}


def test_the_page_answers_the_ten_questions() -> None:
    answers = find_answers()
    assert {name: question for name, (question, _) in answers.items()} == {
        name: question for name, (question, _) in QUESTIONS.items()
    }
    for name, (_, part) in QUESTIONS.items():
        assert part in answers[name][1]


def test_why_has_four_lines_with_a_number_and_an_attack_each() -> None:
    lines = re.findall(r"<li>(.*?)</li>", render("why.html"), re.DOTALL)
    assert len(lines) == 4
    for line in lines:
        assert re.search(r"\d", strip_tags(line))
        assert 'href="#attack=' in line


def test_every_link_to_an_attack_leads_to_its_card() -> None:
    links = {
        name for page in ("why.html", "questions.html") for name in re.findall(r'href="#attack=(\w+)"', render(page))
    }
    cards = set(re.findall(r'id="attack=(\w+)"', render("lab.html")))
    assert links
    assert links <= cards


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_number_of_conditions_is_that_of_a_form(strategy: limits.PendingStrategy) -> None:
    """The credentials have no session token, as in the demo. A task's form pins that, too."""
    signer = Signer(Destination("pictures", "https://s3", "eu-central-1"), lambda: Credentials("key", "secret"))
    pictures = limit_kinds(limits.MAX_BYTES, limits.MAX_WIDTH, limits.MAX_HEIGHT)
    most = Limits(pictures, limits.FORM_SECONDS, limits.CONFIRM_SECONDS)
    presigner = Presigner(signer, STRATEGIES[strategy], most, lambda: 0.0)
    fields = presigner.presign("ada", AVATAR, Declared("image/png", 1, "A" * 44), "request").form.fields
    conditions = json.loads(base64.b64decode(fields["policy"]))["conditions"]
    assert f"This form's policy has {len(conditions)} conditions" in strip_tags(render("why.html", strategy))


def test_the_limits_are_those_of_the_program() -> None:
    text = strip_tags(render("why.html") + render("questions.html"))
    assert f"{MAX_BODY_BYTES // 1_000_000} MB and {TIMEOUT_SECONDS} s" in text
    assert f"S3 deletes it after {PENDING_DAYS} day" in text
    assert limits.FORM_SECONDS == 300
    assert "for five minutes" in text


def test_the_costs_are_those_of_the_documents() -> None:
    rows = re.findall(
        r"<tr><th scope=\"row\">(.*?)</th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td></tr>", render("questions.html")
    )
    table = COSTS.partition("| a million uploads |")[2].partition("\n\n")[0]
    documented = [
        tuple(re.sub(r"\*\*|\[|\]\([^)]*\)", "", cell).strip() for cell in line.strip("|").split("|"))
        for line in table.splitlines()[2:]
    ]
    assert [tuple(map(strip_tags, row)) for row in rows] == documented
