"""What a worker's agent and its executors do not import when they start, and why that matters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import dc
from dc.worker import seldom

SELDOM: Final = {f"dc.worker.{name}" for name in seldom.__all__}

AGENT: Final = {
    *SELDOM,
    *("dc.plugin_shipped", "dc.plugin_sources", "dc.plugins", "dc.tasktypes", "pluggy"),
    *("dc.worker.services", "html", "plistlib", "xml"),
    *("cryptography.x509", "importlib.metadata", "packaging", "tomllib"),
}
"""What few agents use, or none: no plugin is imported there."""

EXECUTOR: Final = {
    *SELDOM,
    *("dc.cache", "dc.plugin_folders", "dc.plugin_unpack"),
    *("cryptography", "dataclasses", "hmac", "packaging", "ssl", "tomllib", "trio"),
    *(("subprocess",) if sys.platform == "linux" else ()),
}
"""What few executors use, or none: they have neither the network nor TLS."""


def imported(module: str) -> set[str]:
    """Return all modules that a process has which imports this one and does nothing else.

    Without the module `site`: what an environment imports for itself at any start is not ours.
    """
    path = [str(Path(dc.__file__).parent.parent), *sys.path]
    code = f"import sys; sys.path[:] = {path!r}; import {module}; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    ("module", "without"), [("dc.worker.__main__", AGENT), ("dc.worker.child", EXECUTOR)]
)
def test_a_start_imports_only_what_it_uses(module: str, without: set[str]) -> None:
    found = imported(module)
    assert module in found
    assert not sorted(found & without), (
        f"a start of {module} imports these, which it does not use. On a slow computer that was "
        "booted from the image each module costs some 5 ms until the first task, and there is an "
        "executor for each slot. Have them imported when they are asked for, as in "
        "dc/worker/seldom.py; `python -X importtime -c 'import ...'` says who imports them"
    )


FIGURES: Final = """
import socket, ssl, sys
sys.path[:] = {path!r}
import trio
from dc import cipher, dial
from dc.worker import discovering

async def reach():
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = await dial._tcp("127.0.0.1", server.getsockname()[1])
        await stream.aclose()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
cipher.Cipher(context, server=False, name="10.0.0.1")
assert discovering._resolved("127.0.0.1", 5) == (socket.AF_INET, ("127.0.0.1", 5))
trio.run(reach)
print(*sys.modules)
"""


def test_an_address_in_figures_needs_no_codec_for_other_alphabets() -> None:
    """Its import takes a slow computer a tenth of a second: text is given as bytes."""
    path = [str(Path(dc.__file__).parent.parent), *sys.path]
    command = [sys.executable, "-I", "-S", "-c", FIGURES.format(path=path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {"dc.dial", "dc.cipher"} <= set(run.stdout.split())
    assert not {"encodings.idna", "stringprep"} & set(run.stdout.split())


@pytest.mark.parametrize("name", seldom.__all__)
def test_each_part_that_is_seldom_used_is_there_when_it_is_asked_for(name: str) -> None:
    assert getattr(seldom, name) is sys.modules[f"dc.worker.{name}"]


def test_nothing_else_is_such_a_part() -> None:
    with pytest.raises(AttributeError, match=r"dc\.worker\.seldom.*no attribute 'app'"):
        assert getattr(seldom, "app")  # noqa: B009  type checkers know that it is not there
