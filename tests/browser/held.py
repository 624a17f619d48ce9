"""Answers that a test holds back, and what it waits for meanwhile."""

from __future__ import annotations

from typing import Final

import msgspec
from playwright.sync_api import Page, Route

from tests.browser.fake_server import samples_now

TURNS: Final = 10_000
FRAMES: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def held(page: Page, pattern: str, method: str = "GET") -> list[Route]:
    """Have requests wait from now on, those of other methods aside; return them as they come."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == method:
            waiting.append(route)
        else:
            route.continue_()

    page.route(pattern, hold)
    return waiting


def arrived(page: Page, waiting: list[Route], count: int = 1) -> None:
    """Wait until so many of them have come."""
    for _ in range(TURNS):
        if len(waiting) >= count:
            return
        page.evaluate("0")
    raise AssertionError(f"{len(waiting)} of {count} came")


def answer(route: Route, view: object, status: int = 200) -> None:
    """Answer one of them at last."""
    body = msgspec.json.encode(samples_now(view))
    route.fulfill(status=status, body=body, content_type="application/json")


def drawn(page: Page) -> None:
    """Wait until the page has drawn what it has taken in."""
    page.evaluate(FRAMES)
