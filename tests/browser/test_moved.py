"""What someone is at stays theirs while lists change around it: focus, choices, mistakes, pages."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace
from playwright.sync_api import FilePayload, Page, expect

from dc.view_jobs import JobsPage, TasksPage
from dc.view_workers import WorkersPage
from tests.browser import samples, samples_pages
from tests.browser.fake_server import FakeServer, Query, World
from tests.browser.held import arrived, held
from tests.browser.screen import Screen

MASK: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"mask": {"type": "string", "contentEncoding": "base64"}},
    "required": ["mask"],
}


@pytest.fixture
def page(desktop: Screen) -> Page:
    return desktop.page


# --- forms --------------------------------------------------------------------------------------


def test_what_is_asked_for_has_the_focus_before_the_next_key(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/submit?type=render_frame")
    page.get_by_role("button", name="Give light a value").click()
    page.keyboard.type("0.5")
    expect(page.get_by_label("light", exact=True)).to_have_value("0.5")
    page.get_by_label("Say more:").select_option(label="submitter")
    page.keyboard.type("ada")
    expect(page.get_by_label("submitter", exact=True)).to_have_value("ada")


def test_where_one_adds_has_the_focus_when_the_last_entry_is_removed(
    page: Page, fake: FakeServer
) -> None:
    page.goto(fake.address + "/submit?type=render_frame")
    layers = page.get_by_role("group", name="layers")
    for entry in ("fog", "sky"):
        layers.get_by_role("button", name="Add an entry").click()
        page.keyboard.type(entry)
    layers.get_by_role("button", name="Leave out 2").press("Enter")
    expect(layers.get_by_role("button", name="Add an entry")).to_be_focused()
    layers.get_by_role("button", name="Leave out 1").press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("rain")
    expect(layers.get_by_role("textbox")).to_have_value("rain")


def test_a_double_click_does_a_thing_once(page: Page, fake: FakeServer, world: World) -> None:
    """Its second click may come when the button says the opposite already."""
    world.answers["POST /api/jobs/7/pause"] = samples.job(state="paused")
    page.goto(fake.address + "/jobs/7")
    page.get_by_role("button", name="Pause").click()
    resume = page.get_by_role("button", name="Resume")
    resume.hover()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    resume.click()
    expect(page.get_by_text("Resumed.")).to_be_visible()
    asked = [path for _, path, _ in world.asked]
    assert asked == ["/api/jobs/7/pause", "/api/jobs/7/resume"]


def test_a_mistake_does_not_move_to_another_task(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/submit?type=render_frame")
    for _ in range(2):
        page.get_by_role("button", name="Another task").click()
    for at, scene in enumerate(("a", "", "c"), start=1):
        task = page.get_by_role("group", name=f"Task {at}", exact=True)
        task.get_by_label("scene").fill(scene)
        task.get_by_label("frame", exact=True).fill("1")
    page.get_by_role("button", name="Submit 3 tasks").click()
    expect(page.get_by_role("alert")).to_contain_text("scene: is needed")
    page.get_by_role("button", name="Remove task 1").click()
    last = page.get_by_role("group", name="Task 2", exact=True).get_by_label("scene")
    expect(last).to_have_value("c")
    expect(last).not_to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_mistake_does_not_move_to_another_entry(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/submit?type=count_words")
    page.get_by_label("Payload", exact=True).fill("words")
    page.get_by_label("Say more:").select_option(label="after")
    after = page.get_by_role("group", name="after")
    for number in ("1", "x", "3"):
        after.get_by_role("button", name="Add an entry").click()
        page.keyboard.type(number)
    page.get_by_role("button", name="Submit 1 task").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a whole number")
    after.get_by_role("button", name="Leave out 1").click()
    last = after.get_by_role("textbox", name="2")
    expect(last).to_have_value("3")
    expect(last).not_to_have_attribute("aria-invalid", "true")


def test_a_file_goes_with_its_task(page: Page, fake: FakeServer, world: World) -> None:
    types = samples_pages.types()
    types["types"][0] |= {"name": "cut_out", "payload_schema": MASK}
    world.answers["/api/types"] = types
    page.goto(fake.address + "/submit?type=cut_out")
    page.get_by_role("button", name="Another task").click()
    first = page.get_by_role("group", name="Task 1", exact=True)
    file = FilePayload(name="a.bin", mimeType="application/octet-stream", buffer=b"abc")
    first.get_by_label("A file for mask").set_input_files(file)
    expect(first.get_by_label("mask", exact=True)).to_have_value("YWJj")
    page.get_by_role("button", name="Remove task 1").click()
    expect(page.get_by_label("mask", exact=True)).to_have_value("")
    expect(page.get_by_label("A file for mask")).to_have_value("")


def test_another_type_and_back_finds_what_was_filled_in(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/submit?type=render_frame")
    page.get_by_label("scene").fill("attic")
    page.get_by_label("name", exact=True).fill("Attic")
    choice = page.get_by_label("Task type")
    choice.select_option(label="count_words 1")
    expect(page.get_by_label("name", exact=True)).to_have_value("")
    page.get_by_label("Payload", exact=True).fill("words")
    choice.select_option(label="render_frame 2.1")
    expect(page.get_by_label("scene")).to_have_value("attic")
    expect(page.get_by_label("name", exact=True)).to_have_value("Attic")
    page.go_back()
    expect(page.get_by_label("Payload", exact=True)).to_have_value("words")


# --- lists --------------------------------------------------------------------------------------


def test_undo_of_several_leaves_what_was_selected_since(
    page: Page, fake: FakeServer, world: World
) -> None:
    for deed in ("pause", "resume"):
        world.answers[f"POST /api/jobs/7/{deed}"] = samples.job()
    page.goto(fake.address + "/jobs")
    page.get_by_label("Select job 7").check()
    bulk = page.get_by_role("group", name="Selected jobs")
    bulk.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("1 job paused.")).to_be_visible()
    expect(bulk).to_have_count(0)
    other = page.get_by_label("Select job 6")
    other.check()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    expect(other).to_be_checked()


def test_what_needs_attention_keeps_the_focus_while_its_words_change(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.locator(".live")).to_have_text("Live")
    link = page.get_by_role("link", name="Look at it: sick")
    link.focus()
    view = samples.overview()
    first, sick = view.attention
    changed = [first, replace(sick, text="it goes on for 12 s more")]
    world.push("overview", replace(view, attention=changed))
    expect(page.get_by_text("it goes on for 12 s more")).to_be_visible()
    expect(link).to_be_focused()


def test_a_traceback_stays_that_of_its_task_while_others_fail(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    world.answers["/api/jobs/7/tasks/880110"] = samples.task(880_110)
    page = desktop.open(fake.address + "/jobs/7", "Winter film, reel 2")
    expect(page.locator(".live")).to_have_text("Live")
    page.get_by_role("button", name="Show the traceback of task 880110").click()
    group = samples.group(count=98_765, first=3, last=900_000)
    world.answers["/api/jobs/7/figures"] = replace(samples.figures(), failures=[group])
    world.push("job:7", samples.job(rate=1.0))
    expect(page.get_by_text("98,765")).to_be_visible()
    expect(page.get_by_role("button", name="Hide the traceback of task 880110")).to_be_visible()
    expect(page.get_by_role("group", name="traceback of task 880110")).to_be_visible()


def test_a_worker_that_has_gone_is_not_meant_any_more(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    page = desktop.open(fake.address + "/workers", "Workers")
    expect(page.locator(".live")).to_have_text("Live")
    for name in ("lab-01", "lab-04"):
        page.get_by_label(f"Select {name}").check()
    left = [one for one in samples_pages.workers() if one.name != "lab-04"]
    world.push("workers", WorkersPage(left))
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused lab-01")).to_be_visible()
    assert world.asked == [("POST", "/api/workers/pause", {"names": ["lab-01"], "exact": True})]


# --- pages of lists -----------------------------------------------------------------------------


def test_a_page_of_a_list_is_turned_once_however_often_one_presses(
    page: Page, fake: FakeServer, world: World
) -> None:
    def jobs(query: Query) -> object:
        return JobsPage(samples.jobs()[3:] if "cursor" in query else samples.jobs(), "c2")

    world.answers["/api/jobs"] = jobs
    page.goto(fake.address + "/jobs")
    asked = held(page, "**/api/jobs?*cursor=c2*")
    page.get_by_role("button", name="Next").click()
    arrived(page, asked)
    page.get_by_role("button", name="Next").click()
    asked[0].continue_()
    expect(page.get_by_role("link", name="Winter film, reel 2")).to_have_count(0)
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_role("link", name="Winter film, reel 2")).to_be_visible()
    assert "cursor" not in page.url


def test_after_a_look_at_a_result_the_page_before_is_still_the_one_before(
    page: Page, fake: FakeServer, world: World
) -> None:
    def done(query: Query) -> object:
        at = int(query.get("cursor", "0"))
        return TasksPage([samples.task(at, state="done", result_size=3)], str(at + 1))

    world.answers["/api/jobs/7/tasks"] = done
    page.goto(fake.address + "/jobs/7?tab=results")
    for at in (1, 2):
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_role("link", name=f"{at}", exact=True)).to_be_visible()
    page.get_by_role("button", name="Look at the result of task 2").click()
    expect(page.get_by_role("heading", name="Result of task 2")).to_be_visible()
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_role("link", name="1", exact=True)).to_be_visible()
