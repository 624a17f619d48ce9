"""A page on a screen, and what must always hold: accessible, within its width, no errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
MISSING: Final = "no Chromium is on the PATH: install one (Debian: apt install chromium)"

# Without them it looks for updates, for Google's hosts, and for a sandbox that root cannot have.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS: Final = 30_000
"""Much more than anything takes: a computer that builds and tests may be slow, and busy."""

SLOWNESS: Final = "DC_TEST_SLOWNESS"
"""Environment: how many times slower pages are, to find what holds on quick computers only."""
ANSWER_MS: Final = 50.0
"""How much later answers come for each time that a page is slower."""

WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

EVERYTHING: Final = {"type": "tag", "values": WCAG}
OF_LOOKS: Final = {
    "type": "rule",
    "values": [
        "color-contrast",
        "target-size",
        "link-in-text-block",
        "scrollable-region-focusable",
    ],
}
"""Rules whose answer may be another on another screen, or in other colours."""

AXE: Final = Axe().axe_script
AXE_IS_HERE: Final = "'axe' in window"
AXE_RUN: Final = """async (runOnly) => {
    const options = { runOnly, resultTypes: ["violations"], preload: false };
    const { violations } = await axe.run(document, options);
    return violations.map(({ id, help, nodes }) =>
        [`${id}: ${help}`, ...nodes.slice(0, 5).map((node) => node.html)].join("\\n  "));
}"""

OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Kind:
    """A kind of screen."""

    name: str
    width: int
    height: int
    colours: Literal["light", "dark"]
    touch: bool = False


DESKTOP: Final = Kind("desktop", 1280, 800, "light")
DESKTOP_DARK: Final = Kind("desktop-dark", 1280, 800, "dark")
PHONE: Final = Kind("phone", 390, 844, "light", touch=True)
PHONE_DARK: Final = Kind("phone-dark", 390, 844, "dark", touch=True)


def chromium() -> str:
    """Return where Chromium is.

    Raises:
        RuntimeError: nowhere; the text says what to install.
    """
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise RuntimeError(MISSING)


@contextmanager
def browser_started() -> Iterator[Browser]:
    """Run a browser while the context lasts."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def slow_down(session: CDPSession, slowness: float) -> None:
    """Have a page compute that many times slower, and get its answers later."""
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowness})
    late = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", late | {"latency": slowness * ANSWER_MS})


class Screen:
    """A browser's tab. Leaving it fails if anything went wrong in it.

    Args:
        browser: what it is opened in.
        kind: how large it is, and its colours.
        scale: pixels of the picture to one of the page.

    Attributes:
        page: Playwright's.
        expected: parts of errors that a test has provoked.
    """

    def __init__(self, browser: Browser, kind: Kind, scale: float = 1) -> None:
        self.kind = kind
        self.context: BrowserContext = browser.new_context(
            viewport={"width": kind.width, "height": kind.height},
            color_scheme=kind.colours,
            has_touch=kind.touch,
            device_scale_factor=scale,
            reduced_motion="reduce",
            ignore_https_errors=True,  # no authority knows the certificate of a test
            timezone_id="Europe/Vienna",
            locale="en-GB",
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        if slowness := float(os.environ.get(SLOWNESS, "0")):
            slow_down(self.context.new_cdp_session(self.page), slowness)
        self.expected: list[str] = []
        self._errors: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self._errors.append(f"{error}\n{error.stack}"))
        self.page.on("requestfailed", self._failed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self.context.close()
        if kind is None:
            assert not self.errors(), "\n".join(self.errors())

    def errors(self) -> list[str]:
        """What went wrong in the page so far, but for what is expected."""
        return [one for one in self._errors if not any(part in one for part in self.expected)]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._errors.append(f"{message.type}: {message.text} ({message.location})")

    def _failed(self, request: Request) -> None:
        # A page that is left lets go of what it has asked for.
        if "ERR_ABORTED" not in (request.failure or ""):
            self._errors.append(f"{request.method} {request.url}: {request.failure}")

    def open(self, address: str, heading: str | None = None) -> Page:
        """Go to an address and wait for its heading."""
        self.page.goto(address)
        if heading is not None:
            self.page.get_by_role("heading", level=1, name=heading).wait_for()
        return self.page

    def check(self, rules: Mapping[str, object] = EVERYTHING) -> None:
        """See that axe-core finds nothing, nothing sticks out, and no error came.

        Args:
            rules: which of axe-core's are run.
        """
        if not self.page.evaluate(AXE_IS_HERE):
            self.page.evaluate(AXE)
        report: list[str] = self.page.evaluate(AXE_RUN, rules)
        assert not report, f"{self.kind.name}: " + "\n".join(report)
        assert self.page.evaluate(OVERFLOW) <= 0, f"{self.kind.name}: it sticks out to the side"
        assert not self.errors(), "\n".join(self.errors())

    def check_all(self) -> None:
        """Check the page as it is on each kind of screen; it is not loaded anew for that."""
        self.check()
        self.become(PHONE_DARK)
        self.check()
        for kind in (DESKTOP_DARK, PHONE):
            self.become(kind)
            self.check(OF_LOOKS)

    def become(self, kind: Kind) -> None:
        """Be another kind of screen from now on, with the same page."""
        self.kind = kind
        self.page.set_viewport_size({"width": kind.width, "height": kind.height})
        self.page.emulate_media(color_scheme=kind.colours)
