"""What all tests share: async tests, the two faces of what is compiled."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import inspect
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings

import dc._columns
import dc._core
import dc._frames
from dc.testing.substitutes import run_here

ROOT = Path(__file__).parent.parent
TEST_SECONDS = 180.0  # an async test that waits longer is stuck, also on a busy computer

settings.register_profile("dc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dc")


CONFIG: pytest.StashKey[tempfile.TemporaryDirectory[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Keep to oneself; heed Ctrl-C, which some tests are about, also where a shell ignores it.

    What servers and commands write down for their user goes to a folder of the tests' own.
    """
    config.addinivalue_line("markers", "seconds(most): how long an async test may take")
    config.stash[CONFIG] = tempfile.TemporaryDirectory(prefix="dc-tests-config-")
    os.environ["XDG_CONFIG_HOME"] = os.environ["APPDATA"] = config.stash[CONFIG].name
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that folder."""
    config.stash[CONFIG].cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test under Trio, with the test's MockClock if it asks for one."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    clock = pyfuncitem.funcargs.get("autojump_clock")
    assert clock is None or isinstance(clock, trio.abc.Clock)
    marker = pyfuncitem.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else TEST_SECONDS

    async def bounded() -> None:
        with trio.fail_after(seconds if clock is None else 1e9):
            await functools.partial(test, **arguments)()

    trio.run(bounded, clock=clock, strict_exception_groups=True)
    return True


@pytest.fixture
def autojump_clock(monkeypatch: pytest.MonkeyPatch) -> trio.testing.MockClock:
    """Give the test a clock that jumps as soon as every task waits.

    It does not see threads: it would jump while one of them works, so their work is done in place.
    """
    monkeypatch.setattr(trio.to_thread, "run_sync", run_here)
    return trio.testing.MockClock(autojump_threshold=0)


def interpreted(module: str) -> ModuleType:
    """Load a .pyx of dc/ as plain Python: the same source, line by line visible to coverage."""
    name = f"dc.{module}_interpreted"
    if name not in sys.modules:
        loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "dc" / f"{module}.pyx"))
        spec = importlib.util.spec_from_loader(name, loader)
        assert spec is not None
        made = importlib.util.module_from_spec(spec)
        loader.exec_module(made)
        sys.modules[name] = made
    return sys.modules[name]


@pytest.fixture(params=["compiled", "interpreted"])
def core(request: pytest.FixtureRequest) -> ModuleType:
    """Give the test the scheduler's core twice: as users run it, and interpreted."""
    return dc._core if request.param == "compiled" else interpreted("_core")


@pytest.fixture(params=["compiled", "interpreted"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    """Give the test the codec of frames twice: as users run it, and interpreted."""
    return dc._frames if request.param == "compiled" else interpreted("_frames")


@pytest.fixture(params=["compiled", "interpreted"])
def columns(request: pytest.FixtureRequest) -> ModuleType:
    """Give the test the loops over columns twice: as users run them, and interpreted."""
    return dc._columns if request.param == "compiled" else interpreted("_columns")
