"""A tab that is left open for hours needs no more memory than after its first minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from msgspec.structs import replace
from playwright.sync_api import CDPSession, Page, expect

from tests.browser import samples
from tests.browser.fake_server import FakeServer, World, event
from tests.browser.screen import Screen

HOUR: Final = 3_600
"""Updates, as one comes each second."""

AT_ONCE: Final = 300
MOST_BYTES: Final = 1_000_000
"""Of the whole tab's growth: what was compiled meanwhile, not what was told. Each update is of some
thousand bytes, so an hour that were kept would be ten times as much."""

MOST_NODES: Final = 100
MOST_LISTENERS: Final = 40


def overview(turn: int) -> bytes:
    """Return an update of the overview: all figures other ones, a note that comes and goes."""
    view = samples.overview(status=samples.status(rate=1000.0 + turn))
    attention, failures = view.attention, view.failures
    changed = replace(view, attention=attention[turn % 2 :], failures=failures[turn % 2 :])
    return event("overview", changed)


def job(turn: int) -> bytes:
    """Return an update of a job, with a note that comes and goes."""
    note = f"turn {turn} of it" if turn % 2 else ""
    return event("job:7", samples.job(rate=1000.0 + turn, note=note))


def worker(turn: int) -> bytes:
    """Return an update of a worker: another point in its charts, other tasks that run."""
    view = samples.worker()
    assert view.vitals is not None
    vitals = replace(view.vitals, at=view.vitals.at + 3 * turn)  # of ten minutes they are kept
    running = [replace(one, number=one.number + turn) for one in view.running]
    return event("worker:lab-01", replace(view, rate=1000.0 + turn, vitals=vitals, running=running))


Figures = dict[str, float]


def figures(session: CDPSession) -> Figures:
    """Return what the tab holds once it has let go of what it can."""
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    found = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}


@pytest.mark.parametrize(
    ("path", "update", "updates"),
    [("/", overview, HOUR), ("/jobs/7", job, HOUR // 6), ("/workers/lab-01", worker, HOUR // 6)],
    ids=["overview", "job", "worker"],
)
def test_a_tab_that_stays_open_stays_as_small(
    path: str,
    update: Callable[[int], bytes],
    updates: int,
    desktop: Screen,
    fake: FakeServer,
    world: World,
) -> None:
    page = desktop.open(fake.address + path)
    expect(page.locator(".live")).to_have_text("Live")
    expect(page.locator(".loading")).to_have_count(0)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    live(page, world, update, range(AT_ONCE))
    before = figures(session)
    live(page, world, update, range(AT_ONCE, AT_ONCE + updates))
    after = figures(session)
    names = ("JSHeapUsedSize", "Nodes", "JSEventListeners")
    grown = {name: after[name] - before[name] for name in names}
    assert grown["JSHeapUsedSize"] < MOST_BYTES, grown
    assert grown["Nodes"] < MOST_NODES, grown
    assert grown["JSEventListeners"] < MOST_LISTENERS, grown


def live(page: Page, world: World, update: Callable[[int], bytes], turns: range) -> None:
    """Have the page be told that much, and wait until it shows the last of it."""
    for some in parts(turns):
        world.flood += [update(turn) for turn in some]
        expect(page.get_by_text(f"{1000 + some[-1]:,}/s").first).to_be_visible()


def parts(turns: range) -> Iterator[range]:
    """Cut it, so that no stream is told of so much at once that it is full."""
    for start in range(turns.start, turns.stop, AT_ONCE):
        yield turns[start - turns.start : start - turns.start + AT_ONCE]
