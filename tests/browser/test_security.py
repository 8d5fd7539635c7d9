"""What the page does not run, although it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.conftest import only_prefix

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import Noise, Site
    from tests.conftest import User

# What this is about is the same under either strategy.
pytestmark = only_prefix

INJECTIONS = {
    "inline-script": (
        "script-src-elem",
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
        }""",
    ),
    "event-handler": (
        "script-src-attr",
        """() => {
            const button = document.createElement("button");
            button.setAttribute("onclick", "window.injected = true");
            document.body.append(button);
            button.click();
        }""",
    ),
    "foreign-script": (
        "script-src-elem",
        """(bucket) => new Promise((resolve) => {
            const script = document.createElement("script");
            script.src = `${bucket}/three-phase-upload/script.js`;
            script.onerror = resolve;
            document.body.append(script);
        })""",
    ),
    "inline-style": (
        "style-src-elem",
        """() => {
            const style = document.createElement("style");
            style.textContent = "body { --injected: yes }";
            document.body.append(style);
            window.injected = getComputedStyle(document.body).getPropertyValue("--injected") || undefined;
        }""",
    ),
    "form": (
        "form-action",
        """() => {
            const form = document.createElement("form");
            form.action = "/auth/logout";
            form.method = "post";
            document.body.append(form);
            form.submit();
        }""",
    ),
    "frame": (
        "frame-src",
        """() => {
            const frame = document.createElement("iframe");
            frame.src = "/users";
            document.body.append(frame);
        }""",
    ),
    "base": (
        "base-uri",
        """() => {
            const base = document.createElement("base");
            base.href = "http://127.0.0.1/";
            document.head.append(base);
        }""",
    ),
}


@pytest.mark.parametrize("kind", INJECTIONS)
def test_what_is_injected_into_the_page_does_not_run(site: Site, stack: Stack, noise: Noise, kind: str) -> None:
    directive, script = INJECTIONS[kind]
    noise.expect(f"Content-Security-Policy: {directive} blocked", "console: ")
    site.page.evaluate(script, stack.aws.endpoint)
    site.page.wait_for_function("() => window.violations > 0")
    assert site.page.evaluate("typeof window.injected") == "undefined"


def test_the_page_reaches_no_other_host(site: Site, stack: Stack, noise: Noise) -> None:
    noise.expect("Content-Security-Policy: connect-src blocked", "console: ")
    fetched = site.page.evaluate(
        "(url) => fetch(url).then(() => 'fetched', () => 'refused')", f"{stack.services['frontend']}/users"
    )
    assert fetched == "refused"
    site.page.wait_for_function("() => window.violations > 0")


@pytest.mark.parametrize("portrait", [True, False])
def test_markup_in_a_name_is_shown_as_text(site: Site, user: User, stack: Stack, *, portrait: bool) -> None:
    name = """<img src=x onerror="window.injected = true"> "'><script>window.injected = true</script> {{ 7 * 7 }}"""
    row: dict[str, Any] = {"Username": {"S": user.username}, "Name": {"S": name}}
    if portrait:
        row["Avatar"] = {"S": user.avatar}
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=row)
    site.log_in(user.username)
    site.turn_to(site.table, site.row(user.username))
    expect(site.card(user.username).get_by_role("heading")).to_have_text(name)
    expect(site.row(user.username).locator("td").nth(1)).to_have_text(name)
    drawn = site.card(user.username).locator(".avatar")
    if portrait:
        expect(drawn).to_have_attribute("alt", f"Avatar of {name}")
    else:
        expect(drawn).to_have_attribute("aria-label", f"{name} has no avatar yet")
        expect(drawn).to_have_text("<S")
    expect(site.page.locator('img[src="x"], body script')).to_have_count(0)
    assert site.page.evaluate("typeof window.injected") == "undefined"


def test_an_object_in_the_bucket_that_claims_markup_is_shown_as_text(site: Site, user: User, stack: Stack) -> None:
    key = f"avatars/<img src=x>{user.username}"
    markup = "<img src=x onerror='window.injected = true'>"
    stack.aws.s3.put_object(
        Bucket=stack.resources.bucket,
        Key=key,
        Body=b"x",
        ContentType=f"text/html{markup}",
        Metadata={"note": markup},
    )
    try:
        site.open()
        shown = site.bucket.locator("tr", has_text=key)
        site.turn_to(site.bucket, shown)
        expect(shown).to_contain_text(markup)
        expect(site.page.locator('img[src="x"]')).to_have_count(0)
    finally:
        stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=key)
