"""What an operator does on the page, on a real server with real workers."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import trio
from playwright.sync_api import Page, expect

import dc
from tests.browser.busy import TEXT, Busy
from tests.browser.screen import Screen

PAGES = [
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/jobs/{film}", "Winter film, reel 2"),
    ("/jobs/{film}?tab=tasks&state=failed", "Winter film, reel 2"),
    ("/jobs/{gpu}?tab=options", "Denoise"),
    ("/jobs/{film}/tasks/17", "Task 17"),
    ("/jobs/{train}/tasks/0", "Task 0"),
    ("/workers", "Workers"),
    ("/workers/lab-01", "lab-01"),
    ("/submit?type=count_words", "Submit"),
    ("/plugins", "Plugins"),
    ("/events", "Events"),
    ("/settings", "Settings"),
]


def submitted(busy: Busy, kind: str, payloads: list[Any], **options: Any) -> int:
    """Submit a job; return its number."""

    async def submit() -> int:
        async with dc.AsyncClient(busy.server.address, plugins=[busy.plugins]) as client:
            return (await client.submit(kind, payloads, **options)).number

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dc.NoWorkerWarning)
        return trio.run(submit)


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
    desktop.check()


# --- a new user's questions, from the overview, in at most three clicks --------------------------


def test_why_a_task_waits(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(busy.server.address + "/", "Overview")
    page.get_by_role("link", name="Denoise").click()
    expect(page.get_by_text("needs gpu 2; no worker has any").first).to_be_visible()
    page.get_by_role("link", name="60 queued").click()
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    page.get_by_role("heading", level=1, name="Task 0").wait_for()
    expect(page.get_by_text("Why it waits:")).to_be_visible()
    expect(page.get_by_text("needs gpu 2; no worker has any")).to_be_visible()


def test_the_traceback_of_the_commonest_error(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(busy.server.address + f"/jobs/{busy.jobs['films']}", "Winter film, reel 1")
    first = page.get_by_role("region", name="Failures by error").get_by_role("listitem").first
    expect(first).to_contain_text("ValueError: no light in scene")
    first.get_by_role("button", name="Show the traceback").click()
    expect(page.get_by_role("group", name="traceback of task")).to_contain_text(
        "Traceback (most recent call"
    )


def test_which_worker_fails_most(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(busy.server.address + "/", "Overview")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Workers").click()
    page.get_by_role("heading", level=1, name="Workers").wait_for()
    expect(page.get_by_role("link", name="old-laptop").first).to_be_visible()
    page.get_by_role("button", name="Failing most first").click()
    expect(page.get_by_role("columnheader", name="Failing")).to_have_attribute(
        "aria-sort", "descending"
    )


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
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel 2 jobs").click()
    told(page, "2 jobs cancelled.")
    expect(page.get_by_role("cell", name="cancelled", exact=True)).to_have_count(2)


# --- what came of it ----------------------------------------------------------------------------


def test_results_are_looked_at_as_what_they_are(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(
        f"{busy.server.address}/jobs/{busy.jobs['films']}?tab=results", "Winter film, reel 1"
    )
    page.get_by_role("button", name="Look at the result of task 1", exact=True).click()
    picture = page.get_by_role("img", name="The result of task 1, a picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    page.goto(f"{busy.server.address}/jobs/{busy.jobs['words']}/tasks/0")
    expect(page.get_by_label("result", exact=True)).to_contain_text('"one": 4')
    expect(page.get_by_label("payload", exact=True)).to_have_text(f"{TEXT} 0")


def test_all_results_are_downloaded(desktop: Screen, busy: Busy, tmp_path: Path) -> None:
    page = desktop.open(
        f"{busy.server.address}/jobs/{busy.jobs['words']}?tab=results", "Words of the archive"
    )
    with page.expect_download() as started:
        page.get_by_role("link", name="All results").click()
    started.value.save_as(tmp_path / "results")
    lines = [json.loads(line) for line in (tmp_path / "results").read_text().splitlines()]
    assert sorted(one["number"] for one in lines) == list(range(40))
    with page.expect_download() as started:
        page.get_by_role("link", name="Trace").click()
    started.value.save_as(tmp_path / "trace")
    assert json.loads((tmp_path / "trace").read_text())["traceEvents"]


def test_a_running_task_is_watched_and_cancelled(desktop: Screen, busy: Busy) -> None:
    page = desktop.open(f"{busy.server.address}/jobs/{busy.jobs['train']}/tasks/1", "Task 1")
    output = page.get_by_label("output", exact=True)
    expect(output).to_contain_text("round 2: loss")
    expect(page.get_by_text("of 600").first).to_be_visible()
    expect(page.get_by_role("img", name="Progress")).to_be_visible()
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


# --- how much it is -----------------------------------------------------------------------------


def test_the_first_load_is_small(desktop: Screen, busy: Busy) -> None:
    desktop.page.goto(busy.server.address + "/")
    desktop.page.get_by_role("heading", level=1, name="Overview").wait_for()
    expect(desktop.page.locator(".loading")).to_have_count(0)
    sizes: dict[str, int] = desktop.page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('resource').map("
        "(one) => [one.name, one.transferSize]))"
    )
    assert sum(sizes.values()) < 100_000, sizes
