"""What a worker keeps on its disk for its servers: a journal for each, and which was the last.

A disk that is full or broken does not stop a worker: it says so once, keeps its reports in memory,
and tries again from time to time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Raw, msgpack

from dc import limits_worker as limits
from dc.journal import Journal, read_journal
from dc.log_fields import about
from dc.messages import Report
from dc.pipe import FileResult
from dc.worker.events import Restored

log: Final = logging.getLogger("dc.worker")

LAST_SERVER: Final = "server"
_PLAIN = re.compile(r"[0-9A-Za-z]{1,64}")


class Keeping:
    """Keeps the reports of one worker.

    Args:
        folder: an existing folder of this worker alone; None keeps nothing on disk.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._journal: Journal | None = None
        self._failing = False
        self._try_at = 0.0
        self._encoder = msgpack.Encoder()

    # --- which server ---------------------------------------------------------------------------

    def start(self) -> Restored | None:
        """Open the journal of the last server; return what is in it, None if there was none."""
        if self._folder is None:
            return None
        try:
            server = (self._folder / LAST_SERVER).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return self._open(self._folder, server) if server else None

    def switch(self, server: str) -> Restored:
        """Go on with the journal of another server; return what is in it."""
        self.close()
        if self._folder is None:
            return Restored(server, durable=False)
        try:
            write_file(self._folder / LAST_SERVER, f"{server}\n")
        except OSError as error:
            log.warning("cannot note the server's id: %s", error)
        return self._open(self._folder, server)

    def _open(self, folder: Path, server: str) -> Restored:
        self._journal = journal = Journal(journal_path(folder, server))
        found = journal.contents
        if found.damage:
            log.warning("%s: %s; only what stands before counts", journal.path, found.damage)
        files = [one for one in found.files if self._is_there(journal, one)]
        if found.reports or files:
            counts = len(found.reports), len(files)
            log.info("%d reports and %d large results are still to be recorded", *counts)
        self._look()
        return Restored(server, found.recorded, found.reports, files)

    def _is_there(self, journal: Journal, result: FileResult) -> bool:
        with suppress(OSError):
            if Path(result.file.path).stat().st_size == result.file.size:
                return True
        where = about(job=result.job, task=result.number, attempt=result.attempt)
        text = "the result of task %d of job %d is lost"
        log.warning(text, result.number, result.job, extra=where)
        journal.forget_file((result.job, result.number, result.attempt))
        return False

    # --- reports --------------------------------------------------------------------------------

    def keep(self, reports: Sequence[Report]) -> list[Raw]:
        """Write reports down; return each as it is sent."""
        if self._journal is None:
            return [Raw(self._encoder.encode(report)) for report in reports]
        encoded = self._journal.keep(reports)
        self._look()
        return [Raw(data) for data in encoded]

    def forget(self, sequence: int) -> None:
        """Forget the reports up to a sequence."""
        if self._journal is not None:
            self._journal.record(sequence)
            self._look()

    def keep_file(self, result: FileResult) -> None:
        """Write down that a large result is in a file."""
        if self._journal is not None:
            self._journal.keep_file(result)
            self._look()

    def forget_file(self, job: int, number: int, attempt: int) -> None:
        """Forget the large result of an attempt."""
        if self._journal is not None:
            self._journal.forget_file((job, number, attempt))
            self._look()

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
        self._journal = None

    # --- a disk that fails ----------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Write what has waited, or try again what has failed; `now` is in seconds."""
        if self._journal is None:
            return
        if not self._failing:
            self._journal.settle()
            self._look()
        elif self._try_at == 0.0:
            self._try_at = now + limits.JOURNAL_RETRY_SECONDS
        elif now >= self._try_at:
            self._try_at = 0.0
            self._journal.mend()
            self._look()

    def _look(self) -> None:
        """Say when writing begins to fail, and when it works again."""
        assert self._journal is not None
        failure = self._journal.failure
        if bool(failure) == self._failing:
            return
        self._failing = bool(failure)
        if failure:
            log.error("cannot keep reports on disk, only in memory: %s", failure)
        else:
            log.info("reports are kept on disk again")


# --- files ----------------------------------------------------------------------------------------


def journal_path(folder: Path, server: str) -> Path:
    """Return where the journal of a server is; the server's id may be any text."""
    if not _PLAIN.fullmatch(server):
        server = f"x{hashlib.sha256(server.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    return folder / f"reports-{server}.journal"


def remove_old_journals(folder: Path) -> None:
    """Remove the journals of servers that were not used for JOURNAL_KEEP_SECONDS.

    The last server's stays, however long the worker has been off.
    """
    last = ""
    with suppress(OSError, UnicodeDecodeError):
        server = (folder / LAST_SERVER).read_text("utf-8").strip()
        last = journal_path(folder, server).name
    for path in folder.glob("reports-*.journal*"):
        with suppress(OSError):
            age = time.time() - path.stat().st_mtime
            if path.name != last and age > limits.JOURNAL_KEEP_SECONDS:
                path.unlink()
                log.info("removed %s, unused for %.0f days", path, age / 86400)


def files_to_keep(folder: Path) -> set[Path]:
    """Return the files of all large results that any journal names."""
    found: set[Path] = set()
    for path in folder.glob("reports-*.journal"):
        with suppress(OSError):
            found.update(Path(one.file.path) for one in read_journal(path).files)
    return found


def write_file(path: Path, text: str) -> None:
    """Write a small file of this user's so that it is there wholly or not at all, and stays.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(path.name + ".new")
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
