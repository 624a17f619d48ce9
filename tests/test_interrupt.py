"""Ctrl-C before a program's main function, and in it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from dc import interrupt, program


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_ends_a_program_that_loads_and_is_raised_in_its_main() -> None:
    interrupt.ends_at_once()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL

    def main() -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    assert program.status_of(main) == program.INTERRUPTED
    assert program.status_of(lambda: 3) == 3


@pytest.mark.parametrize("handler", [signal.SIG_IGN, print], ids=["ignored", "another's"])
def test_what_others_have_decided_stays(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)
    interrupt.ends_at_once()
    assert signal.getsignal(signal.SIGINT) is handler
    assert program.status_of(lambda: 0) == 0
    assert signal.getsignal(signal.SIGINT) is handler
