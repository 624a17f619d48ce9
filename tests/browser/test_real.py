"""What an operator does on the page, on a real server with real workers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.busy import TEXT, Busy, submitted
from tests.browser.screen import Screen

PAGES = [
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/jobs/{films}", "Winter film, reel 1"),
    ("/jobs/{film}?tab=tasks&state=failed", "Winter film, reel 2"),
    ("/jobs/{films}?tab=results&show=1", "Winter film, reel 1"),
    ("/jobs/{gpu}?tab=options", "Denoise"),
    ("/jobs/{films}/tasks/17", "Task 17"),
    ("/jobs/{gpu}/tasks/0", "Task 0"),
    ("/jobs/{train}/tasks/0", "Task 0"),
    ("/workers", "Workers"),
    ("/workers/lab-01", "lab-01"),
    ("/submit?type=count_words", "Submit"),
    ("/plugins", "Plugins"),
    ("/plugins?tab=types", "Plugins"),
    ("/events", "Events"),
    ("/settings", "Settings"),
]
FIRST_LOAD_BYTES = 100_000
TRANSFERRED = """() => {
    const all = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    const code = all.filter((one) => !/[/](result|payload|stream)([?]|$)/.test(one.name));
    const sizes = {};  // the icon is asked for twice, and comes once
    for (const { name, transferSize } of code) sizes[name] = (sizes[name] ?? 0) + transferSize;
    return sizes;
}"""
"""Bytes on the wire of all that a page is made of: no results that it shows, no streams."""


def view(busy: Busy, path: str) -> dict[str, Any]:
    found: dict[str, Any] = busy.server.json(path)
    return found


def told(page: Page, text: str) -> None:
    """Wait until a toast says so."""
    expect(page.locator(".toast").filter(has_text=text)).to_be_visible()


@pytest.mark.parametrize(("path", "heading"), PAGES, ids=[path for path, _ in PAGES])
def test_pages_of_a_real_server(path: str, heading: str, desktop: Screen, busy: Busy) -> None:
    page = desktop.open(busy.server.address + path.format(**busy.jobs), heading)
    expect(page.locator(".live")).to_have_text(re.compile("Live|Connected"))
    expect(page.locator(".loading")).to_have_count(0)
    sizes: dict[str, int] = page.evaluate(TRANSFERRED)
    assert len(sizes) > 10
    assert all(sizes.values()), f"something came from a cache: {sizes}"
    assert sum(sizes.values()) < FIRST_LOAD_BYTES, sizes
    desktop.check_all()


def test_all_pages_are_reached_on_a_phone(phone: Screen, busy: Busy) -> None:
    page = phone.open(busy.server.address + "/", "Overview")
    for name in ("Jobs", "Workers", "Submit", "Plugins", "Events", "Settings", "Overview"):
        page.get_by_role("button", name="Menu").tap()
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).tap()
        page.get_by_role("heading", level=1, name=name).wait_for()
        expect(page.locator(".loading")).to_have_count(0)
        phone.check()


def test_the_overview_is_looked_into(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(busy.server.address + "/", "Overview")
    page.get_by_role("button", name="15 min").click()
    expect(page.get_by_text("tasks a second, the last 15 min")).to_be_visible()
    for name in ("Time left", "Throughput", "Unfinished", "Slots busy", "Workers", "Failed"):
        expect(page.locator(".tile").filter(has_text=name)).to_have_count(1)
    needs = page.get_by_role("region", name="Needs attention").get_by_role("listitem")
    needs.filter(has_text="gpu").first.get_by_role("link", name="Look").click()
    page.get_by_role("heading", level=1, name="Denoise").wait_for()


# --- what is done with a job --------------------------------------------------------------------


def test_a_job_is_paused_taken_back_and_cancelled(desktop: Screen, busy: Busy) -> None:
    job = submitted(busy, "count_words", ["a"], name="Patience", resources={"gpu": 1.0})
    page = desktop.open(f"{busy.server.address}/jobs/{job}", "Patience")
    page.get_by_role("button", name="Pause").click()
    told(page, "Paused")
    assert view(busy, f"/api/jobs/{job}")["state"] == "paused"
    page.get_by_role("button", name="Undo").click()
    told(page, "Undone")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    told(page, "Resumed")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Keep it as it is").click()
    assert view(busy, f"/api/jobs/{job}")["state"] == "queued"
    page.get_by_role("button", name="Cancel").click()
    desktop.check()
    page.get_by_role("button", name="Cancel the job").click()
    told(page, "Cancelled")
    expect(page.locator(".page-head .badge")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_the_priority_of_a_job_is_changed(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(f"{busy.server.address}/jobs/{busy.jobs['gpu']}", "Denoise")
    page.get_by_role("button", name="Priority 0").click()
    page.get_by_label("Priority", exact=True).fill("7")
    desktop.check()
    page.get_by_role("button", name="Set priority").click()
    told(page, "Priority 7.")
    expect(page.get_by_role("button", name="Priority 7")).to_be_visible()
    assert view(busy, f"/api/jobs/{busy.jobs['gpu']}")["priority"] == 7
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Priority 0")).to_be_visible()


def test_failed_tasks_run_again(desktop: Screen, busy: Busy) -> None:
    job = submitted(busy, "render_frame", [17, 70], name="Twice")
    page = desktop.open(f"{busy.server.address}/jobs/{job}", "Twice")
    expect(page.locator(".page-head .badge")).to_have_text("failed")
    page.get_by_role("button", name="Retry 2 failed tasks").click()
    told(page, "2 failed tasks will run again.")
    page.goto(f"{busy.server.address}/jobs/{job}/tasks/0")
    expect(page.locator(".page-head .badge")).to_have_text("failed")
    page.get_by_role("button", name="Retry").click()
    told(page, "It will run again.")


def test_several_jobs_are_paused_and_cancelled(desktop: Screen, busy: Busy) -> None:
    for number in (1, 2):
        submitted(busy, "count_words", ["a"], name=f"Bulk {number}", resources={"gpu": 1.0})
    page = desktop.open(f"{busy.server.address}/jobs?search=Bulk", "Jobs")
    page.get_by_role("checkbox", name="Select all that are shown").check()
    expect(page.get_by_text("2 jobs selected")).to_be_visible()
    desktop.check()
    page.get_by_role("button", name="Pause").click()
    told(page, "2 jobs paused.")
    expect(page.get_by_role("cell", name="paused", exact=True)).to_have_count(2)
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("button", name="Resume").click()
    told(page, "2 jobs resumed.")
    expect(page.get_by_role("cell", name="paused", exact=True)).to_have_count(0)
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel 2 jobs").click()
    told(page, "2 jobs cancelled.")
    expect(page.get_by_role("cell", name="cancelled", exact=True)).to_have_count(2)


def test_a_job_is_looked_for(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(busy.server.address + "/jobs", "Jobs")
    page.get_by_role("searchbox", name="Search by name").fill("reel")
    names = page.get_by_role("table", name="Jobs").get_by_role("rowheader")
    expect(names).to_have_count(2)
    page.get_by_role("button", name="Job", exact=True).click()
    expect(names.first).to_contain_text("reel 1")
    page.get_by_role("button", name="Job", exact=True).click()
    expect(names.first).to_contain_text("reel 2")
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_role("combobox", name="State").select_option("queued")
    page.get_by_role("combobox", name="Type").select_option("render_frame")
    expect(names).to_have_count(1)
    page.get_by_role("combobox", name="Submitter").select_option(index=1)
    expect(names.first).to_contain_text("Denoise")
    names.first.get_by_role("link").click()
    page.get_by_role("heading", level=1, name="Denoise").wait_for()


def test_when_and_where_a_job_ran_is_looked_into(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(f"{busy.server.address}/jobs/{busy.jobs['films']}", "Winter film, reel 1")
    expect(page.get_by_role("region", name="Run times")).to_contain_text("nine of ten up to")
    workers = page.get_by_role("table", name="What each worker did of this job")
    workers.get_by_role("button", name="Failed").click()
    expect(workers.get_by_role("columnheader", name="Failed")).to_have_attribute(
        "aria-sort", "descending"
    )
    timeline = page.get_by_role("region", name="Timeline")
    whole = timeline.get_by_role("button", name="The whole job")
    expect(whole).to_be_disabled()
    for name in ("Nearer", "Nearer", "Later", "Earlier", "Farther"):
        timeline.get_by_role("button", name=name).click()
    whole.click()
    expect(whole).to_be_disabled()
    timeline.get_by_role("application").focus()
    timeline.locator(".as-table summary").click()
    expect(timeline.get_by_role("table")).to_contain_text("lab-01")


# --- any of its tasks ---------------------------------------------------------------------------


def test_a_task_is_found(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(f"{busy.server.address}/jobs/{busy.jobs['film']}", "Winter film, reel 2")
    page.get_by_role("link", name="Tasks", exact=True).click()
    rows = page.get_by_role("table", name="Tasks").get_by_role("rowheader")
    expect(rows.first).to_have_text("0")
    page.get_by_role("button", name="Next").click()
    expect(rows.first).to_have_text("50")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Previous").click()
    expect(rows.first).to_have_text("50")
    page.get_by_role("button", name="First").click()
    expect(rows.first).to_have_text("0")
    page.get_by_role("combobox", name="State").select_option("failed")
    expect(rows.first).to_have_text("5")
    page.get_by_role("spinbutton", name="Task").fill("41")
    page.get_by_role("button", name="Go").click()
    page.get_by_role("heading", level=1, name="Task 41").wait_for()
    page.get_by_role("link", name="Next task").click()
    page.get_by_role("heading", level=1, name="Task 42").wait_for()
    page.get_by_role("link", name="Previous task").click()
    page.get_by_role("heading", level=1, name="Task 41").wait_for()
    expect(page.get_by_role("table", name="Attempts").get_by_role("row")).to_have_count(2)


# --- what came of it ----------------------------------------------------------------------------


def test_results_are_looked_at_as_what_they_are(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(
        f"{busy.server.address}/jobs/{busy.jobs['films']}?tab=results", "Winter film, reel 1"
    )
    page.get_by_role("button", name="Look at the result of task 1", exact=True).click()
    picture = page.get_by_role("img", name="The result of task 1, a picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the result of task 1", exact=True).click()
    assert started.value.path().read_bytes().startswith(b"\x89PNG")
    page.get_by_role("button", name="Hide the result of task 1", exact=True).click()
    expect(picture).to_have_count(0)
    page.goto(f"{busy.server.address}/jobs/{busy.jobs['words']}/tasks/0")
    expect(page.get_by_label("result", exact=True)).to_contain_text('"one": 4')
    expect(page.get_by_label("payload", exact=True)).to_have_text(f"{TEXT} 0")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the payload").click()
    assert TEXT.encode() in started.value.path().read_bytes()


def test_all_results_are_downloaded(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(
        f"{busy.server.address}/jobs/{busy.jobs['words']}?tab=results", "Words of the archive"
    )
    with page.expect_download() as started:
        page.get_by_role("link", name="All results").click()
    lines = [json.loads(line) for line in started.value.path().read_text().splitlines()]
    assert sorted(one["number"] for one in lines) == list(range(40))
    with page.expect_download() as started:
        page.get_by_role("link", name="Trace").click()
    assert json.loads(started.value.path().read_text())["traceEvents"]


def test_a_running_task_is_watched_and_cancelled(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(f"{busy.server.address}/jobs/{busy.jobs['train']}/tasks/1", "Task 1")
    output = page.get_by_label("output", exact=True)
    expect(output).to_contain_text("round 2: loss")
    expect(page.get_by_text("of 9000").first).to_be_visible()
    expect(page.get_by_role("img", name="Progress")).to_be_visible()
    page.get_by_role("checkbox", name="Follow").uncheck()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the output").click()
    assert "round 1: loss" in started.value.path().read_text()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the task").click()
    told(page, "Cancelled")
    expect(page.locator(".page-head .badge")).to_have_text("failed")


def test_what_is_not_there_is_said(desktop: Screen, busy: Busy) -> None:
    desktop.expected.append("404")
    page = desktop.open(f"{busy.server.address}/jobs/999", "Job 999")
    expect(page.get_by_role("alert")).to_contain_text("there is no job 999")
    page.goto(f"{busy.server.address}/jobs/1/tasks/99999")
    expect(page.get_by_role("alert")).to_contain_text("no task 99999")
