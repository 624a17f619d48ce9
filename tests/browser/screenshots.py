"""Takes pictures of the pages: `python -m tests.browser.screenshots` writes docs/screenshots/*.png.

They show a real server with real workers at work, so no two runs give the same bytes.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio
from playwright.sync_api import Browser

from tests.browser.busy import filled, started
from tests.browser.screen import (
    DESKTOP,
    DESKTOP_DARK,
    PHONE,
    PHONE_DARK,
    Kind,
    Screen,
    browser_started,
)
from tests.system.processes import Machine

PLACE: Final = Path(__file__).parent.parent.parent / "docs" / "screenshots"
SETTLED_MS: Final = 2500
WORKED_SECONDS: Final = 80.0
FRAMES: Final = 8000


@dataclass(frozen=True)
class Shot:
    """A picture to take: `path` may name jobs, as in {film}."""

    name: str
    path: str
    kind: Kind = DESKTOP


SHOTS: Final = [
    Shot("overview", "/"),
    Shot("overview-dark", "/", DESKTOP_DARK),
    Shot("overview-phone", "/", PHONE_DARK),
    Shot("jobs", "/jobs"),
    Shot("job", "/jobs/{film}"),
    Shot("job-dark", "/jobs/{film}", DESKTOP_DARK),
    Shot("job-phone", "/jobs/{film}", PHONE),
    Shot("tasks", "/jobs/{film}?tab=tasks"),
    Shot("results", "/jobs/{film}?tab=results&show=1"),
    Shot("task-failed", "/jobs/{film}/tasks/17"),
    Shot("task-waiting", "/jobs/{gpu}/tasks/0", DESKTOP_DARK),
    Shot("task-running", "/jobs/{train}/tasks/0"),
    Shot("workers", "/workers"),
    Shot("worker", "/workers/lab-01", DESKTOP_DARK),
    Shot("submit", "/submit?type=count_words"),
    Shot("add-a-computer", "/workers/add"),
    Shot("access", "/access", DESKTOP_DARK),
    Shot("plugins", "/plugins"),
    Shot("events", "/events", DESKTOP_DARK),
    Shot("settings", "/settings"),
]


def take(browser: Browser, address: str, jobs: dict[str, int], folder: Path) -> None:
    """Take all pictures of a server."""
    for shot in SHOTS:
        with Screen(browser, shot.kind) as screen:
            page = screen.open(address + shot.path.format(**jobs))
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=folder / f"{shot.name}.png")
            if errors := screen.errors():
                print(f"{shot.name}: {errors}", file=sys.stderr)
                screen.expected.append("")


async def main(folder: Path) -> None:
    """Start a server, have it work, take the pictures."""
    with tempfile.TemporaryDirectory() as place, Machine(Path(place)) as machine:
        server, plugins = await started(machine)
        jobs = await filled(server, plugins, FRAMES)
        print(f"{server.address}, jobs {jobs}", flush=True)
        await trio.sleep(WORKED_SECONDS)
        await trio.to_thread.run_sync(partial(shoot, server.address, jobs, folder))


def shoot(address: str, jobs: dict[str, int], folder: Path) -> None:
    """Start the browser and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser_started() as browser:
        take(browser, address, jobs, folder)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE)
