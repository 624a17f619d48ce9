"""The shell of the guard: connections that are ended for others, open files, options."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
import trio
import trio.testing

from dc import limits, limits_guard
from dc.server import open_files
from dc.server.entrance import Entrance
from dc.server.guard import Allowed, Guard
from dc.server.limit_arguments import add_limit_options, allowed_of
from dc.server.places import Visit


async def test_a_connection_that_loses_its_place_is_ended() -> None:
    guard = Guard(Allowed(places=2))
    entrance, ended = Entrance(guard, lambda: 0), trio.Event()

    async def first() -> None:
        with entrance.visit("192.0.2.1") as visit:
            assert isinstance(visit, Visit)
            await trio.sleep_forever()
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await trio.testing.wait_all_tasks_blocked()
        with entrance.visit("192.0.2.2") as visit:
            assert visit is not None
            await ended.wait()
        assert len(guard.places) == 0


async def test_who_may_not_come_in_is_told_so() -> None:
    guard = Guard(Allowed(connections=1))
    entrance = Entrance(guard, lambda: 0)
    with entrance.visit("192.0.2.1") as one, entrance.visit("192.0.2.1") as two:
        assert one is not None
        assert two is None
    with entrance.visit("192.0.2.1") as again:
        assert again is not None


async def test_an_error_gives_the_place_back() -> None:
    guard = Guard()
    with (
        pytest.raises(ValueError, match="a mistake"),
        Entrance(guard, lambda: 0).visit("192.0.2.1"),
    ):
        raise ValueError("a mistake")
    assert len(guard.places) == 0


class FakeResource:
    """Limits of open files as a system may have them."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, soft: int, hard: int, most: int) -> None:
        self.limits, self.most = (soft, hard), most

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, which: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > self.most:
            raise ValueError("not allowed to raise maximum limit")
        self.limits = wanted


WANTED = limits.CONNECTIONS + limits_guard.FILES_SPARE


@pytest.mark.parametrize(
    ("soft", "hard", "most", "after", "places"),
    [
        (1024, 1_000_000, 1_000_000, WANTED, limits.CONNECTIONS),
        (1024, -1, 1_000_000, WANTED, limits.CONNECTIONS),
        (1024, 4096, 1_000_000, 4096, 4096 - limits_guard.FILES_SPARE),
        (1024, 1024, 1_000_000, 1024, open_files.LEAST_PLACES),
        (2048, -1, 2048, 2048, 2048 - limits_guard.FILES_SPARE),
        (1_000_000, 1_000_000, 1_000_000, 1_000_000, limits.CONNECTIONS),
        (-1, -1, 1_000_000, -1, limits.CONNECTIONS),
    ],
)
def test_open_files_are_raised_as_far_as_they_may(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, most: int, after: int, places: int
) -> None:
    fake = FakeResource(soft, hard, most)
    monkeypatch.setattr(open_files, "resource", fake)
    assert open_files.raise_limit() == places
    assert fake.limits == (after, hard)


def parsed(*argv: str) -> Any:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_limit_options(parser)
    return allowed_of(parser.parse_args(argv))


def test_limits_of_the_command_line() -> None:
    assert parsed() == Allowed()
    options = "--limit-connections", "5", "--limit-requests", "6", "--limit-failures", "7"
    assert parsed(*options) == Allowed(5, 6.0, 7)
    for text in ("0", "x", "1000001", "1.5"):
        with pytest.raises(argparse.ArgumentError):
            parsed("--limit-requests", text)
