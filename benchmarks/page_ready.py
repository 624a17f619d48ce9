"""How long the page takes to be ready in a browser: each page for the first time, and again.

    python -m benchmarks.page_ready [--repeat 5]

A real server with a worker and a finished job, and Chromium without a window. A page is ready when
its heading is there and nothing of it is still being loaded; the time is from the navigation's
begin, as the browser has it. `first` is in a context that has nothing kept, `again` is in another
tab of the same. Prints a JSON line for each figure: the median, with the extremes beside it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, sync_playwright

import dc
from benchmarks import figures
from benchmarks.path import running

PAGES: Final = (
    *("/", "/jobs", "/jobs/1", "/jobs/1?tab=tasks", "/jobs/1/tasks/3", "/workers"),
    *("/workers/bench-0", "/submit", "/plugins", "/events", "/settings"),
)
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
)
WATCH: Final = """
window.readyAt = 0;
new MutationObserver(() => {
    const is = document.querySelector("h1") && !document.querySelector(".loading");
    window.readyAt = is ? window.readyAt || performance.now() : 0;
}).observe(document, { childList: true, subtree: true, attributes: true });
"""
READY: Final = "() => window.readyAt > 0"
COUNT: Final = (
    """() => performance.getEntriesByType("resource").filter((one) => one.transferSize).length"""
)
SETTLE_MS: Final = 150
"""For what would take the place of what is there: a page that loads again was not ready."""


@contextmanager
def browser_started() -> Iterator[Browser]:
    """Run a browser while the context lasts."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("no Chromium is on the PATH: install one (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def visit(context: BrowserContext, url: str) -> tuple[float, int]:
    """Open a page; return the milliseconds until it was ready, and how much it had to fetch."""
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(url, wait_until="commit")
    page.wait_for_function(READY)
    page.wait_for_timeout(SETTLE_MS)
    page.wait_for_function(READY)
    ready, fetched = float(page.evaluate("window.readyAt")), int(page.evaluate(COUNT))
    page.close()
    return ready, fetched


def measure(browser: Browser, address: str, repeat: int) -> None:
    """Visit all pages, and show how long they took."""
    times: dict[str, list[float]] = {"first": [], "again": []}
    for path in PAGES:
        rows: dict[str, list[tuple[float, int]]] = {"first": [], "again": []}
        for _ in range(repeat):
            with browser.new_context(ignore_https_errors=True) as context:
                for which in rows:
                    rows[which].append(visit(context, address + path))
        for which, found in rows.items():
            spans = [one for one, _ in found]
            times[which].append(statistics.median(spans))
            figures.show(
                f"page ready, {which}, {path}",
                statistics.median(spans),
                "ms",
                least=round(min(spans)),
                slowest=round(max(spans)),
                fetched=found[-1][1],
            )
    for which, medians in times.items():
        figures.show(f"page ready, {which}, the slowest page", max(medians), "ms")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.page_ready", description=main.__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="visits of each page")
    values = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), 1, 1) as (address, _),
        browser_started() as browser,
    ):
        with dc.Client(address) as client:
            list(client.submit("noop", [b"x"] * 100).results())
        measure(browser, address, values.repeat)


if __name__ == "__main__":
    main()
