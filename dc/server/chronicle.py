"""What is kept of the server's life: its history, its events, when workers were here.

It gathers in `board` and is written down at ticks, a record of each sort at a time: none follows
before the one before it is on disk, so that a disk that is full for days costs no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from dc import limits_shown
from dc.records import NewPlugin
from dc.records_shown import Events, History, HistoryStep
from dc.requirements import bytes_text
from dc.server.board import Board
from dc.server.counters import DONE
from dc.server.event_log import SERVER, counted, named
from dc.server.history import HistoryLog, step_at
from dc.server.jobs import Job
from dc.server.quotas import reserve_of
from dc.server.workers import WorkerSide
from dc.view_server import EventView, Level


class Chronicle:
    """Writes it down.

    Args:
        board: where events and comings gather.
        workers: how many they are.

    Attributes:
        history: steps that are not on their way to the disk.
        plugins: names of plugins that are known.
        broken: plugins that cannot be taken up, and why, by name.
        disk_free: bytes that are free where the data folder is, if that is known.
        disk_low: whether that is little.
        paused: since when jobs, by number, and workers, by key, are seen to be paused.
    """

    def __init__(self, board: Board, workers: WorkerSide) -> None:
        self.history = HistoryLog()
        self.plugins: set[str] = set()
        self.broken: dict[str, str] = {}
        self.disk_free: int | None = None
        self.disk_low = False
        self.paused: dict[int | str, float] = {}
        self._board = board
        self._workers = workers
        self._log = board.log
        self._writing: set[str] = set()

    # --- what happens ---------------------------------------------------------------------------

    def started(self, next_event: int, last: EventView | None, alive: float | None) -> None:
        """Note that the server starts.

        Args:
            next_event: the number for the next event.
            last: the last event that it started or stopped, if there is one.
            alive: when it was last known to be alive, in Unix time.
        """
        self._log.next = next_event
        clean = last is None or last.kind == "server.stopped"
        text = "the server started"
        if not clean:
            text += ": it had been killed, or its computer had failed, while it ran"
        level: Level = "info" if clean else "warning"
        self._log.note("server.started", SERVER, lambda: text, level=level)
        if alive is not None:
            self._board.presence.started(alive)

    def stopping(self) -> None:
        """Note that the server stops, and write down all that there is."""
        self._log.note("server.stopped", SERVER, lambda: "the server was stopped")
        self._end_step()
        self.write(all_=True)

    def trouble(self, text: str) -> None:
        """Note why nothing can be written, or that it can be again."""
        if text:
            said = f"nothing is written down: {text}"
            self._log.note("server.trouble", SERVER, lambda: said)
        else:
            self._log.note("server.mended", SERVER, lambda: "what there is is written down again")

    def plugin(self, record: NewPlugin) -> None:
        """Note that a version of a plugin is in service."""
        kind = "plugin.changed" if record.name in self.plugins else "plugin.added"
        self.plugins.add(record.name)
        text = f"plugin {record.name} is in service as {record.digest.hex()[:12]}"
        self._log.note(kind, SERVER, lambda: text)

    def look_at_broken(self, broken: Mapping[str, str]) -> None:
        """Note which plugins cannot be taken up."""
        for name, why in broken.items():
            if self.broken.get(name) != why:
                self._log.note("plugin.broken", SERVER, partial(str, why))
        self.broken = dict(broken)

    def look_at_disk(self, free: int, total: int) -> None:
        """Note how many bytes of the disk of the data folder are free, of how many."""
        self.disk_free = free
        reserve = reserve_of(self._board.settings.now.reserve, total)
        enough = reserve * (limits_shown.DISK_LOW_TIMES + self.disk_low)
        if (free < enough) == self.disk_low:
            return
        self.disk_low = free < enough
        kind = "disk.low" if self.disk_low else "disk.free"
        text = f"{bytes_text(free)} of the disk of the data folder are free"
        self._log.note(kind, SERVER, lambda: text)

    def finished(self, job: Job) -> None:
        """Note that a job has finished of itself."""
        if job.cancelled:
            return
        kind = "job.failed" if job.failed else "job.finished"
        text = partial(_text_of_end, job, self._board.wall)
        self._log.note(kind, job.options.submitter, text, job=job.number)

    def removed(self) -> None:
        """Note that a job was removed that was kept for long enough."""
        self._log.note("job.removed", SERVER, str)

    # --- time -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Write down what is due."""
        if self.history.is_over(self._board.wall):
            self._end_step()
        self.write()

    def _end_step(self) -> None:
        board, side = self._board, self._workers
        load, ended = board.scheduler.worker_load, board.counters.outcomes
        workers = list(side.roster.by_peer.values())
        found = board.scheduler.statistics()
        tails = sum(job.tail.count for job in board.jobs.values() if not job.cancelled)
        self._note_paused()
        self.history.end(
            HistoryStep(
                at=step_at(board.wall),
                done=ended[DONE],
                failed=ended.total() - ended[DONE],
                queued=found.queued + found.delayed + tails,
                running=found.assigned + found.running,
                workers=len(workers),
                away=len(side.roster.away),
                slots=sum(one.about.slots for one in workers),
                busy=sum(min(load(one.id)[0], one.about.slots) for one in workers),
                bytes=board.usage.all,
            )
        )

    def _note_paused(self) -> None:
        now: dict[int | str, None] = {}
        now.update((job.number, None) for job in self._board.jobs.values() if job.holds.paused)
        here, register = self._workers.roster.by_key, self._workers.register
        for key in register.commanded():
            row = register.get(key)
            if key in here and row is not None and row.state == "paused":
                now[key] = None
        self.paused = {name: self.paused.get(name, self._board.wall) for name in now}

    def write(self, *, all_: bool = False) -> None:
        """Write down what waits; what has not waited for long only if `all_` of it is to be."""
        if rows := self._log.take(all_=all_):
            self._board.write(Events(rows), partial(self._log.written, rows))
        if "history" not in self._writing and (steps := self.history.take(all_=all_)):
            self._writing.add("history")
            self._board.write(History(steps), partial(self._writing.discard, "history"))
        if "presence" not in self._writing:
            for record in self._board.presence.take(self._board.now, self._figures):
                self._writing.add("presence")
                self._board.write(record, partial(self._writing.discard, "presence"))

    def _figures(self, key: str) -> tuple[int, int]:
        worker = self._workers.roster.by_key.get(key)
        return (0, 0) if worker is None else (worker.done, worker.failed)


def _text_of_end(job: Job, wall: float) -> str:
    name = f"job {job.number}{named(job.options.name)} finished"
    took = f"{max(0.0, wall - job.row.created):,.1f} s after it was submitted"
    if job.failed:
        return f"{name}: {job.failed:,} of its {counted(job.total, 'task')} failed, {took}"
    return f"{name}: {counted(job.total, 'task')} done, {took}"
