"""The part of the worker's reactor that has plugins brought here, and keeps their tasks meanwhile.

A task whose code is not here waits until it is: its plugin's archive is fetched, looked at,
unpacked, and what it needs is installed, once for all tasks and jobs (FetchPlugin). What goes wrong
with the connection is tried again; what is wrong with the plugin, or with this computer, fails all
tasks that wait. That is remembered for a while, so that not each further task tries it again.

An executor that cannot import what is here says so. Then the next task has it looked at once more,
for somebody may have removed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

from dc import limits, limits_plugins, limits_worker
from dc.messages_parts import Failure, Plugin
from dc.pipe import InFile
from dc.plugin_manifest import unusable
from dc.worker.code import Code
from dc.worker.events import Action, FetchPlugin, PluginFailed, PluginReady, Say
from dc.worker.tasks import Chunk, Job
from dc.worker.transfers import transfer_pause

Give: TypeAlias = Callable[[Chunk], None]
Fail: TypeAlias = Callable[[Chunk, Failure], None]


class Held(Struct):
    """What is known of one plugin.

    Attributes:
        plugin: as the server names it.
        code: where it is, if it is here.
        chunks: the tasks that wait for it.
        under_way: whether it is being brought here.
        failures: of tries that count.
        error: why it cannot be had; its tasks fail of that until `until`.
        detail: lines of another program about it.
        until: when it may be tried again.
        found: when it was last seen to be here.
    """

    plugin: Plugin
    code: Code | None = None
    chunks: list[Chunk] = []
    under_way: bool = False
    failures: int = 0
    error: str = ""
    detail: str = ""
    until: float = 0.0
    found: float = 0.0


class PluginsHeld:
    """The plugins of a worker that came from the server, and the tasks that wait for them.

    Args:
        out: where actions go.
        give: takes tasks whose code is here.
        fail: takes tasks whose code cannot be had.
    """

    def __init__(self, out: Callable[[Action], None], give: Give, fail: Fail) -> None:
        self._out = out
        self._give = give
        self._fail = fail
        self._all: dict[bytes, Held] = {}
        self.takes = True

    @property
    def count(self) -> int:
        """The number of tasks that wait."""
        return sum(len(chunk.numbers) for chunk in self.chunks())

    # --- tasks ----------------------------------------------------------------------------------

    def take(self, chunk: Chunk, now: float) -> None:
        """Take tasks whose payloads are here: pass them on, keep them, or fail them."""
        plugin = chunk.job.plugin
        if plugin is None or not chunk.numbers:  # none of them is held any more
            self._give(chunk)
            return
        held = self._held(plugin)
        if held.error and now >= held.until:
            held.error, held.failures = "", 0
        if now - held.found > limits_plugins.PLUGIN_AGAIN_SECONDS:
            held.code = None
        if held.code is not None:
            chunk.job.code = held.code
            self._give(chunk)
        elif held.error or not self.takes:
            text = held.error or "it takes no plugins (--no-plugins)"
            self._fail(chunk, _failure(plugin, text, held.detail))
        else:
            held.chunks.append(chunk)

    def _held(self, plugin: Plugin) -> Held:
        held = self._all.get(plugin.digest)
        if held is None:
            self._forget_some()
            held = self._all[plugin.digest] = Held(plugin)
        elif held.plugin != plugin:  # signed anew
            held.plugin, held.error, held.until = plugin, "", 0.0
        return held

    def _forget_some(self) -> None:
        """Forget the one that was heard of first, of those that nothing waits for, if need be."""
        if len(self._all) >= limits_plugins.HELD_PLUGINS:
            idle = (digest for digest, one in self._all.items() if not one.chunks)
            self._all.pop(next(idle, b""), None)

    def begin(self, now: float) -> None:
        """Have plugins brought that are waited for."""
        for held in self._all.values():
            if held.chunks and not held.under_way and held.code is None and now >= held.until:
                held.under_way = True
                self._out(FetchPlugin(held.plugin))

    def try_now(self) -> None:
        """Wait for nothing any more: the connection is back."""
        for held in self._all.values():
            if not held.error:
                held.until = 0.0

    def drop_dead(self, job: Job) -> list[InFile]:
        """Take out the tasks of a job whose attempts are not held any more; return their files."""
        files: list[InFile] = []
        for held in self._all.values():
            kept = []
            for chunk in held.chunks:
                alive = chunk.live() if chunk.job is job else chunk
                if alive is not chunk:
                    files += chunk.dead_files()
                if alive.numbers:
                    kept.append(alive)
            held.chunks = kept
        return files

    def pop_all(self) -> Iterator[Chunk]:
        """Take out all tasks that wait."""
        for held in self._all.values():
            chunks, held.chunks = held.chunks, []
            yield from chunks

    # --- how it ended ---------------------------------------------------------------------------

    def ended(self, event: PluginReady | PluginFailed, now: float) -> None:
        """Take note that a plugin is here, or is not to be had at present."""
        held = self._all.get(event.plugin.digest)
        if held is None:
            return
        held.under_way = False
        if isinstance(event, PluginReady):
            self._ready(held, event, now)
        else:
            self._failed(held, event, now)

    def _ready(self, held: Held, event: PluginReady, now: float) -> None:
        held.failures, held.error = 0, ""
        held.code, held.found = event.code, now
        chunks, held.chunks = held.chunks, []
        for chunk in chunks:
            chunk.job.code = event.code
            self._give(chunk)

    def _failed(self, held: Held, event: PluginFailed, now: float) -> None:
        held.failures += event.refused
        if event.final or held.failures >= limits_worker.TRANSFER_TRIES:
            self._give_up(held, event.text, now, event.detail)
        else:
            held.until = now + transfer_pause(held.failures)

    def give_up(self, plugin: Plugin, text: str, now: float) -> None:
        """Fail the tasks of a plugin, from now on for a while."""
        held = self._held(plugin)
        held.code = None
        self._give_up(held, text, now)

    def _give_up(self, held: Held, text: str, now: float, detail: str = "") -> None:
        failure = _failure(held.plugin, text, detail)
        self._out(Say(failure.error))
        held.error, held.detail = text, detail
        held.until = now + limits_plugins.PLUGIN_RETRY_SECONDS
        chunks, held.chunks = held.chunks, []
        for chunk in chunks:
            self._fail(chunk, failure)

    def doubt(self, plugin: Plugin) -> None:
        """Have a plugin looked at again, for an executor could not import it."""
        held = self._all.get(plugin.digest)
        if held is not None:
            held.code = None

    # --- looking --------------------------------------------------------------------------------

    def chunks(self) -> Iterator[Chunk]:
        """Yield what waits."""
        return (chunk for held in self._all.values() for chunk in held.chunks)

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all tasks that wait."""
        for chunk in self.chunks():
            for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
                yield chunk.job.number, number, attempt

    def validate(self) -> None:
        """Check what must hold between two events."""
        full = len(self._all) > limits_plugins.HELD_PLUGINS
        assert not full or all(one.chunks for one in self._all.values()), "too many are known"
        for held in self._all.values():
            waits = held.code is None and not held.error
            assert waits or not held.chunks, "tasks wait for nothing"
            assert all(chunk.numbers and chunk.live() is chunk for chunk in held.chunks)
            assert all(_digest(chunk) == held.plugin.digest for chunk in held.chunks)


def _digest(chunk: Chunk) -> bytes:
    return b"" if chunk.job.plugin is None else chunk.job.plugin.digest


def _failure(plugin: Plugin, text: str, detail: str) -> Failure:
    error = f"{unusable(plugin.name)}{text}"
    return Failure("error", error[: limits.ERROR_CHARS], detail[-limits.ERROR_CHARS :])
