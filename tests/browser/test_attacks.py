"""The page's attack lab: each attack is really made, and the page shows how it was refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.attack_lab import HOLD_PRESIGN, OUTCOMES, make_expired_form
from tests.browsing import same_in_firefox
from tests.conftest import only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

pytestmark = same_in_firefox

EXPECTED_ERRORS = [f"status of {status}" for status in (400, 403, 404, 409, 413, 415, 422)]


def find_attack(site: Site, name: str) -> Locator:
    return site.page.locator("li.attack", has=site.page.locator(f'[data-attack="{name}"]'))


def expect_outcome(site: Site, name: str) -> None:
    attack, (verdict, said) = find_attack(site, name), OUTCOMES[name]
    expect(attack).to_have_attribute("data-verdict", verdict)
    expect(attack.locator(".said")).to_have_text(re.compile(f"^{said}$"))
    expect(attack.locator(".why")).not_to_be_empty()


def test_every_attack_is_refused_or_harmless(
    site: Site, user: User, stack: Stack, bucket: Bucket, browser_errors: BrowserErrors, strategy: str
) -> None:
    site.log_in(user.username)
    names = site.page.locator("[data-attack]").evaluate_all("(buttons) => buttons.map((b) => b.dataset.attack)")
    assert names == list(OUTCOMES)
    old = user.avatar

    site.page.evaluate(f"() => {{ {HOLD_PRESIGN} }}")
    browser_errors.expect(*EXPECTED_ERRORS)
    find_attack(site, "late").get_by_role("button").click()
    eventually(lambda: site.page.evaluate("'declared' in window"))
    expired = make_expired_form(stack, strategy, user.username, site.page.evaluate("declared"))
    site.page.evaluate("(changes) => respond(changes)", expired)
    expect_outcome(site, "late")
    site.page.get_by_role("button", name="Try all of them").click()
    for name in OUTCOMES.keys() - {"late"}:
        expect_outcome(site, name)
    expect(find_attack(site, "late").locator(".said")).to_have_text(re.compile(r"valid for another \d+ seconds"))
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    # The timeline has an entry with calls for each attack.
    expect(site.page.locator("#timeline > li")).to_have_count(1 + len(OUTCOMES))
    foreign = site.page.locator("#timeline > li", has_text="Attack: Confirm another user's upload")
    expect(foreign.locator(".call")).to_have_count(4)

    assert user.avatar not in {None, old}
    assert user.avatar is not None
    assert bucket.owner(user.avatar) == user.username
    expect(site.card(user.username)).to_contain_text("Current user")


@only_prefix
def test_a_single_attack_changes_only_its_own_entry(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    site.log_in(user.username)
    old = user.avatar
    browser_errors.expect("status of 403")
    find_attack(site, "user").get_by_role("button").click()
    expect(find_attack(site, "user")).to_have_attribute("data-verdict", "refused")
    expect(site.page.locator("[data-verdict]")).to_have_count(1)
    assert user.avatar == old


@only_prefix
def test_an_attack_that_succeeds_is_shown_as_failed(site: Site, user: User) -> None:
    """The lab detects a bucket that accepts every POST."""
    site.log_in(user.username)

    def take_anything(route: Route) -> None:
        if route.request.method == "POST":
            headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
            route.fulfill(status=204, headers=headers)
        else:
            route.continue_()

    site.page.route("http://127.0.0.1:*/**", take_anything)
    find_attack(site, "user").get_by_role("button").click()
    expect(find_attack(site, "user")).to_have_attribute("data-verdict", "failed")
    expect(find_attack(site, "user").locator(".why")).to_have_text("That should have been refused.")


@only_prefix
def test_the_wait_for_an_expired_form_allows_other_attacks_and_can_be_cancelled(site: Site, user: User) -> None:
    site.log_in(user.username)
    find_attack(site, "late").get_by_role("button").click()
    expect(find_attack(site, "late").locator(".said")).to_have_text(re.compile(r"valid for another \d+ seconds"))
    waiting = site.page.locator("#timeline > li", has_text="Attack: Wait until the form expires")
    find_attack(site, "skip").get_by_role("button").click()
    expect(find_attack(site, "skip")).to_have_attribute("data-verdict", "harmless")
    waiting.get_by_role("button", name="Cancel").click()
    expect(find_attack(site, "late")).to_have_attribute("data-verdict", "left-out")


@only_prefix
def test_a_click_far_below_says_in_view_that_a_login_is_missing(site: Site) -> None:
    site.open()
    site.page.get_by_role("button", name="Upload under both").click()
    expect(site.failure).to_have_text("Log in as one of the users first.")
    expect(site.failure).to_be_in_viewport()


@only_prefix
def test_attacks_are_disabled_without_a_login(site: Site) -> None:
    site.open()
    expect(site.page.get_by_role("button", name="Try all of them")).to_be_disabled()
    for button in site.page.locator("[data-attack]").all():
        expect(button).to_be_disabled()
