"""Workers, submitting, settings and events, on a real server with real workers."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from playwright.sync_api import FilePayload, expect

from tests.browser.screen import Screen
from tests.system.processes import Server


def test_a_job_is_submitted_by_its_form_and_runs(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/plugins?tab=types&type=square")
    page.get_by_role("main").get_by_role("link", name="Submit").click()
    page.get_by_role("heading", level=1, name="Submit a job").wait_for()
    page.get_by_label("Payload").fill("12")
    page.get_by_role("button", name="Another task").click()
    page.get_by_role("group", name="Task 2").get_by_label("Payload").fill("5")
    page.get_by_label("name", exact=True).fill("Squares of the page")
    page.get_by_role("button", name="Submit 2 tasks").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Squares of the page")
    expect(page.get_by_text("2 done").first).to_be_visible()
    page.goto(f"{real.address}/events?kind=job")
    expect(page.get_by_role("row").filter(has_text="job.submitted").first).to_be_visible()


def test_what_the_server_refuses_is_shown_at_its_field(desktop: Screen, real: Server) -> None:
    desktop.expected = ["400"]
    page = desktop.open(f"{real.address}/submit?type=square")
    page.get_by_role("button", name="JSON lines").click()
    page.get_by_label("Payloads, one a line").fill('1\n"two"')
    page.get_by_role("button", name="Submit 2 tasks").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 2")
    expect(page.get_by_role("alert")).to_contain_text("Expected `int`, got `str`")


def test_files_become_tasks(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/submit?type=noop")
    page.get_by_label("Files", exact=True).set_input_files(
        [
            FilePayload(name="a", mimeType="text/plain", buffer=b"first"),
            FilePayload(name="b", mimeType="text/plain", buffer=b"x" * 300_000),
        ]
    )
    page.get_by_role("button", name="Submit 2 tasks").click()
    expect(page.get_by_text("2 done").first).to_be_visible()


def test_inputs_go_along_by_their_names(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/submit?type=square")
    page.get_by_label("Payload").fill("7")
    data = FilePayload(name="words.txt", mimeType="text/plain", buffer=b"one two")
    page.get_by_label("inputs", exact=True).set_input_files([data, data])
    page.get_by_role("button", name="Submit 1 task").click()
    expect(page.get_by_role("alert")).to_contain_text("is there twice")
    page.get_by_role("button", name="Remove words.txt").last.click()
    page.get_by_label("Name of words.txt").fill("text")
    page.get_by_role("button", name="Submit 1 task").click()
    expect(page.get_by_text("1 done").first).to_be_visible()
    page.goto(f"{page.url}?tab=options")
    expect(page.get_by_role("link", name="text", exact=True)).to_be_visible()


def test_tasks_are_copied_and_taken_away_again(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/submit?type=square")
    page.get_by_label("Payload").fill("3")
    for _ in range(2):
        page.get_by_role("button", name="A copy of the last").click()
    page.get_by_role("button", name="Remove task 2").click()
    page.get_by_role("button", name="Submit 2 tasks").click()
    expect(page.get_by_text("2 done").first).to_be_visible()


def test_a_file_of_lines_becomes_a_job(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/submit?type=square")
    page.get_by_role("button", name="JSON lines").click()
    lines = FilePayload(name="a.ndjson", mimeType="application/x-ndjson", buffer=b"1\n2\n3\n")
    page.get_by_label("Or a file of such lines").set_input_files([lines])
    page.get_by_role("button", name="Submit 3 tasks").click()
    expect(page.get_by_text("3 done").first).to_be_visible()


def test_a_plugin_is_downloaded(desktop: Screen, real: Server) -> None:
    desktop.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = desktop.open(f"{real.address}/plugins", "Plugins")
    plugin = page.get_by_role("region", name="Plugin shown")
    with page.expect_download() as started:
        plugin.get_by_role("link", name="Archive").click()
    assert started.value.path().read_bytes().startswith(b"PK")
    plugin.get_by_role("button", name="Copy the SHA-256").click()
    expect(page.locator(".toast")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == hashlib.sha256(started.value.path().read_bytes()).hexdigest()
    page.get_by_role("link", name="Task types", exact=True).click()
    types = page.get_by_role("region", name="Task type count_words")
    expect(types).to_contain_text("Count the words of a text.")


def test_events_are_filtered(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/workers/lab-01", "lab-01")
    page.get_by_role("link", name="All of them").click()
    rows = page.get_by_role("table", name="Events").get_by_role("rowheader")
    expect(rows.first).to_contain_text("lab-01")
    page.get_by_role("button", name="Not only of lab-01").click()
    page.get_by_role("combobox", name="About").select_option("server")
    expect(rows.last).to_contain_text("the server started")
    page.get_by_role("combobox", name="Level").select_option("error")
    expect(page.get_by_text("Nothing like that has happened.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("searchbox", name="Search events").fill("server started")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Following").click()
    page.get_by_role("button", name="Follow", exact=True).click()
    expect(page.get_by_role("button", name="Following")).to_be_visible()


def test_a_submitter_is_given_another_weight(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/settings", "Settings")
    row = page.get_by_role("table", name="Who submits jobs").get_by_role("row").nth(1)
    row.get_by_role("button", name="Change the weight").click()
    page.get_by_role("dialog").get_by_label("Weight").fill("2.5")
    desktop.check()
    page.get_by_role("button", name="Change it").click()
    expect(row).to_contain_text("2.5")
    page.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("cell").first).to_have_text("1")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    assert started.value.path().stat().st_size > 10_000


def test_a_worker_is_paused_resumed_and_renamed(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/workers")
    page.get_by_role("link", name="lab-02").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused by an operator")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("paused by an operator")).to_be_hidden()
    for name in ("attic, 2 % left", "lab-02"):
        page.get_by_role("button", name="Rename…").click()
        page.get_by_role("dialog").get_by_label("Name").fill(name)
        page.get_by_role("button", name="Rename it").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert page.url.endswith(f"/workers/{quote(name)}")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("paused")).first).to_be_visible()  # among its events
    desktop.check()


def test_a_setting_is_changed_and_reset(desktop: Screen, real: Server) -> None:
    page = desktop.open(f"{real.address}/settings")
    row = page.get_by_role("row").filter(has_text="keep-days")
    row.get_by_role("button", name="Change keep-days").click()
    page.get_by_role("dialog").get_by_label("Value").fill("12")
    page.get_by_role("button", name="Change it").click()
    expect(row).to_contain_text("12 days")
    expect(row).to_contain_text("operator")
    row.get_by_role("button", name="Reset keep-days").click()
    page.get_by_role("button", name="Reset it").click()
    expect(row).to_contain_text("default")


def test_a_setting_that_cannot_be_is_refused(desktop: Screen, real: Server) -> None:
    desktop.expected = ["400"]
    page = desktop.open(f"{real.address}/settings")
    page.get_by_role("button", name="Change keep-days").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Value").fill("soon")
    page.get_by_role("button", name="Change it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("keep-days")
    expect(dialog.get_by_label("Value")).to_have_value("soon")
    desktop.check()
    dialog.get_by_label("Value").fill("9")
    page.get_by_role("button", name="Change it").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="keep-days")).to_contain_text("9")
