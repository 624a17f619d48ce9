"""Computers that were booted from the image, on the pages of workers, against a made-up server."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from dc.view_workers import ApplianceView, WorkerView
from tests.browser.fake_server import FakeServer, World
from tests.browser.samples import NOW, worker
from tests.browser.screen import OF_LOOKS, PHONE_DARK, Screen

BOOTED: Final = ApplianceView("2026.11", ["52:54:00:12:34:56"], ["off", "reboot", "reread"])
POWER: Final = ("Read configuration anew…", "Reboot…", "Power off…", "Wake")


def off(name: str, **changes: Any) -> WorkerView:
    """A worker whose computer is off."""
    gone = {"state": "gone", "seen": NOW - 60, "vitals": None, "held": 0, "running": []}
    return worker(name, **gone, **{"appliance": BOOTED, "connected_at": None} | changes)


@pytest.fixture
def world(world: World) -> World:
    shown = [worker("hall-1", appliance=BOOTED), worker("hall-2", appliance=BOOTED), worker("desk")]
    shown += [off("night-1"), off("night-2"), off("attic", appliance=None)]
    told = {"workers": shown[:1]}
    world.answers["/api/workers"] = {"workers": shown, "next": None}
    for one in shown:
        world.answers[f"/api/workers/{one.name}"] = one
        world.answers[f"/api/worker-history/{one.name}"] = {"name": one.name, "presence": []}
    for action in ("power-off", "reboot", "reread"):
        world.answers[f"POST /api/workers/{action}"] = told
    woken = {"sent": ["night-1"], "networks": ["10.0.0.255", "10.0.1.255"]}
    world.answers["POST /api/workers/wake"] = woken
    return world


@pytest.fixture
def page(desktop: Screen) -> Page:
    return desktop.page


def offered(page: Page) -> list[str]:
    """Return which of the buttons there are."""
    return [text for text in POWER if page.get_by_role("button", name=text).count()]


@pytest.mark.parametrize(
    ("button", "action", "path", "said"),
    [
        ("Power off…", "Power it off", "power-off", "Told the computer of hall-1 to power off."),
        ("Reboot…", "Reboot it", "reboot", "Told the computer of hall-1 to reboot."),
        (POWER[0], "Read it anew", "reread", "Told hall-1 to read its configuration anew."),
    ],
)
def test_a_computer_is_told_from_its_page(
    page: Page, world: World, fake: FakeServer, button: str, action: str, path: str, said: str
) -> None:
    page.goto(fake.address + "/workers/hall-1")
    expect(page.get_by_text("2026.11")).to_be_visible()
    expect(page.get_by_text("52:54:00:12:34:56")).to_be_visible()
    assert offered(page) == list(POWER[:3])
    page.get_by_role("button", name=button).click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it as it is").click()
    expect(page.get_by_role("button", name=button)).to_be_focused()
    assert world.asked == []
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="At once").check()
    page.get_by_role("dialog").get_by_role("button", name=action).click()
    expect(page.get_by_text(said)).to_be_visible()
    meant = {"names": ["hall-1"], "exact": True, "now": True}
    assert world.asked == [("POST", f"/api/workers/{path}", meant)]


def test_a_computer_is_woken_from_its_page(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/night-1")
    expect(page.get_by_text("2026.11")).to_be_visible()
    assert offered(page) == ["Wake"]
    page.get_by_role("button", name="Wake").click()
    expect(page.get_by_text("Sent a call to wake to night-1, in 2 networks.")).to_be_visible()
    meant = {"names": ["night-1"], "exact": True}
    assert world.asked == [("POST", "/api/workers/wake", meant)]


@pytest.mark.parametrize("name", ["desk", "attic"])
def test_a_computer_of_another_kind_has_no_such_buttons(
    page: Page, fake: FakeServer, name: str
) -> None:
    page.goto(f"{fake.address}/workers/{name}")
    page.get_by_role("button", name="Stop…").wait_for()
    assert offered(page) == []


def test_many_computers_at_once(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers")
    for name in ("night-1", "night-2"):
        page.get_by_label(f"Select {name}").check()
    assert offered(page) == ["Wake"]
    page.get_by_role("button", name="Wake").click()
    expect(page.get_by_text("Sent a call to wake to 2 workers")).to_be_visible()
    page.get_by_role("button", name="Select none").click()
    for name in ("hall-1", "hall-2"):
        page.get_by_label(f"Select {name}").check()
    assert offered(page) == list(POWER[:3])
    page.get_by_role("button", name="Power off…").click()
    page.get_by_role("dialog").get_by_role("button", name="Power it off").click()
    expect(page.get_by_text("Told the computer of 2 workers to power off.")).to_be_visible()
    both = {"names": ["hall-1", "hall-2"], "exact": True, "now": False}
    assert world.asked[-1] == ("POST", "/api/workers/power-off", both)
    page.get_by_label("Select desk").check()
    assert offered(page) == [], "one of them is of another kind"


def test_everybody_can_use_these_buttons(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.open(f"{fake.address}/workers/hall-1", "hall-1")
    page.get_by_role("button", name="Power off…").click()
    desktop.check()
    page.keyboard.press("Escape")
    desktop.become(PHONE_DARK)
    desktop.check(OF_LOOKS)
    page.goto(f"{fake.address}/workers")
    page.get_by_label("Select night-1").check()
    desktop.check(OF_LOOKS)
