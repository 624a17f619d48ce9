"""What a worker would say of itself, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dc import signing
from dc.executor import Executor, Start
from dc.messages_worker import About
from dc.pipe import Ready
from dc.requirements import amount_text, units
from dc.task_user import TaskUser
from dc.worker.identity import Identity


async def about(identity: Identity, plugins: Sequence[Path], user: TaskUser | None = None) -> str:
    """Return what a server would be told, once an executor has said what it can run.

    Args:
        identity: of the worker.
        plugins: folders of plugins.
        user: whom executors become.

    Raises:
        StartError: no executor can be started.
    """
    executor = await Executor.start(plugins, start=Start(user=user))
    try:
        ready = await executor.receive()
        if isinstance(ready, Ready):
            identity.learn(ready)
    finally:
        await executor.aclose()
    return lines(identity.about())


def senses(rows: Sequence[tuple[str, str]]) -> str:
    """Return what a worker senses of the use of its computer, a title and a text on each line."""
    return "".join(f"{title:8}  {text}\n" for title, text in rows)


def _taken(about: About) -> str:
    """Return which plugins of the server are taken."""
    if not about.takes_plugins:
        return "of its own only"
    signed = f", signed by {' or '.join(map(signing.public_text, about.trusts))}"
    text = f"of the server as well{signed if about.trusts else ''}"
    return text if about.installs else f"{text}; nothing is installed for them"


def lines(about: About) -> str:
    """Return what is said of a worker: a title and a text on each line."""
    amounts = [(name, amount_text(name, units(name, one))) for name, one in about.resources.items()]
    rows = [
        ("name", about.name),
        ("slots", str(about.slots)),
        *amounts,
        *(("label", f"{name}={value}") for name, value in about.labels.items()),
        *(("type", f"{one.name} {one.version}") for one in about.types),
        *(("broken", why) for why in about.broken.values()),
        ("plugins", _taken(about)),
    ]
    return "".join(f"{title:8}  {text}\n" for title, text in rows)
