"""The pages of workers, submitting, plugins, settings and events, against a made-up server."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser import samples, samples_pages
from tests.browser.fake_server import FakeServer, Said, World, problem, usual
from tests.browser.screen import OF_LOOKS, PHONE_DARK, Screen

PATHS: Final = (
    ("/workers", "old-laptop"),
    ("/workers?state=sick&sort=failing&order=desc", "old-laptop"),
    ("/workers/lab-01", "What runs"),
    ("/workers/old-laptop", "ImportError"),
    ("/submit", "choose…"),
    ("/submit?type=render_frame", "shadows"),
    ("/submit?type=shrink", "dropped"),
    ("/plugins", "colour-1.2"),
    ("/plugins?tab=types", "Count the words"),
    ("/events", "the server started"),
    ("/settings", "quota-job"),
    ("/jobs/7", "Timeline"),
)


@pytest.fixture
def world() -> World:
    return World(usual() | samples_pages.answers())


@pytest.fixture
def page(desktop: Screen) -> Page:
    return desktop.page


@pytest.mark.parametrize(("path", "text"), PATHS, ids=[path for path, _ in PATHS])
def test_everybody_can_use_each_page(
    path: str, text: str, desktop: Screen, fake: FakeServer
) -> None:
    page = desktop.open(fake.address + path)
    expect(page.get_by_text(text).first).to_be_attached()
    expect(page.locator(".loading")).to_have_count(0)
    desktop.check()
    desktop.become(PHONE_DARK)
    desktop.check(OF_LOOKS)


def test_a_page_that_cannot_be_had_says_so(desktop: Screen, world: World, fake: FakeServer) -> None:
    world.answers |= {
        path: problem(503, "trouble", "the disk is full")
        for path in ("/api/workers", "/api/events", "/api/settings", "/api/plugins", "/api/types")
    }
    desktop.expected = ["503"]
    for path in ("/workers", "/events", "/settings", "/plugins", "/submit"):
        desktop.page.goto(fake.address + path)
        expect(desktop.page.get_by_text("the disk is full").first).to_be_visible()


def test_empty_pages_say_what_would_be_there(page: Page, world: World, fake: FakeServer) -> None:
    world.answers |= {
        "/api/workers": {"workers": []},
        "/api/events": {"events": []},
        "/api/plugins": {"plugins": [], "broken": {}},
        "/api/types": {"types": [], "broken": {}},
        "/api/submitters": {"submitters": []},
    }
    for path, text in (
        ("/workers", "No worker has come yet"),
        ("/workers?search=x", "No worker is like that"),
        ("/events", "Nothing has happened yet"),
        ("/plugins", "ships no plugins"),
        ("/submit", "no task types yet"),
        ("/settings", "Nobody has submitted"),
    ):
        page.goto(fake.address + path)
        expect(page.get_by_text(text).first).to_be_visible()


def made(body: object) -> Said:
    """Return the answer that something was made."""
    return Said(201, body, "application/json")


# --- workers ------------------------------------------------------------------------------------


def test_workers_are_looked_for_by_the_server(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers")
    with page.expect_request("**/api/workers?*search=lab*"):
        page.get_by_label("Search workers").fill("lab")
    with page.expect_request("**/api/workers?state=sick&*"):
        page.get_by_role("combobox", name="State").select_option("sick")
    with page.expect_request("**/api/workers?*sort=failing&order=desc*"):
        page.get_by_role("button", name="Failing most first").click()
    assert "sort=failing" in page.url
    page.reload()  # all of it stands in the address
    expect(page.get_by_label("Search workers")).to_have_value("lab")
    expect(page.get_by_role("combobox", name="State")).to_have_value("sick")


def test_many_workers_at_once_and_back(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers")
    page.get_by_label("Select lab-01").check()
    page.get_by_label("Select lab-04").check()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    meant = {"names": ["lab-01", "lab-04"], "exact": True}
    assert world.asked == [
        ("POST", "/api/workers/pause", meant),
        ("POST", "/api/workers/resume", meant),
    ]


def test_what_destroys_is_asked_for_first(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers")
    page.get_by_label("Select all that are shown").check()
    expect(page.get_by_text("5 selected")).to_be_visible()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it as it is").click()
    expect(page.get_by_role("button", name="Delete…")).to_be_focused()
    assert world.asked == []
    page.get_by_role("button", name="Stop…").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop it").click()
    expect(page.get_by_text("Told 5 workers to stop")).to_be_visible()
    assert world.asked[0][1] == "/api/workers/stop"


def test_all_that_a_filter_matches(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["/api/workers"] = {"workers": samples_pages.workers(), "next": "x"}
    page.goto(fake.address + "/workers?state=sick&label=room%3Dlab")
    page.get_by_label("Select all that are shown").check()
    page.get_by_role("button", name="Select all that the filter matches").click()
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("takes nothing new")).to_be_visible()
    meant = {"states": ["sick"], "labels": {"room": "lab"}, "all": True}
    assert world.asked == [("POST", "/api/workers/drain", meant)]


def test_a_worker_is_drained_renamed_and_labelled(
    page: Page, world: World, fake: FakeServer
) -> None:
    page.goto(fake.address + "/workers/lab-01")
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("takes nothing new")).to_be_visible()
    page.get_by_role("button", name="Rename…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("lab-09")
    page.get_by_role("button", name="Rename it").click()
    expect(page.get_by_text("It is called lab-01 now")).to_be_visible()  # as the server says
    page.get_by_role("button", name="Take the label room away").click()
    expect(page.get_by_text("Took the label room away")).to_be_visible()
    page.get_by_role("button", name="Set a label…").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Label").fill("floor")
    page.get_by_role("dialog").get_by_label("Value").fill("3")
    page.get_by_role("button", name="Set the label").click()
    expect(page.get_by_text("Changed the label")).to_be_visible()
    assert world.asked == [
        ("POST", "/api/workers/drain", {"names": ["lab-01"], "exact": True}),
        ("PATCH", "/api/workers/lab-01", {"name": "lab-09"}),
        ("PATCH", "/api/workers/lab-01", {"labels": {"room": None}}),
        ("POST", "/api/workers/set",
         {"names": ["lab-01"], "exact": True, "set": {"labels": {"floor": "3"}}}),
    ]  # fmt: skip


def test_a_worker_that_is_paused_is_resumed(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/desk-ann")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Resumed desk-ann")).to_be_visible()


def test_vitals_are_drawn_as_they_come(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/lab-01")
    expect(page.get_by_text("97 % busy")).to_be_visible()
    calm = samples.worker(vitals=samples_pages.calm_vitals())
    world.push("worker:lab-01", calm)
    expect(page.get_by_text("20 % busy")).to_be_visible()
    page.locator(".as-table summary").first.click()
    # What is asked for first and what the stream says first may be one look or two.
    rows = page.get_by_role("group", name="Processors in use").locator("tbody tr")
    expect(rows.nth(1)).to_be_visible()


# --- submitting ---------------------------------------------------------------------------------


def submitted(world: World) -> list[Any]:
    """Return the lines of the job that was submitted last."""
    method, path, body = world.asked[-1]
    assert (method, path) == ("POST", "/api/jobs")
    return [json.loads(line) for line in body.splitlines()]


def test_a_job_by_its_form(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["POST /api/jobs"] = made({"job": 7, "tasks": 2, "warning": ""})
    page.goto(fake.address + "/submit")
    page.get_by_label("Task type").select_option(label="render_frame 2.1")
    page.get_by_label("scene").fill("attic")
    page.get_by_label("frame", exact=True).fill("12")
    page.get_by_label("quality").select_option("best")
    page.get_by_role("button", name="Give light a value").click()
    page.get_by_label("light", exact=True).fill("0.5")
    page.get_by_role("group", name="layers").get_by_role("button", name="Add an entry").click()
    page.keyboard.type("fog")  # what was added has the focus
    page.get_by_role("button", name="A copy of the last").click()
    page.get_by_role("group", name="Task 2").get_by_label("frame", exact=True).fill("13")
    page.get_by_label("name", exact=True).fill("Reel 3")
    page.get_by_label("timeout").fill("10m")
    page.get_by_label("Say more:").select_option(label="deadline")
    page.get_by_label("deadline", exact=True).fill("2027-01-02T03:04")
    with page.expect_request("**/api/jobs") as asked:
        page.get_by_role("button", name="Submit 2 tasks").dblclick()
    page.wait_for_url("**/jobs/7")
    assert len(asked.value.headers["idempotency-key"]) == 32
    head, *payloads = submitted(world)
    assert head == {
        "type": "render_frame",
        "version": "2.1",
        "options": {"name": "Reel 3", "timeout": 600, "deadline": 1_798_855_440},
    }
    one = {
        "scene": "attic", "frame": 12, "size": {"width": 640, "height": 480}, "quality": "best",
        "light": 0.5, "layers": ["fog"], "shadows": True,
    }  # fmt: skip
    assert payloads == [one, one | {"frame": 13}]
    assert len([1 for method, path, _ in world.asked if path == "/api/jobs"]) == 1


def test_mistakes_are_shown_at_their_fields(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    page = desktop.page
    page.goto(fake.address + "/submit?type=render_frame")
    page.get_by_role("button", name="Submit 1 task").click()
    expect(page.get_by_role("alert")).to_contain_text("scene: is needed")
    expect(page.get_by_label("scene")).to_be_focused()
    expect(page.get_by_label("scene")).to_have_attribute("aria-invalid", "true")
    desktop.check()
    assert world.asked == []


def test_what_the_server_finds_wrong_is_shown_at_its_field(
    desktop: Screen, page: Page, world: World, fake: FakeServer
) -> None:
    desktop.expected = ["400"]
    text = "payload 0: payload of render_frame must be Frame: Expected `int` >= 0 - at `$.frame`"
    world.answers["POST /api/jobs"] = problem(400, "payload", text)
    page.goto(fake.address + "/submit?type=render_frame")
    page.get_by_label("scene").fill("attic")
    page.get_by_label("frame", exact=True).fill("1")
    page.get_by_role("button", name="Submit 1 task").click()
    expect(page.get_by_role("alert")).to_contain_text("Expected `int` >= 0")
    expect(page.get_by_label("frame", exact=True)).to_have_attribute("aria-invalid", "true")


def test_a_job_by_lines(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["POST /api/jobs"] = made({"job": 7, "tasks": 2, "warning": "nobody can"})
    page.goto(fake.address + "/submit?type=count_words")
    page.get_by_role("button", name="JSON lines").click()
    box = page.get_by_label("Payloads, one a line")
    box.fill('"one two"\nthree')
    expect(page.get_by_text("line 2 is not JSON").first).to_be_visible()
    box.fill('"one two"\n\n"three"')
    page.get_by_role("button", name="Submit 2 tasks").click()
    expect(page.get_by_text("nobody can")).to_be_visible()  # a warning goes along to the job's page
    assert submitted(world)[1:] == ["one two", "three"]


def test_a_job_of_files(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["POST /blobs"] = made({"sha256": "0a" * 32, "size": 3})
    world.answers["POST /api/jobs"] = made({"job": 7, "tasks": 2, "warning": ""})
    page.goto(fake.address + "/submit?type=shrink")
    page.get_by_label("Files", exact=True).set_input_files(
        [
            FilePayload(name="a.png", mimeType="image/png", buffer=b"abc"),
            FilePayload(name="<b>b</b>.png", mimeType="image/png", buffer=b"def"),
        ]
    )
    expect(page.get_by_text("<b>b</b>.png")).to_be_visible()
    page.get_by_role("button", name="Submit 2 tasks").click()
    page.wait_for_url("**/jobs/7")
    blob = {"blob": "0a" * 32, "size": 3}
    assert submitted(world)[1:] == [blob, blob]
    assert sorted(body for _, path, body in world.asked if path == "/blobs") == [b"abc", b"def"]


def test_submitting_again_after_a_lost_answer_has_the_same_key(
    desktop: Screen, page: Page, world: World, fake: FakeServer
) -> None:
    desktop.expected = ["503"]
    world.answers["POST /api/jobs"] = problem(503, "trouble", "try again")
    page.goto(fake.address + "/submit?type=count_words")
    keys = []
    for _ in range(2):
        with page.expect_request("**/api/jobs") as asked:
            page.get_by_role("button", name="Submit 1 task").click()
        keys.append(asked.value.headers["idempotency-key"])
        expect(page.get_by_role("alert")).to_contain_text("try again")
    page.get_by_label("Payload", exact=True).fill("other words")
    with page.expect_request("**/api/jobs") as asked:
        page.get_by_role("button", name="Submit 1 task").click()
    assert keys[0] == keys[1] != asked.value.headers["idempotency-key"]


# --- plugins, events, settings ------------------------------------------------------------------


def test_from_a_plugin_to_its_type_to_a_job(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/plugins")
    page.get_by_role("link", name="render_frame 2.1").click()
    page.get_by_role("main").get_by_role("link", name="Submit").click()
    expect(page.get_by_label("scene")).to_be_visible()


def test_events_are_filtered_and_followed(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/events")
    with page.expect_request("**/api/events?kind=job&*"):
        page.get_by_label("About").select_option("job")
    with page.expect_request("**/api/events?kind=job&level=error&*"):
        page.get_by_label("Level").select_option("error")
    page.goto(fake.address + "/events")
    expect(page.get_by_text("job 6 was paused")).to_be_visible()
    more = samples_pages.events()
    world.answers["/api/events"] = {"events": [more.events[1]], "next": None}
    world.push("events", more.events[1])
    expect(page.get_by_text("job 6 was paused")).to_be_hidden()
    page.get_by_role("button", name="Following").click()
    expect(page.get_by_role("button", name="Follow", exact=True)).to_be_visible()


def test_events_lead_to_what_they_are_about(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/events")
    page.get_by_role("link", name="old-laptop").click()
    expect(page.get_by_role("heading", name="old-laptop")).to_be_visible()


def test_settings_are_changed_and_changed_back(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/settings")
    page.get_by_role("button", name="Change keep-days").click()
    page.get_by_role("dialog").get_by_label("Value").fill("7")
    page.get_by_role("button", name="Change it").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    page.get_by_role("button", name="Reset quota-job").click()
    page.get_by_role("button", name="Reset it").click()
    expect(page.get_by_text("Reset quota-job.")).to_be_visible()
    assert world.asked == [
        ("PATCH", "/api/settings", {"keep-days": "7"}),
        ("PATCH", "/api/settings", {"keep-days": None}),
        ("PATCH", "/api/settings", {"quota-job": None}),
    ]


def test_a_submitter_is_given_a_weight(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/settings")
    page.get_by_role("button", name="Change the weight of ada@desk").click()
    page.get_by_role("dialog").get_by_label("Weight").fill("3")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("Changed the weight of ada@desk")).to_be_visible()
    assert world.asked == [("PATCH", "/api/submitters/ada%40desk", {"weight": 3})]


# --- the timeline -------------------------------------------------------------------------------


def test_the_timeline_by_keyboard(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.page
    page.goto(fake.address + "/jobs/7")
    plot = page.get_by_role("application")
    plot.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("busy", exact=False).last).to_be_visible()
    expect(page.locator(".timeline-said")).to_contain_text("lab-01")
    for _ in range(3):
        with page.expect_request("**/timeline?since=*"):
            page.keyboard.press("+")
    expect(page.get_by_role("button", name="The whole job")).to_be_enabled()
    # What was chosen stays chosen, and near enough it is a single task.
    expect(page.locator(".timeline-said")).to_contain_text("Task 0 on lab-01")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".timeline-said")).to_contain_text("Task 10 on lab-04")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/7/tasks/10")


def test_the_timeline_as_a_table(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/jobs/7")
    page.locator("section", has_text="Timeline").locator(".as-table summary").last.click()
    table = page.get_by_role("group", name="Workers of this job in the time that is shown")
    expect(table.locator("tbody tr")).to_have_count(3)
