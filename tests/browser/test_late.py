"""Answers that come late, out of order or not at all, and pages that are left meanwhile."""

from __future__ import annotations

import contextlib
from typing import Final

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import Error, FilePayload, Page, expect

from dc.view_workers import WorkersPage
from tests.browser import samples, samples_access, samples_pages
from tests.browser.fake_server import FakeServer, Said, World, event, problem, samples_now
from tests.browser.held import answer, arrived, drawn, held
from tests.browser.screen import Screen

REFUSED: Final = "Failed to load resource"
TYPED_AND_LEFT: Final = """([typed, pressed]) => {
    const box = document.querySelector("input[type=search]");
    box.value += typed;
    box.dispatchEvent(new InputEvent("input", { bubbles: true }));
    document.querySelector(pressed).click();
}"""
SETTLED: Final = "new Promise((done) => setTimeout(done, 300))"  # after what typing waits for


@pytest.fixture
def page(desktop: Screen) -> Page:
    return desktop.page


# --- asking again and again, and the stream -----------------------------------------------------


@pytest.mark.parametrize("path", ["/workers", "/workers?search=lab"])
def test_without_a_stream_each_part_of_a_page_hears_its_own(
    path: str, desktop: Screen, fake: FakeServer, world: World
) -> None:
    world.answers |= samples_access.answers()  # who administers sees those that wait as well
    keys = msgspec.json.encode(samples_now(samples_access.keys()))
    world.answers["/api/worker-keys"] = Said(200, keys, "application/json")  # always the same
    desktop.expected.append(REFUSED)
    world.streams = False
    page = desktop.open(fake.address + path, "Workers")
    expect(page.locator(".live")).to_have_text("Every 2 s")
    for note in ("moved to the attic", "moved to the cellar"):
        world.answers["/api/workers"] = WorkersPage([samples.worker(note=note)])
        expect(page.get_by_text(note)).to_be_visible()
    expect(page.locator(".join-number")).to_contain_text("123 456")


def test_what_was_asked_for_before_the_stream_came_is_not_put_over_it(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append(REFUSED)
    world.streams = False
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.locator(".live")).to_have_text("Every 2 s")
    asked = held(page, "**/api/overview")
    arrived(page, asked)
    world.push("overview", samples.overview(status=samples.status(rate=777.0)))
    world.streams = True
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_text("777/s")).to_be_visible()
    with page.expect_response("**/api/overview"):
        answer(asked[0], samples.overview(status=samples.status(rate=555.0)))
    drawn(page)
    expect(page.get_by_text("555/s")).to_have_count(0)
    expect(page.get_by_text("777/s")).to_be_visible()


def test_what_the_stream_has_brought_stays_though_it_could_not_be_asked_for(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append("503")
    asked = held(desktop.page, "**/api/overview")
    world.push("overview", samples.overview(status=samples.status(rate=777.0)))
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.get_by_text("777/s")).to_be_visible()
    with page.expect_response("**/api/overview"):
        answer(asked[0], {"title": "trouble", "detail": "too much to do"}, 503)
    drawn(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("777/s")).to_be_visible()


def test_what_is_there_no_more_is_shown_no_more(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append("404")
    page = desktop.open(fake.address + "/workers/lab-01", "lab-01")
    expect(page.locator(".live")).to_have_text("Live")
    text = "there is no worker lab-01: it was deleted"
    world.answers["/api/workers/lab-01"] = problem(404, "unknown_worker", text)
    said = event("problem", {"topic": "worker:lab-01", "code": "unknown_worker", "text": text})
    world.flood += [said]
    expect(page.get_by_role("alert")).to_contain_text(text)


def test_an_output_is_asked_for_again_once_the_server_answers(
    desktop: Screen, fake: FakeServer
) -> None:
    desktop.expected.append("ERR_FAILED")
    page = desktop.page
    page.route("**/api/jobs/7/tasks/1048/output", lambda route: route.abort(), times=1)
    desktop.open(fake.address + "/jobs/7/tasks/1048", "Task 1048")
    expect(page.get_by_label("output", exact=True)).to_contain_text("sample 11 of 100")


def test_who_could_not_be_told_who_they_are_is_led_to_sign_in_all_the_same(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    world.answers |= samples_access.answers()
    desktop.expected += ["ERR_FAILED", "401"]
    page = desktop.page
    page.route("**/api/me", lambda route: route.abort(), times=1)
    desktop.open(fake.address + "/jobs", "Jobs")
    for path in [one for one in world.answers if one.startswith("/api/")]:
        world.answers[path] = problem(401, "not_signed_in", "sign in")
    world.answers["/api/me"] = samples_access.me(signed_in=False)
    page.get_by_role("combobox", name="State").select_option("failed")
    page.get_by_role("heading", level=1, name="Sign in").wait_for()


# --- pages that are left ------------------------------------------------------------------------


def test_a_page_stays_as_it_is_until_the_next_is_there(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/jobs/7?tab=tasks")
    coming = held(page, "**/pages/task.js")
    page.get_by_role("table", name="Tasks").get_by_role("link", name="4", exact=True).click()
    arrived(page, coming)
    drawn(page)
    assert page.url == fake.address + "/jobs/7/tasks/4"
    expect(page.get_by_role("table", name="Tasks")).to_be_visible()
    coming[0].continue_()
    page.get_by_role("heading", level=1, name="Task 4").wait_for()


def test_what_was_typed_into_a_page_that_is_left_changes_no_other_address(
    page: Page, fake: FakeServer
) -> None:
    page.goto(fake.address + "/jobs")
    page.get_by_role("searchbox", name="Search by name").wait_for()
    coming = held(page, "**/pages/workers.js")
    page.evaluate(TYPED_AND_LEFT, ["film", "nav a[href='/workers']"])
    arrived(page, coming)
    page.evaluate(SETTLED)
    assert page.url == fake.address + "/workers"
    coming[0].continue_()
    page.get_by_role("heading", level=1, name="Workers").wait_for()


def test_filters_that_were_cleared_do_not_come_back(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/jobs?search=film")
    page.get_by_role("button", name="Clear filters").wait_for()
    page.evaluate(TYPED_AND_LEFT, ["s", ".filters button"])
    page.evaluate(SETTLED)
    assert page.url == fake.address + "/jobs"
    expect(page.get_by_role("searchbox", name="Search by name")).to_have_value("")


def test_a_question_goes_with_its_page(page: Page, fake: FakeServer, world: World) -> None:
    page.goto(fake.address + "/jobs")
    page.get_by_role("link", name="Winter film, reel 2").click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    page.get_by_role("heading", level=1, name="Jobs").wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("checkbox", name="Select job 7").check()
    assert world.asked == []


def test_a_worker_that_was_renamed_calls_nobody_back_to_it(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/lab-01")
    asked = held(page, "**/api/workers/lab-01", "PATCH")
    page.get_by_role("button", name="Rename…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("lab-09")
    page.get_by_role("button", name="Rename it").click()
    arrived(page, asked)
    page.keyboard.press("Escape")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Jobs").click()
    page.get_by_role("heading", level=1, name="Jobs").wait_for()
    answer(asked[0], samples.worker("lab-09"))
    expect(page.get_by_text("It is called lab-09 now")).to_be_visible()
    assert page.url == fake.address + "/jobs"


# --- what is changed ----------------------------------------------------------------------------


def test_what_a_dialog_asked_for_is_sent_once_and_told_also_if_it_is_closed(
    desktop: Screen, fake: FakeServer
) -> None:
    desktop.expected.append("400")
    page = desktop.open(fake.address + "/settings")
    asked = held(page, "**/api/settings", "PATCH")
    page.get_by_role("button", name="Change keep-days").click()
    value = page.get_by_role("dialog").get_by_label("Value")
    value.fill("soon")
    value.press("Enter")
    value.press("Enter")
    arrived(page, asked)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    answer(asked[0], {"title": "not so", "detail": "soon is no number"}, 400)
    expect(page.locator(".toast.error")).to_contain_text("soon is no number")
    assert len(asked) == 1


def test_a_file_that_cannot_be_put_leaves_the_form_as_it_was(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append("413")
    page = desktop.open(fake.address + "/submit?type=shrink", "Submit a job")
    files = [FilePayload(name=f"{one}.png", mimeType="image/png", buffer=b"abc") for one in "ab"]
    page.get_by_label("Files", exact=True).set_input_files(files)
    puts = held(page, "**/blobs", "POST")
    page.get_by_role("button", name="Submit 2 tasks").click()
    arrived(page, puts, 2)
    answer(puts[0], {"title": "too large", "detail": "above a quota"}, 413)
    expect(page.get_by_role("alert")).to_contain_text("above a quota")
    blob = {"sha256": "0a" * 32, "size": 3}
    with contextlib.suppress(Error):  # it may have been let go of
        answer(puts[1], blob, 201)
    drawn(page)
    page.unroute("**/blobs")
    world.answers["POST /blobs"] = Said(201, blob, "application/json")
    world.answers["POST /api/jobs"] = Said(201, {"job": 7, "tasks": 2}, "application/json")
    page.get_by_role("button", name="Submit 2 tasks").click()
    page.wait_for_url("**/jobs/7")


def test_settings_that_are_changed_at_once_are_shown_as_they_are(
    page: Page, fake: FakeServer, world: World
) -> None:
    page.goto(fake.address + "/settings")
    before = samples_pages.settings().settings
    asked = held(page, "**/api/settings", "PATCH")
    for at, one in enumerate(before[:2], start=1):
        page.get_by_role("button", name=f"Change {one.name}").click()
        page.get_by_role("dialog").get_by_label("Value").fill("5")
        page.get_by_role("button", name="Change it").click()
        arrived(page, asked, at)
        page.keyboard.press("Escape")
    first = {"settings": [replace(before[0], text="5 days"), *before[1:]]}
    both = {"settings": [first["settings"][0], replace(before[1], text="5 jobs"), *before[2:]]}
    world.answers["/api/settings"] = both
    answer(asked[1], both)
    expect(page.get_by_text("Changed keep-jobs.")).to_be_visible()
    answer(asked[0], first)
    expect(page.get_by_text("Changed keep-days.")).to_be_visible()
    drawn(page)
    expect(page.get_by_text("5 days")).to_be_visible()
    expect(page.get_by_text("5 jobs")).to_be_visible()


def test_a_job_that_has_finished_meanwhile_keeps_no_other_back(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append("409")
    world.answers["POST /api/jobs/7/pause"] = problem(409, "not_possible", "job 7 has finished")
    page = desktop.open(fake.address + "/jobs", "Jobs")
    for job in (7, 8):
        page.get_by_role("checkbox", name=f"Select job {job}").check()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("job 7 has finished")).to_be_visible()
    assert [path for _, path, _ in world.asked] == ["/api/jobs/7/pause", "/api/jobs/8/pause"]


def test_the_whole_job_is_not_the_window_that_was_seen_last(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/jobs/7")
    seen = page.locator(".timeline-tools > .soft").first
    expect(seen).to_contain_text("10 min")
    for _ in range(2):
        with page.expect_response("**/timeline?since=*"):
            page.get_by_role("button", name="Nearer").click()
    expect(seen).not_to_contain_text("10 min")
    drawn(page)
    asked = held(page, "**/timeline?steps=*")
    page.get_by_role("button", name="The whole job").click()
    arrived(page, asked)
    drawn(page)
    expect(seen).to_contain_text("10 min")
    asked[0].continue_()
