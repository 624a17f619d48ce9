"""Pages that wait, have nothing to show, are refused something, or have lost the server."""

from __future__ import annotations

from msgspec.structs import replace
from playwright.sync_api import Route, expect

from dc.view_jobs import CountsView, JobsPage, Left, TasksPage
from dc.view_workers import WorkersPage
from tests.browser import samples
from tests.browser.fake_server import FakeServer, World, problem
from tests.browser.screen import Screen

# What the browser itself says of answers that are no success.
REFUSED = "Failed to load resource"
LOST = [
    "ERR_CONNECTION", "ERR_CONTENT_LENGTH_MISMATCH", "ERR_EMPTY", "ERR_INCOMPLETE",
]  # fmt: skip


# --- loading, empty, wrong ----------------------------------------------------------------------


def test_a_slow_server_is_waited_for_in_place(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    world.delay = 1.0
    page = desktop.open(fake.address + "/jobs", "Jobs")
    expect(page.get_by_role("status").filter(has_text="Loading")).to_be_visible()
    expect(page.get_by_role("link", name="Winter film, reel 2")).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)


def test_a_new_server_says_what_to_do_first(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    nothing = samples.status(tasks=CountsView(), jobs={}, workers=0, slots=0, busy=0, rate=0.0)
    left = Left(0, None, None, None, None, "nothing is left")
    world.answers["/api/overview"] = samples.overview(
        status=nothing, left=left, attention=[], failures=[]
    )
    world.answers["/api/jobs"] = JobsPage([])
    world.answers["/api/history"] = {"step": 10.0, "at": [], "series": {}}
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.get_by_text("Nothing is to be done.")).to_be_visible()
    expect(page.get_by_text("Nothing has been counted yet")).to_be_visible()
    expect(page.get_by_text("No worker is here")).to_be_visible()
    desktop.check()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Jobs").click()
    expect(page.get_by_text("There is no job yet.")).to_be_visible()
    desktop.check()


def test_what_the_server_refuses_is_said_in_its_words(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append(REFUSED)
    text = "there is no job 12: it may have been removed after 30 days"
    world.answers["/api/jobs/12"] = problem(404, "unknown_job", text)
    page = desktop.open(fake.address + "/jobs/12", "Job 12")
    expect(page.get_by_role("alert")).to_contain_text(text)
    desktop.check()


def test_a_job_that_appears_after_all_is_shown_without_loading_the_page(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append(REFUSED)
    page = desktop.open(fake.address + "/jobs/12", "Job 12")
    world.answers["/api/jobs/12"] = samples.job(12, name="Late")
    world.answers["/api/jobs/12/figures"] = samples.figures(12)
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", level=1, name="Late").wait_for()


# --- live ---------------------------------------------------------------------------------------


def test_what_the_stream_says_is_shown(desktop: Screen, fake: FakeServer, world: World) -> None:
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.locator(".live")).to_have_text("Live")
    world.push("overview", samples.overview(status=samples.status(rate=777.0)))
    expect(page.get_by_text("777/s")).to_be_visible()
    world.push("overview", samples.overview(status=samples.status(rate=778.0)))
    expect(page.get_by_text("778/s")).to_be_visible()


def test_a_job_goes_on_under_ones_eyes(desktop: Screen, fake: FakeServer, world: World) -> None:
    page = desktop.open(fake.address + "/jobs/7", "Winter film, reel 2")
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    over = CountsView(1_000_000, done=999_271, failed=729)
    world.push("job:7", samples.job(state="failed", counts=over, left=None))
    expect(page.get_by_text("999,271 done")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_a_list_goes_on_after_it_was_asked_for_anew(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    page = desktop.open(fake.address + "/jobs", "Jobs")
    expect(page.locator(".live")).to_have_text("Live")
    page.get_by_role("checkbox", name="Select job 7").check()
    world.push("jobs", JobsPage(samples.jobs()))  # it is asked for in a second, and at once
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("1 job paused.")).to_be_visible()
    world.answers["/api/jobs"] = JobsPage([samples.job(70, name="Late")])
    page.wait_for_timeout(1_500)
    world.push("jobs", JobsPage([]))
    expect(page.get_by_role("link", name="Late")).to_be_visible()


def test_output_is_followed(desktop: Screen, fake: FakeServer, world: World) -> None:
    running = replace(samples.tasks()[2], output_size=6)
    world.answers["/api/jobs/7/tasks/2"] = running
    first = replace(samples.output(), number=2, text="first\n", total=6, next=6, live=True)
    world.answers["/api/jobs/7/tasks/2/output"] = first
    page = desktop.open(fake.address + "/jobs/7/tasks/2", "Task 2")
    output = page.get_by_label("output", exact=True)
    expect(output).to_have_text("first\n")
    world.push("output:7/2", replace(first, start=6, text="second\n", total=13, next=13))
    expect(output).to_have_text("first\nsecond\n")
    expect(page.get_by_role("checkbox", name="Follow")).to_be_checked()
    desktop.check()


def test_without_a_stream_the_page_asks_again_and_again(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected.append(REFUSED)
    world.streams = False
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.locator(".live")).to_have_text("Every 2 s")
    world.answers["/api/overview"] = samples.overview(status=samples.status(rate=555.0))
    expect(page.get_by_text("555/s")).to_be_visible()


def test_a_lost_server_is_said_and_found_again(
    desktop: Screen, fake: FakeServer, world: World
) -> None:
    desktop.expected += LOST
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.locator(".live")).to_have_text("Live")
    fake.stop()
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    expect(page.get_by_text("412/s")).to_be_visible()  # what was there last stays to be read
    desktop.check()
    world.answers["/api/overview"] = samples.overview(status=samples.status(rate=888.0))
    world.push("overview", samples.overview(status=samples.status(rate=888.0)))
    with page.expect_request("**/api/**"):
        page.get_by_role("button", name="Try now").click()
    fake.start()  # and it is tried again by itself
    expect(page.locator(".live")).to_have_text("Live")
    expect(page.get_by_text("The server does not answer")).to_have_count(0)
    expect(page.get_by_text("888/s")).to_be_visible()


def test_a_server_that_is_back_is_live_soon_though_its_stream_failed_once_more(
    desktop: Screen, fake: FakeServer
) -> None:
    desktop.expected += [*LOST, "ERR_FAILED"]  # the last one is the stream that is refused here
    page = desktop.open(fake.address + "/", "Overview")
    expect(page.locator(".live")).to_have_text("Live")
    fake.stop()
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    refused: list[bool] = []  # streams that were, and whether the server was there

    def once(route: Route) -> None:
        if any(refused):
            route.continue_()
        else:
            refused.append(fake.answers)
            route.abort()

    page.route("**/api/stream?*", once)
    fake.start()
    # Where a stream was refused by a server that is there, it is tried again after half a minute.
    expect(page.locator(".live")).to_have_text("Live", timeout=20_000)
    assert any(refused)


# --- addresses ----------------------------------------------------------------------------------


def test_each_view_has_its_address(desktop: Screen, fake: FakeServer, world: World) -> None:
    asked: list[dict[str, str]] = []

    def jobs(query: dict[str, str]) -> object:
        asked.append(query)
        return {"jobs": [], "next": None} if "cursor" in query else JobsPage(samples.jobs(), "c9")

    world.answers["/api/jobs"] = jobs
    page = desktop.open(fake.address + "/jobs", "Jobs")
    page.get_by_role("combobox", name="State").select_option("failed")
    page.get_by_role("searchbox", name="Search by name").fill("film")
    expect(page).to_have_url(fake.address + "/jobs?state=failed&search=film")
    page.get_by_role("button", name="Submitted").click()
    expect(page).to_have_url(
        fake.address + "/jobs?state=failed&search=film&sort=created&order=desc"
    )
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("No job is like that")).to_be_visible()
    assert asked[-1]["cursor"] == "c9"
    assert asked[-1]["state"] == "failed"
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_role("link", name="Reel 1")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("No job is like that")).to_be_visible()
    page.reload()
    expect(page.get_by_role("combobox", name="State")).to_have_value("failed")


def test_what_is_typed_stays_while_it_is_searched_for(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.open(fake.address + "/jobs", "Jobs")
    box = page.get_by_role("searchbox", name="Search by name")
    box.press_sequentially("film ")
    expect(page).to_have_url(fake.address + "/jobs?search=film")
    box.press_sequentially("two")
    expect(page).to_have_url(fake.address + "/jobs?search=film+two")
    expect(box).to_have_value("film two")
    page.get_by_role("button", name="Clear filters").click()
    expect(box).to_have_value("")


def test_a_new_page_begins_at_its_heading(desktop: Screen, fake: FakeServer, world: World) -> None:
    world.answers["/api/workers"] = WorkersPage([])
    page = desktop.open(fake.address + "/", "Overview")
    page.get_by_role("link", name="Winter film, reel 2").first.click()
    heading = page.get_by_role("heading", level=1, name="Winter film, reel 2")
    expect(heading).to_be_focused()
    expect(page).to_have_title("Winter film, reel 2 · job 7 · dc")


def test_all_is_reached_by_keyboard(desktop: Screen, fake: FakeServer, world: World) -> None:
    world.answers["/api/jobs/7/tasks"] = TasksPage(samples.tasks())
    page = desktop.open(fake.address + "/jobs/7?tab=tasks", "Winter film, reel 2")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("spinbutton", name="Task").focus()
    page.keyboard.type("1048")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Task 1048").wait_for()


def test_colours_can_be_chosen_and_stay(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.open(fake.address + "/", "Overview")
    page.get_by_role("button", name="Colours: as the system").click()
    page.get_by_role("button", name="Colours: light").click()
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(16, 19, 23)"
    page.reload()
    page.get_by_role("button", name="Colours: dark").wait_for()
    assert page.evaluate(background) == "rgb(16, 19, 23)"


def test_a_phone_has_a_menu(phone: Screen, fake: FakeServer) -> None:
    page = phone.open(fake.address + "/", "Overview")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("heading", level=1, name="Jobs").wait_for()
    expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "false")
    phone.check()
