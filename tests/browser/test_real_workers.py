"""What operators do with workers on the page, on a real server; some of these end by it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import trio
from playwright.sync_api import Locator, Page, expect

from tests.browser.busy import Busy
from tests.browser.screen import Screen
from tests.system.processes import Program

NAMES = ("attic", "spare", "bench-01", "bench-02")


@dataclass(frozen=True)
class Bench:
    """Workers that no other test needs."""

    address: str
    programs: dict[str, Program]

    def ended(self, name: str) -> None:
        """Wait until the program of one has ended."""
        trio.run(self.programs[name].ended)


@pytest.fixture(scope="module")
def bench(busy: Busy) -> Bench:
    async def start() -> dict[str, Program]:
        return {name: await busy.machine.worker(busy.server, name) for name in NAMES}

    return Bench(busy.server.address, trio.run(start))


def told(page: Page, text: str) -> None:
    """Wait until a toast says so."""
    expect(page.locator(".toast").filter(has_text=text)).to_be_visible()


def asked(page: Page, action: str, **fields: str) -> None:
    """Fill in a dialog and agree to it."""
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        dialog.get_by_role("textbox", name=label).or_(
            dialog.get_by_role("spinbutton", name=label)
        ).fill(value)
    dialog.get_by_role("button", name=action).click()


def test_one_worker_from_its_page(desktop: Screen, bench: Bench) -> None:
    page = desktop.open(f"{bench.address}/workers/attic", "attic")
    state = page.locator(".page-head .badge")
    page.get_by_role("button", name="Drain").click()
    expect(state).to_have_text("draining")
    page.get_by_role("button", name="Resume").click()
    expect(state).to_have_text("connected")
    page.get_by_role("button", name="Set a label…").click()
    desktop.check()
    asked(page, "Set the label", Label="room", Value="cellar")
    expect(page.get_by_text("room=cellar", exact=True)).to_be_visible()
    page.get_by_role("button", name="Take the label room away").click()
    expect(page.get_by_text("room=cellar", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_text("room=cellar", exact=True)).to_be_visible()
    page.get_by_role("button", name="Slots…").click()
    asked(page, "Set the slots", Slots="3")
    expect(page.get_by_text("3 (its own: 1)")).to_be_visible()
    page.get_by_role("button", name="Note…").click()
    asked(page, "Keep the note", Note="its fan is loud")
    expect(page.get_by_text("Note: its fan is loud")).to_be_visible()
    page.get_by_role("button", name="Restart…").click()
    desktop.check()
    page.get_by_role("checkbox", name="At once").check()
    asked(page, "Restart it")
    told(page, "Told attic to restart.")
    expect(page.get_by_role("table", name="What happened")).to_contain_text("worker.")
    expect(state).to_have_text("connected")


def test_a_worker_is_stopped_and_deleted(desktop: Screen, bench: Bench) -> None:
    page = desktop.open(f"{bench.address}/workers/spare", "spare")
    page.get_by_role("button", name="Stop…").click()
    desktop.check()
    asked(page, "Keep it as it is")
    page.get_by_role("button", name="Stop…").click()
    asked(page, "Stop it")
    told(page, "Told spare to stop.")
    bench.ended("spare")
    expect(page.locator(".page-head .badge")).to_have_text("gone")
    page.get_by_role("button", name="Delete…").click()
    desktop.check()
    asked(page, "Delete it")
    page.get_by_role("heading", level=1, name="Workers").wait_for()
    expect(page.get_by_role("link", name="lab-01")).to_be_visible()
    expect(page.get_by_role("link", name="spare")).to_have_count(0)


def chosen(page: Page) -> Locator:
    """Select all workers that are shown; return what is done with them."""
    everybody = page.get_by_role("checkbox", name="Select all that are shown")
    expect(everybody).to_be_visible()
    if not everybody.is_checked():
        everybody.check()
    bulk = page.get_by_role("group", name="Selected workers")
    expect(bulk).to_contain_text("2 selected")
    return bulk


def test_many_workers_at_once(desktop: Screen, bench: Bench) -> None:
    page = desktop.open(f"{bench.address}/workers?search=bench", "Workers")
    states = page.get_by_role("cell").locator(".badge")
    bulk = chosen(page)
    desktop.check()
    for name, state in (("Drain", "draining"), ("Resume", "connected"), ("Pause", "paused")):
        bulk.get_by_role("button", name=name).click()
        expect(states).to_have_text([state, state])
    page.get_by_role("button", name="Undo").last.click()
    expect(states).to_have_text(["connected", "connected"])
    bulk.get_by_role("button", name="Label…").click()
    asked(page, "Set the label", Label="row", Value="7")
    bulk.get_by_role("button", name="Slots…").click()
    asked(page, "Set the slots", Slots="2")
    expect(page.get_by_text("0 of 2 busy")).to_have_count(2)
    bulk.get_by_role("button", name="Note…").click()
    asked(page, "Keep the note", Note="to be sold")
    expect(page.get_by_text("to be sold")).to_have_count(2)
    page.get_by_role("searchbox", name="Label").fill("row=7")
    page.get_by_role("combobox", name="State").select_option("connected")
    expect(page).to_have_url(re.compile("label=row.*state=connected|state=connected.*label=row"))
    expect(page.get_by_role("rowheader")).to_have_count(2)
    bulk = chosen(page)  # another filter selects none
    bulk.get_by_role("button", name="Restart…").click()
    asked(page, "Restart it")
    told(page, "Told 2 workers to restart.")
    page.goto(f"{bench.address}/workers?search=bench")
    expect(states).to_have_text(["connected", "connected"])
    bulk = chosen(page)
    bulk.get_by_role("button", name="Stop…").click()
    asked(page, "Stop it")
    told(page, "Told 2 workers to stop.")
    for name in ("bench-01", "bench-02"):
        bench.ended(name)
    expect(states).to_have_text(["gone", "gone"])
    bulk = chosen(page)
    bulk.get_by_role("button", name="Delete…").click()
    asked(page, "Delete it")
    expect(page.get_by_text("No worker is like that.")).to_be_visible()
