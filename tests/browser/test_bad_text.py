"""What others wrote, full of what does harm elsewhere: shown as text, cut, all of it on request."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import samples, samples_pages
from tests.browser.fake_server import FakeServer, Said, World, usual
from tests.browser.screen import DESKTOP, OVERFLOW, PHONE, Kind, Screen

SENTINEL: Final = "harmed"
MARKUP: Final = (
    f'<img src=x onerror="window.{SENTINEL}=1"><script>window.{SENTINEL}=1</script>'
    f'"\'><svg onload=window.{SENTINEL}=1><a href="javascript:window.{SENTINEL}=1">x</a>'
    f"{{{{7*7}}}}${{window.{SENTINEL}=1}}</textarea></title>"
)
CONTROLS: Final = "\x00\x07\x1b[31m\x7f\u202eevil\u2066\u200b\ufeff\n\r\t\ud7ff\U0001f600"
ENDLESS: Final = "W" * 4_000
BAD: Final = MARKUP + CONTROLS + ENDLESS
LARGE: Final = BAD + "x" * 3_000_000

PATHS: Final = (
    "/", "/jobs", "/jobs/7", "/jobs/7?tab=tasks", "/jobs/7?tab=results", "/jobs/7?tab=options",
    "/jobs/7/tasks/1048", "/workers", "/workers/lab-01", "/submit", "/submit?type=render_frame",
    "/submit?type=shrink", "/plugins", "/plugins?tab=types", "/events", "/settings",
)  # fmt: skip
BAD_PATHS: Final = (
    "/workers/%3Cscript%3Ex%3C%2Fscript%3E%00%E2%80%AE", "/%3Cscript%3E", "/jobs/%ff",
    "/submit?type=%3Cscript%3E", "/plugins?tab=types&type=%3Cimg%20src%3Dx%3E",
    "/events?kind=%3Cscript%3E&job=x&worker=%E2%80%AE", "/workers?cursor=%00&sort=x",
)  # fmt: skip
MOST_SHOWN: Final = 300_000
KEPT: Final = frozenset(
    {"state", "kind", "end", "level", "origin", "link", "event", "next", "type", "payload",
     "result", "archive", "sha256", "after_what", "$ref", "contentMediaType", "name"}
)  # fmt: skip
"""Fields that are not of others, or by which a test finds its way."""

UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b\u202e\u2066\ufeff]")


def spoilt(value: Any, key: str = "") -> Any:
    """Return a view in which all that others have written is harmful."""
    if isinstance(value, dict):
        return {name: spoilt(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [spoilt(part, key) for part in value]
    if isinstance(value, str) and key not in KEPT and value:
        return BAD
    return value


def harmful() -> dict[str, object]:
    """Return the answers of a server whose users mean harm."""
    answers = usual() | samples_pages.answers()
    views = {}
    for path, view in answers.items():
        is_view = path.startswith("/api/") and not callable(view) and not isinstance(view, Said)
        views[path] = spoilt(msgspec.to_builtins(view)) if is_view else view
    worker = spoilt(msgspec.to_builtins(samples_pages.workers()[0]))
    worker |= {"labels": {BAD: BAD}, "resources": {BAD: 1}, "broken": {BAD: BAD}, "name": BAD}
    views["/api/workers"] = {"workers": [worker], "next": None}
    views["/api/workers/lab-01"] = worker
    views["/api/jobs/7/tasks/1048/output"] = msgspec.structs.replace(samples.output(), text=LARGE)
    views["/jobs/7/tasks/1048/payload"] = Said(200, LARGE.encode(), "text/plain")
    views["/api/settings"] = spoilt(msgspec.to_builtins(samples_pages.settings()))
    types = samples_pages.types()
    field = {"title": BAD, "description": BAD, "type": "string", "enum": [BAD, MARKUP]}
    types["types"][0]["payload_schema"] = {
        "type": "object", "description": BAD, "properties": {BAD: field, "__proto__": field},
    }  # fmt: skip
    types["types"][1] |= {"doc": BAD, "plugin": BAD, "version": BAD[:200]}
    views["/api/types"] = types | {"broken": {BAD: BAD}}
    return views


@pytest.fixture
def world() -> World:
    return World(harmful())


@pytest.mark.parametrize("kind", [DESKTOP, PHONE], ids=lambda kind: kind.name)
def test_nothing_that_others_write_does_harm(
    browser: Browser, fake: FakeServer, kind: Kind
) -> None:
    with Screen(browser, kind) as screen:
        wrong: list[str] = []
        for path in PATHS:
            screen.open(fake.address + path)
            expect(screen.page.locator(".loading")).to_have_count(0)
            wrong += [f"{path}: {text}" for text in harm(screen.page)]
        assert not wrong, "\n".join(wrong)


def harm(page: Page) -> list[str]:
    """Return what a page of harmful text has come to."""
    found = []
    if page.evaluate(f"window.{SENTINEL}"):
        found.append("a script ran")
    if page.locator("img[src='x'], main script, a[href^='javascript']").count():
        found.append("markup became elements")
    text = page.locator("body").inner_text()
    if unseen := UNSEEN.search(text):
        found.append(f"{text[max(0, unseen.start() - 60) : unseen.end()]!r} is shown as it is")
    if len(text) > MOST_SHOWN:
        found.append(f"{len(text):,} characters are shown at once")
    if page.evaluate(OVERFLOW) > 0:
        found.append("it is wider than the screen")
    return found


def test_what_is_cut_can_be_seen_whole(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.open(f"{fake.address}/workers/lab-01")
    expect(page.locator(".loading")).to_have_count(0)
    more = page.get_by_role("button", name=re.compile("Show all"))
    expect(more.first).to_be_visible()
    short = shown(page)
    more.first.click()
    assert shown(page) > short + 3_000
    page.get_by_role("button", name="Show less").first.click()
    assert shown(page) < short + 100  # times are shown, and go on


def test_bad_names_in_addresses(desktop: Screen, fake: FakeServer) -> None:
    desktop.expected = ["404"]
    for path in BAD_PATHS:
        page = desktop.open(fake.address + path)
        expect(page.locator(".loading")).to_have_count(0)
        assert harm(page) == [], path
        assert page.locator("h1").count() == 1, path


def shown(page: Page) -> int:
    """Return how many characters a page shows."""
    return len(page.locator("main").inner_text())
