"""Payloads and results as files, or as a browser may show them in place.

What a task made may be anything, and whoever wrote it may mean harm: so only text, JSON and
pictures without scripts are shown, as what their own first bytes say, in a document that may do
nothing. All else is a file to be saved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec
import trio

from dc import limits_shown
from dc.blobs import BlobFolder
from dc.http import Request, Response
from dc.messages_parts import Payload
from dc.server.blob_answers import BlobAnswers
from dc.server.json_values import result_fields
from dc.server.views import Views

Which = Literal["payload", "result"]

HARMLESS: Final = ("Content-Security-Policy", "default-src 'none'; sandbox")

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

HEAD_BYTES: Final = 4096
"""Of a payload or result, by which it is told what it is."""

PICTURES: Final[Mapping[str, re.Pattern[bytes]]] = MappingProxyType(
    {
        "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
        "image/jpeg": re.compile(rb"\xff\xd8\xff"),
        "image/gif": re.compile(rb"GIF8[79]a"),
        "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
        "image/avif": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
    }
)

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class TaskBytes:
    """Answers requests for the bytes of tasks.

    Args:
        views: where they are looked up.
        blobs: where the large ones are.
        answers: how bytes are answered.
    """

    def __init__(self, views: Views, blobs: BlobFolder, answers: BlobAnswers) -> None:
        self._views = views
        self._blobs = blobs
        self._answers = answers

    async def answer(self, request: Request, which: Which, job: int, task: int) -> Response:
        """Answer GET or HEAD with a payload or result; with `?view=1`, to be shown if it may be.

        Raises:
            UnknownJob, UnknownTask, UnknownBlob: there is none.
        """
        tasks = self._views.tasks
        data = await (tasks.payload if which == "payload" else tasks.result)(job, task)
        if request.query.get("view") == "1":
            if isinstance(data, bytes) and (json := await self._as_json(which, job, data)):
                return Response(200, json, JSON, [HARMLESS, ("Cache-Control", "private, no-cache")])
            if kind := kind_of(await self._head(data), _size(data)):
                answer = await self._answers.payload(request, data)
                answer.content_type = kind
                answer.headers.append(HARMLESS)
                return answer
        answer = await self._answers.payload(request, data)
        name = f"job-{job}-task-{task}-{which}"
        answer.headers.append(("Content-Disposition", f'attachment; filename="{name}"'))
        return answer

    async def _as_json(self, which: Which, job: int, data: bytes) -> bytes:
        """Return what is MessagePack as the JSON that it is like; empty if it is not."""
        row = await self._views.jobs.row(job)
        if (row.payload if which == "payload" else row.result) == "bytes":
            return b""
        said = result_fields(data, "msgpack").get("result")
        return bytes(said) if isinstance(said, msgspec.Raw) else b""

    async def _head(self, data: Payload) -> bytes:
        if isinstance(data, bytes):
            return data[:HEAD_BYTES]
        path = self._blobs.path(data.digest)
        if path is None:
            return b""  # it is answered that it is not there
        async with await trio.open_file(path, "rb") as file:
            return await file.read(HEAD_BYTES)


def _size(data: Payload) -> int:
    return len(data) if isinstance(data, bytes) else data.size


def kind_of(head: bytes, size: int) -> str:
    """Return as what bytes may be shown, empty if they may not.

    Args:
        head: the first HEAD_BYTES of them, or all.
        size: of the whole, in bytes.
    """
    if size > limits_shown.VIEW_BYTES:
        return ""
    for kind, pattern in PICTURES.items():
        if pattern.match(head):
            return kind
    if _CONTROL.search(head) or not _is_text(head, whole=size == len(head)):
        return ""
    return JSON if size == len(head) and _is_json(head) else TEXT


def _is_text(head: bytes, *, whole: bool) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return not whole and error.start >= len(head) - 3  # a character was cut
    return True


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return data[:1] in (b"{", b"[")
