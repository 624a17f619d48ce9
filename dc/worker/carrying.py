"""Payloads and results that are too large for a message, on their way by HTTP.

The transfers take turns on one HTTP connection.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from dc import limits
from dc.errors import DcError, HttpError
from dc.http_client import HttpClient
from dc.pipe import InFile
from dc.worker.events import (
    BlobPut,
    BlobPutFailed,
    CheckpointPut,
    Event,
    Fetch,
    Fetched,
    FetchFailed,
    PutBlob,
    PutCheckpoint,
)


class Carrier:
    """Carries files between the server and a folder.

    Args:
        http: the way to the server.
        folder: where payloads are put.
        tell: takes the end of each transfer, an event.
    """

    def __init__(self, http: HttpClient, folder: Path, tell: Callable[[Event], None]) -> None:
        self._http = http
        self._folder = folder
        self._tell = tell
        self._turn = trio.Lock()
        self._given_up = 0  # how often all transfers were

    async def fetch(self, action: Fetch) -> None:
        """Fetch a payload, or a checkpoint, into a file."""
        job, number, attempt = key = action.job, action.number, action.attempt
        path, what = f"/jobs/{job}/tasks/{number}/payload", "payload"
        if action.digest:
            path, what = f"/blobs/{action.digest.hex()}", "checkpoint"
        to = self._folder / f"{what}-{job}-{number}-{attempt}"
        before = self._given_up
        try:
            async with self._turn:
                if self._given_up > before:
                    return
                with trio.fail_after(_transfer_seconds(action.size)):
                    size = await self._http.download(path, to)
        except (OSError, DcError, trio.TooSlowError) as error:
            if self._given_up == before:
                self._tell(FetchFailed(*key, text_of(error), _is_final(error)))
            return
        if self._given_up > before:
            to.unlink(missing_ok=True)
        elif size != action.size:
            to.unlink(missing_ok=True)
            text = f"got {size} bytes instead of {action.size}"
            self._tell(FetchFailed(*key, text, True))
        else:
            self._tell(Fetched(*key, InFile(str(to), size)))

    async def put(self, action: PutBlob | PutCheckpoint) -> None:
        """Put a result, or a checkpoint."""
        key, file = (action.job, action.number, action.attempt), action.file
        before = self._given_up
        is_result = isinstance(action, PutBlob)
        end: Event = BlobPut(*key) if is_result else CheckpointPut(*key)
        try:
            async with self._turn:
                with trio.fail_after(_transfer_seconds(file.size)):
                    await self._http.upload(f"/blobs/{file.digest.hex()}", Path(file.path))
        except (OSError, DcError, trio.TooSlowError) as error:
            failed = BlobPutFailed if is_result else CheckpointPut
            end = failed(*key, text_of(error), _is_final(error))
        if self._given_up == before:
            self._tell(end)

    def give_up(self) -> None:
        """Tell nothing any more of what is under way: it was for another server."""
        self._given_up += 1

    async def aclose(self) -> None:
        """Close the connection; the next transfer opens another."""
        await self._http.aclose()


def _transfer_seconds(size: int) -> float:
    return limits.TRANSFER_SECONDS + size / limits.TRANSFER_BYTES_PER_SECOND


def _is_final(error: BaseException) -> bool:
    """Whether trying again hardly helps: the server will not, or a file here cannot be used.

    A server that fails (5xx) and a connection that breaks may be well again soon.
    """
    if isinstance(error, HttpError):
        return 400 <= error.status < 500
    return isinstance(error, OSError)


def text_of(error: BaseException) -> str:
    """Return what went wrong; of several attempts to connect, what was wrong with the last."""
    if isinstance(error.__cause__, BaseExceptionGroup):
        return text_of(error.__cause__.exceptions[-1])
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
