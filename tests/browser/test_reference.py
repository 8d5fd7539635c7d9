"""The services' references as a browser shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import expect

from tests.conftest import only_prefix

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import OpenPage

pytestmark = only_prefix

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True}


@pytest.mark.parametrize(("scheme", "ground"), [("light", range(200, 256)), ("dark", range(60))])
def test_the_references_fit_a_phone_and_are_styled(
    open_page: OpenPage, stack: Stack, scheme: Literal["light", "dark"], ground: range
) -> None:
    page = open_page(**PHONE, color_scheme=scheme)
    page.goto(f"{stack.origin}/auth/schema")
    for service in ("auth", "uploads", "frontend"):
        page.get_by_role("navigation", name="Services").get_by_role("link", name=service).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"The {service} service")
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
        block = page.locator("pre").first
        colour = block.evaluate("(element) => getComputedStyle(element).backgroundColor")
        assert all(int(channel) in ground for channel in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_long_examples_scroll_by_keyboard(open_page: OpenPage, stack: Stack) -> None:
    page = open_page(**PHONE)
    page.goto(f"{stack.origin}/uploads/schema")
    form = page.get_by_role("region", name="POST /uploads/presign: 200 OK, strategy prefix")
    form.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(element) => element.scrollLeft > 0", arg=form.element_handle())
