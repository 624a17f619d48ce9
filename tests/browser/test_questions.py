"""What a new user wants to know, from the overview, in at most three clicks each."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.busy import Busy, submitted
from tests.browser.screen import Screen

MOST = 3
TASKS = 100_000


class Visitor:
    """Somebody who is at the overview, and clicks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._clicks = 0

    def click(self, on: Locator) -> None:
        """Click, if that is not too often."""
        self._clicks += 1
        assert self._clicks <= MOST, "it takes too many clicks"
        on.click()

    def at(self, heading: str) -> None:
        """Wait until a page is there."""
        self.page.get_by_role("heading", level=1, name=heading).wait_for()


@pytest.fixture(scope="module")
def long(busy: Busy) -> Iterator[None]:
    """Jobs that go on for as long as somebody looks, and one that waits."""
    stills = submitted(busy, "slow", list(range(TASKS)), name="Stills")
    submitted(busy, "count_words", ["a"], name="Titles", after=[stills])
    broken = submitted(busy, "train", [0, TASKS], name="Train another")
    yield
    for job in (stills, broken):
        cancelled(busy, job)


def cancelled(busy: Busy, job: int) -> None:
    asked = urllib.request.Request(f"{busy.server.address}/api/jobs/{job}/cancel", method="POST")
    with urllib.request.urlopen(asked, data=b"{}", timeout=10):
        pass


@pytest.fixture
def visitor(desktop: Screen, busy: Busy, long: None) -> Visitor:
    return Visitor(desktop.open(busy.server.address + "/", "Overview"))


def unfinished(page: Page, name: str) -> Locator:
    """Return the link to a job that is not finished."""
    table = page.get_by_role("table", name="Unfinished jobs")
    return table.get_by_role("link", name=name, exact=True)


def test_why_a_given_task_waits(visitor: Visitor) -> None:
    page = visitor.page
    visitor.click(unfinished(page, "Denoise"))
    visitor.at("Denoise")
    expect(page.get_by_text("needs gpu 2; no worker has any").first).to_be_visible()
    visitor.click(page.get_by_role("link", name="60 queued"))
    tasks = page.get_by_role("table", name="Tasks")
    visitor.click(tasks.get_by_role("link", name="41", exact=True))
    visitor.at("Task 41")
    expect(page.get_by_text("Why it waits:")).to_be_visible()
    expect(page.get_by_text("needs gpu 2; no worker has any")).to_be_visible()


def test_what_a_job_waits_for(visitor: Visitor) -> None:
    page = visitor.page
    visitor.click(unfinished(page, "Titles"))
    visitor.at("Titles")
    expect(page.get_by_text("waits for job").first).to_be_visible()


def test_which_worker_fails_most(visitor: Visitor, busy: Busy) -> None:
    page = visitor.page
    visitor.click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Workers"))
    visitor.at("Workers")
    visitor.click(page.get_by_role("button", name="Failing most first"))
    table = page.get_by_role("table", name="Workers")
    expect(table.get_by_role("columnheader", name="Failing")).to_have_attribute(
        "aria-sort", "descending"
    )
    first = table.get_by_role("rowheader").first.get_by_role("link")
    workers = busy.server.json("/api/workers?sort=failing&order=desc")["workers"]
    assert workers[0]["failing"] == max(one["failing"] for one in workers) > 0
    expect(first).to_have_text(workers[0]["name"])


def test_the_traceback_of_the_commonest_error(visitor: Visitor, busy: Busy) -> None:
    page = visitor.page
    visitor.click(page.locator(".tile").filter(has_text="Failed"))
    visitor.at("Jobs")
    visitor.click(page.get_by_role("link", name="Winter film, reel 1"))
    visitor.at("Winter film, reel 1")
    first = page.get_by_role("region", name="Failures by error").get_by_role("listitem").first
    expect(first).to_contain_text("ValueError: no light in scene")
    visitor.click(first.get_by_role("button", name="Show the traceback"))
    expect(first.get_by_role("group", name="traceback of task")).to_contain_text(
        "Traceback (most recent call"
    )


def test_the_traceback_of_an_error_of_a_job_that_goes_on(visitor: Visitor) -> None:
    page = visitor.page
    error = "ZeroDivisionError: float division by zero"
    first = page.get_by_role("region", name="Failures lately").get_by_role("listitem").first
    expect(first).to_contain_text(error)
    visitor.click(first.get_by_role("link", name=error))
    visitor.at("Task 0")
    expect(page.get_by_label("traceback", exact=True)).to_contain_text(
        "Traceback (most recent call"
    )


def test_how_to_stop_a_worker(visitor: Visitor) -> None:
    page = visitor.page
    visitor.click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Workers"))
    visitor.click(page.get_by_role("link", name="lab-02"))
    visitor.at("lab-02")
    visitor.click(page.get_by_role("button", name="Stop…"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop lab-02?")
    expect(dialog).to_contain_text("go to others")
    expect(dialog.get_by_role("button", name="Stop it")).to_be_visible()
    dialog.get_by_role("button", name="Keep it as it is").click()


def test_when_a_job_will_be_done(visitor: Visitor, busy: Busy) -> None:
    page = visitor.page
    visitor.click(unfinished(page, "Stills"))
    visitor.at("Stills")
    left = page.get_by_label("How far it is").locator("dl > div").filter(has_text="Time left")
    expect(left).to_have_text(re.compile(r"^Time left.*\d+ (s|min|h)"))
