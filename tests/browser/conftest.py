"""The page in Debian's Chromium, on all kinds of screens, and a server behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from playwright.sync_api import Browser

from tests.browser import samples_pages
from tests.browser.busy import Busy, filled, started
from tests.browser.fake_server import FakeServer, World, usual
from tests.browser.screen import DESKTOP, PHONE, Screen, browser_started
from tests.system.processes import Machine, Server


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of pages; each has a context of its own."""
    with browser_started() as browser:
        yield browser


@pytest.fixture
def desktop(browser: Browser, fake: FakeServer) -> Iterator[Screen]:
    """A page on a desktop; at the end nothing may have gone wrong in it.

    It is closed before the made-up server ends, whose loss would be an error.
    """
    with Screen(browser, DESKTOP) as screen:
        yield screen


@pytest.fixture
def phone(browser: Browser, fake: FakeServer) -> Iterator[Screen]:
    """The same on a phone."""
    with Screen(browser, PHONE) as screen:
        yield screen


@pytest.fixture
def world() -> World:
    """What the made-up server says."""
    return World(usual() | samples_pages.answers())


@pytest.fixture
def fake(world: World) -> Iterator[FakeServer]:
    """A made-up server."""
    with FakeServer(world) as server:
        yield server


@pytest.fixture(scope="package")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    """A real server at work with real workers, for all tests of pages."""
    with Machine(tmp_path_factory.mktemp("page")) as machine:

        async def start() -> Busy:
            server, plugins = await started(machine, [machine.plugins])
            return Busy(machine, server, plugins, await filled(server, plugins, frames=600))

        yield trio.run(start)


@pytest.fixture
def real(busy: Busy) -> Server:
    """That server."""
    return busy.server
