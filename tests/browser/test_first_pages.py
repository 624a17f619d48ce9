"""Each page as it should be: on all screens, light and dark, accessible, and what it says."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.fake_server import FakeServer
from tests.browser.screen import OVERFLOW, Screen

PAGES = [
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/jobs/7", "Winter film, reel 2"),
    ("/jobs/7?tab=tasks", "Winter film, reel 2"),
    ("/jobs/7?tab=results", "Winter film, reel 2"),
    ("/jobs/7?tab=options", "Winter film, reel 2"),
    ("/jobs/7/tasks/1048", "Task 1048"),
    ("/jobs/7/tasks/3", "Task 3"),
    ("/nowhere", "There is no such page"),
]


@pytest.mark.parametrize(("path", "heading"), PAGES, ids=[path for path, _ in PAGES])
def test_pages_are_accessible_on_all_screens(
    path: str, heading: str, desktop: Screen, fake: FakeServer
) -> None:
    page = desktop.open(fake.address + path, heading)
    expect(page.locator(".loading")).to_have_count(0)
    desktop.check_all()


def test_a_phone_of_360_pixels_is_wide_enough(desktop: Screen, fake: FakeServer) -> None:
    desktop.page.set_viewport_size({"width": 360, "height": 640})
    for path, heading in PAGES:
        page = desktop.open(fake.address + path, heading)
        expect(page.locator(".loading")).to_have_count(0)
        assert page.evaluate(OVERFLOW) <= 0, path
