"""Files that change or vanish on the disk, and drops that are no file or miss the zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import FilePayload, expect

from tests.browser.test_editor_input import PASTE_TEXT
from tests.browser.test_timeline import PRESIGN, hold_posts, wait_for_one
from tests.browsing import PHOTOGRAPH, fail_once, only_chromium, read_key
from tests.conftest import only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

# The behaviour is the same under both strategies.
pytestmark = only_prefix

UNREADABLE = "The file has changed or is gone. Choose it again."
TOO_LARGE = "The file has 200,000,001 bytes; this page reads up to 200,000,000. Choose a smaller one."

CHANGES: dict[str, Callable[[Path], object]] = {
    "changed": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "gone": lambda file: file.unlink(),
}
changes_that_are_noticed = pytest.mark.parametrize(
    ("browser_name", "change"),
    [("chromium", "changed"), ("chromium", "gone"), ("firefox", "gone")],
    indirect=["browser_name"],
    scope="session",
)
"""Firefox reads a changed file as it is now."""

INPUTS = {"at-once": ("[data-flow=confirm]", "#timeline > li .failed"), "editor": ("#choose", "#picture-problem")}
"""File inputs, each with the place of its messages."""

SELECT = """() => {
    const input = Object.assign(document.createElement("input"), { type: "file", id: "selected" });
    input.addEventListener("change", (event) => event.stopPropagation());
    document.body.append(input);
}"""
HAND_OVER = """(input) => {
    input.files = document.querySelector("#selected").files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
}"""


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(PHOTOGRAPH.read_bytes())
    return file


@changes_that_are_noticed
@pytest.mark.parametrize("place", INPUTS)
def test_a_file_that_can_not_be_read_any_more_is_told_as_such(
    site: Site, user: User, photograph: Path, place: str, change: str
) -> None:
    """The browser has the file of the disk as it was selected. The page reads it when the input hands it over."""
    selector, message = INPUTS[place]
    site.log_in(user.username)
    site.page.evaluate(SELECT)
    site.page.locator("#selected").set_input_files(photograph)
    CHANGES[change](photograph)
    site.page.locator(selector).evaluate(HAND_OVER)
    expect(site.page.locator(message)).to_have_text(UNREADABLE)
    expect(site.calls).to_have_count(0)
    expect(site.page.locator("#drop")).to_be_visible()


@pytest.mark.parametrize("change", CHANGES)
def test_a_failed_upload_continues_without_the_file_on_the_disk(
    site: Site, user: User, browser_errors: BrowserErrors, photograph: Path, change: str
) -> None:
    site.log_in(user.username)
    fail_once(site.page, browser_errors, "**/uploads/presign")
    # The removal copies the file, too.
    site.page.get_by_role("checkbox", name="Strip metadata").uncheck()
    site.input("confirm").set_input_files(photograph)
    site.expect_entry("failed")
    CHANGES[change](photograph)
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert user.avatar == read_key(site.calls.last)


@pytest.mark.parametrize("change", CHANGES)
def test_the_editor_uploads_the_original_without_the_file_on_the_disk(
    site: Site, user: User, photograph: Path, change: str
) -> None:
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(photograph)
    site.editor.get_by_label("the original file").check()
    CHANGES[change](photograph)
    site.editor.get_by_role("button", name="Upload").click()
    site.expect_entry("done")
    assert user.avatar == read_key(site.calls.last)


@pytest.mark.parametrize("place", INPUTS)
def test_a_file_that_is_too_large_to_read_is_not_read(site: Site, user: User, tmp_path: Path, place: str) -> None:
    selector, message = INPUTS[place]
    file = tmp_path / "film.png"
    with file.open("wb") as opened:
        opened.truncate(200_000_001)
    site.log_in(user.username)
    site.page.locator(selector).set_input_files(file)
    expect(site.page.locator(message)).to_have_text(TOO_LARGE)


# Drops, which Playwright can simulate by Chromium's own protocol only

LINK = {"items": [{"mimeType": "text/uri-list", "data": "https://example.com/cat.jpg"}]}
TEXT = {"items": [{"mimeType": "text/plain", "data": "a cat"}]}


DROP_BESIDE = """(target) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["a cat"], "cat.jpg", { type: "image/jpeg" }));
    const options = { bubbles: true, cancelable: true, dataTransfer };
    return ["dragover", "drop"].map((kind) => target.dispatchEvent(new DragEvent(kind, options)));
}"""
"""Dispatch the events of a drop. Each result is whether the browser would then open the file in place of the page."""


def drop(site: Site, target: Locator, data: dict[str, Any]) -> None:
    """Drop it in the middle of the element, as from another window."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session = site.page.context.new_cdp_session(site.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        event: dict[str, Any] = {"type": kind, "data": {"items": [], "dragOperationsMask": 1, **data}, **place}
        session.send("Input.dispatchDragEvent", event)


@only_chromium
@pytest.mark.parametrize("is_logged_in", [True, False])
def test_a_file_dropped_beside_the_zone_leaves_the_page_as_it_is(site: Site, user: User, *, is_logged_in: bool) -> None:
    if is_logged_in:
        site.log_in(user.username)
    else:
        site.open()
    for target in ("h1", "#upload-heading"):
        assert site.page.locator(target).evaluate(DROP_BESIDE) == [False, False]
    expect(site.editor).to_be_hidden()
    expect(site.page.locator("#timeline > li")).to_have_count(0)


@only_chromium
def test_a_file_dropped_in_the_zone_is_edited(site: Site, user: User) -> None:
    site.log_in(user.username)
    drop(site, site.page.locator("#drop"), {"files": [str(PHOTOGRAPH)]})
    expect(site.editor).to_contain_text(PHOTOGRAPH.name)


@only_chromium
def test_a_file_dropped_on_an_input_is_uploaded(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.choose_flow("skip")
    drop(site, site.input("skip"), {"files": [str(PHOTOGRAPH)]})
    site.expect_entry("left-out")


@only_chromium
@pytest.mark.parametrize(("data", "kind"), [(LINK, "a link"), (TEXT, "text")], ids=["link", "text"])
def test_a_drop_that_is_no_file_is_told_as_such(site: Site, user: User, data: dict[str, Any], kind: str) -> None:
    site.log_in(user.username)
    drop(site, site.page.locator("#drop"), data)
    expect(site.page.locator("#picture-problem")).to_have_text(
        f"This is {kind}, not a file. Save the picture as a file, and choose that."
    )
    assert site.page.url == f"{site.origin}/"
    drop(site, site.input("confirm"), data)
    expect(site.page.locator("#failure")).to_contain_text(f"This is {kind}, not a file.")
    assert site.page.url == f"{site.origin}/"


@only_chromium
def test_of_several_dropped_files_the_first_is_used(site: Site, user: User, photograph: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(PHOTOGRAPH.read_bytes())
    files = {"files": [str(photograph), str(other)]}
    sentence = "These are 2 files, and an avatar is one: only photo.jpg is used."
    site.log_in(user.username)
    drop(site, site.page.locator("#drop"), files)
    expect(site.editor).to_contain_text("photo.jpg")
    expect(site.page.locator("#picture-problem")).to_have_text(sentence)
    site.choose_flow("skip")
    drop(site, site.input("skip"), files)
    expect(site.page.locator("#failure")).to_have_text(sentence)
    site.expect_entry("left-out")
    expect(site.entry).to_contain_text("photo.jpg")
    expect(site.page.locator("#timeline > li")).to_have_count(1)


@only_chromium
@pytest.mark.parametrize(("place", "message"), [("#drop", "#picture-problem"), ("[data-flow=confirm]", "#failure")])
def test_a_dropped_folder_is_told_as_such(site: Site, user: User, tmp_path: Path, place: str, message: str) -> None:
    folder = tmp_path / "holidays"
    folder.mkdir()
    site.log_in(user.username)
    drop(site, site.page.locator(place), {"files": [str(folder)]})
    expect(site.page.locator(message)).to_have_text("holidays is a folder. Choose a picture in it.")
    expect(site.calls).to_have_count(0)


def test_the_message_about_a_file_ends_with_the_next_choice(site: Site, user: User) -> None:
    problem = site.page.locator("#picture-problem")
    letter = FilePayload(name="letter.txt", mimeType="text/plain", buffer=b"Dear Sir or Madam")
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(letter)
    expect(problem).not_to_be_empty()
    site.input("skip").set_input_files(PHOTOGRAPH)
    expect(problem).to_be_empty()
    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    for name in ("Another picture", "Upload"):
        expect(site.editor).to_be_visible()
        site.page.evaluate(PASTE_TEXT)
        expect(problem).not_to_be_empty()
        site.editor.get_by_role("button", name=name).click()
        expect(problem).to_be_empty()
        if name == "Another picture":
            site.page.locator("#choose").set_input_files(PHOTOGRAPH)


def test_a_queued_file_that_is_refused_stays_told(site: Site, user: User) -> None:
    """Uploads run before and after it."""
    pdf = FilePayload(name="letter.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7")
    site.log_in(user.username)
    with hold_posts(site.page, PRESIGN) as held:
        site.input("skip").set_input_files(PHOTOGRAPH)
        wait_for_one(site.page, held)
        site.input("confirm").set_input_files(pdf)
        site.input("skip").set_input_files(PHOTOGRAPH)
        held[0].continue_()
        eventually(lambda: bool(site.page.evaluate("true") and len(held) > 1))
        held[1].continue_()
        site.expect_entry("left-out")
    expect(site.page.locator("#timeline > li")).to_have_count(3)
    refused = site.page.locator("#timeline > li:nth-child(2)")
    expect(refused.get_by_role("heading")).to_have_text(f"letter.pdf for {user.username}")
    expect(refused.get_by_role("alert")).to_contain_text("letter.pdf is a PDF document.")
