"""A browser, and what must hold of whatever it shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
MISSING: Final = "Chromium is missing (Debian and Ubuntu: apt install chromium)"
FLAGS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENS: Final = {"desktop": (1280, 800), "phone": (390, 844)}
RULES: Final = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
OVERFLOWS: Final = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
MILLISECONDS: Final = 10_000


@dataclass
class Looked:
    """A page of the browser, and what it complained of."""

    page: Page
    trouble: list[str] = field(default_factory=list)

    def heard(self, message: ConsoleMessage) -> None:
        """Note what stands in the console, if it is an error."""
        if message.type == "error":
            self.trouble.append(message.text)

    def check(self) -> None:
        """Check that everybody can use it, and that nothing went wrong."""
        wrong = self.wrong()
        assert not wrong, "\n".join(wrong)

    def wrong(self) -> list[str]:
        """Return what is wrong: complaints of the browser, a page that is too wide, WCAG 2.2 AA."""
        where = self.page.url
        wrong = [f"{where}: {text}" for text in self.trouble]
        self.trouble.clear()
        if self.page.evaluate(OVERFLOWS):
            wrong.append(f"{where} is wider than its screen")
        found = Axe().run(self.page, options=RULES)
        if found.violations_count:
            wrong.append(f"{where}: {found.generate_report()}")
        return wrong


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser that is installed; end it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program is not None, MISSING
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def looked_at(
    browser: Browser, address: str, screen: str = "desktop", colours: str = "light"
) -> Iterator[Looked]:
    """Open a page of the browser, at the addresses of a server.

    Args:
        browser: which.
        address: of the server.
        screen: `desktop` or `phone`.
        colours: `light` or `dark`.
    """
    width, height = SCREENS[screen]
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": height},
        color_scheme="dark" if colours == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
        accept_downloads=False,
    )
    context.set_default_timeout(MILLISECONDS)
    page = context.new_page()
    looked = Looked(page)
    page.on("console", looked.heard)
    page.on("pageerror", lambda error: looked.trouble.append(str(error)))
    yield looked
    context.close()
