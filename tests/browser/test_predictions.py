"""Predictions in the attack lab, and links to its attacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_attacks import find_attack
from tests.browsing import Site, only_chromium
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors
    from tests.conftest import User

pytestmark = [only_prefix, only_chromium]


def test_predictions_are_compared_with_the_refusal(user: User, site: Site, browser_errors: BrowserErrors) -> None:
    # A prediction that is made before the login stays.
    site.open()
    find_attack(site, "svg").get_by_label("Presign").check()
    site.turn_pages_to(site.users, site.card(user.username))
    site.card(user.username).get_by_role("button", name="Log in as").click()
    expect(site.card(user.username)).to_contain_text("Current user")
    browser_errors.expect("status of 403", "status of 415", "status of 422")
    predictions = {"user": "S3", "disguise": "S3", "skip": "nobody"}
    for name, predicted in predictions.items():
        find_attack(site, name).get_by_label(predicted, exact=True).check()
    for name in ("svg", *predictions, "key"):
        find_attack(site, name).get_by_role("button").click()
    for name, words in {
        "svg": "Predicted: Presign. That is right.",
        "user": "Predicted: S3. That is right.",
        "disguise": "Predicted: S3. In fact: Confirm.",
        "skip": "Predicted: nobody. That is right.",
        "key": "",
    }.items():
        expect(find_attack(site, name)).to_have_attribute("data-verdict", re.compile("refused|harmless"))
        expect(find_attack(site, name).locator(".judged")).to_have_text(words)
        # An attack whose outcome is known can't be predicted.
        expect(find_attack(site, name).get_by_label("S3")).to_be_disabled()
    expect(site.page.locator("#score")).to_have_text("3 of 4 predictions were right.")


def test_a_link_leads_to_an_attack_and_stays_marked(user: User, site: Site, stack: Stack) -> None:
    site.open()
    linked = site.page.locator(".attack.is-linked")
    expect(linked).to_have_count(0)
    find_attack(site, "bomb").get_by_role("link", name="A decompression bomb").click()
    expect(linked).to_have_attribute("id", "attack=bomb")
    site.page.goto(f"{stack.origin}/#attack=svg")
    expect(linked).to_have_attribute("id", "attack=svg")
    expect(linked).to_be_in_viewport()
    site.page.reload()
    expect(linked).to_be_in_viewport()
    # A login replaces the cards.
    site.turn_pages_to(site.users, site.card(user.username))
    site.card(user.username).get_by_role("button", name="Log in as").click()
    expect(find_attack(site, "svg").get_by_role("button")).to_be_enabled()
    expect(linked).to_have_attribute("id", "attack=svg")
