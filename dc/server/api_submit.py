"""`POST /api/jobs`: jobs that are submitted over HTTP, as one JSON value or as lines of JSON.

How it works:
- A job as one value is checked whole before anything of it is there. One as lines runs as it comes:
  its first line says what it is, each further one is a payload. No more than a batch of it is in
  memory, and no more is read while the disk is behind.
- All of it is on disk before the answer is sent.
- `Idempotency-Key` is the key of the submission, the same as a client's: see inner_submission.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import msgspec
import trio
from msgspec import Meta, Struct

from dc import errors, limits, limits_shown
from dc.errors import OptionsError, PayloadError, ProtocolError, ServerStopped
from dc.http import Request, Response
from dc.messages_parts import Blob, Payload, Text
from dc.server.api_body import JSON, media_type
from dc.server.app import ServerApp
from dc.server.inner_submission import InnerSubmission
from dc.server.json_lines import JsonLines
from dc.server.json_values import blob_of, payload_of
from dc.server.problems import BadRequest
from dc.server.routes import SUBMITTERS, Call, Route
from dc.server.uploads import Uploads
from dc.tasktypes import TaskType
from dc.view_jobs import BlobView, Submitted

LINES: Final = "application/x-ndjson"
ALSO_LINES: Final = (LINES, "application/ndjson", "application/jsonl")


class NewJob(Struct, forbid_unknown_fields=True):
    """What a job is: its task type, and options by name, of which `inputs` are BlobViews."""

    type: Text
    version: Text = ""
    options: Annotated[dict[Text, Any], Meta(max_length=64)] = {}


class WholeJob(NewJob):
    """A job as one value: its task type, options by name, and the payloads of its tasks.

    A payload is a value of the shape that its type declares. Of a type that takes bytes it is a
    string, which stands for its UTF-8, or `{"base64": …}`, or `{"blob": SHA256, "size": …}` for a
    blob that was put before. As lines, the first has all but `tasks`, each further one a payload.
    """

    tasks: Annotated[list[msgspec.Raw], Meta(max_length=limits_shown.SUBMITTED_TASKS)] = []


_inputs: Final = dict[Text, BlobView]


class SubmitApi:
    """Answers requests that submit jobs.

    Args:
        app: what they are submitted to.
        uploads: says whether large payloads may come in.
    """

    def __init__(self, app: ServerApp, uploads: Uploads) -> None:
        self._app = app
        self._uploads = uploads
        self._under_way = 0

    def routes(self) -> list[Route]:
        """Return how jobs are submitted."""
        problems = (
            errors.UnknownTaskType, OptionsError, PayloadError, errors.UnknownBlob,
            errors.QuotaExceeded, errors.StoreFull, errors.StoreError, errors.NotPossible,
        )  # fmt: skip
        return [
            Route(
                "POST", "/api/jobs", self._submit, Submitted, "Submit a job", "jobs",
                body=LINES, json=WholeJob, problems=problems, status=201, also=(200,),
                codes=("busy", "key_reused", "in_progress"), roles=SUBMITTERS,
            )
        ]  # fmt: skip

    async def _submit(self, call: Call[None, None]) -> Response:
        request, kind = call.request, media_type(call.request)
        if kind != JSON and kind not in ALSO_LINES:
            text = f"send a job as {JSON}, or as {LINES} with a payload on each line but the first"
            raise BadRequest("media_type", text)
        key = _key(request)
        with self._counted():
            try:
                if kind == JSON:
                    return await self._whole(request, key)
                return await self._lines(request, key)
            except ServerStopped as error:
                raise BadRequest("unavailable", str(error)) from None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._under_way >= limits_shown.SUBMITTING:
            text = f"{limits_shown.SUBMITTING} jobs are being submitted over HTTP: try again later"
            raise BadRequest("busy", text)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _whole(self, request: Request, key: str) -> Response:
        """Take a job that comes as one value."""
        job = _decode(await _body(request), WholeJob)
        type_ = self._app.types.get(job.type, job.version)
        parts = await self._read_all(type_, job.tasks)
        options = _options(job.options)
        submission = InnerSubmission(self._app, request.principal)
        try:
            pinned = await submission.begin(job.type, job.version, options, key)
            if pinned is not type_:  # the job of the key goes on with an older version
                parts = await self._read_all(pinned, job.tasks)
            for payloads in parts:
                await submission.add(payloads)
            return _answer(await submission.end(), submission)
        finally:
            submission.leave()

    async def _lines(self, request: Request, key: str) -> Response:
        """Take a job that comes as lines."""
        source = JsonLines(request)
        lines = await source.some()
        if not lines:
            raise BadRequest("body", "the first line says what the job is; there is none")
        job = _decode(lines.pop(0), NewJob)
        options = _options(job.options)
        submission = InnerSubmission(self._app, request.principal)
        try:
            type_ = await submission.begin(job.type, job.version, options, key)
            count = 0
            while lines or (lines := await source.some()):
                part, lines = lines[: limits_shown.READ_AT_ONCE], lines[limits_shown.READ_AT_ONCE :]
                await submission.add(await self._read(type_, part, count))
                count += len(part)
            return _answer(await submission.end(), submission)
        finally:
            submission.leave()

    async def _read_all(self, type_: TaskType, values: list[msgspec.Raw]) -> list[list[Payload]]:
        """Return all payloads, in parts."""
        step = limits_shown.READ_AT_ONCE
        starts = range(0, len(values), step)
        return [await self._read(type_, values[start : start + step], start) for start in starts]

    async def _read(
        self, type_: TaskType, values: Sequence[bytes | msgspec.Raw], first: int
    ) -> list[Payload]:
        """Return the payloads that are given in JSON; others have had their turn before.

        Raises:
            PayloadError: one does not fit; the text says which, counted from `first`.
        """
        await trio.lowlevel.checkpoint()
        numbered = enumerate(values, first)
        return [await self._payload(type_, bytes(value), number) for number, value in numbered]

    async def _payload(self, type_: TaskType, value: bytes, number: int) -> Payload:
        try:
            payload = payload_of(type_, value)
        except PayloadError as error:
            raise PayloadError(f"payload {number}: {error}") from None
        if not isinstance(payload, bytes) or len(payload) <= limits.INLINE_BYTES:
            return payload
        return await self._put(payload)

    async def _put(self, payload: bytes) -> Payload:
        """Make a blob of a payload that is too large to ride inline."""
        digest, size = hashlib.sha256(payload).digest(), len(payload)
        if self._app.blobs.size(digest) is None:
            self._uploads.check(size)
        await self._app.blobs.put(digest, size, _one(payload))
        return Blob(digest, size)


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _answer(job: Submitted, submission: InnerSubmission) -> Response:
    answer = Response.json(job, 201 if submission.is_new else 200)
    answer.headers.append(("Location", f"/api/jobs/{job.job}"))
    return answer


def _key(request: Request) -> str:
    """Return the key under which a request is to be done once; empty if it has none."""
    said = request.headers.get("idempotency-key")
    if said is None:
        return ""
    key = said.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':  # a string as structured fields have it
        key = key[1:-1]
    if not 0 < len(key) <= limits.TEXT_CHARS:
        text = f"Idempotency-Key has 1 to {limits.TEXT_CHARS} characters"
        raise BadRequest("request", text)
    return key


async def _body(request: Request) -> bytes:
    try:
        return await request.body(limits_shown.SUBMITTED_BYTES)
    except ProtocolError as error:
        if error.status != 413:
            raise
        raise BadRequest("too_large", f"{error}; send it as lines, as {LINES}") from None


def _decode(data: bytes, kind: type[NewJob]) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("body", f"the job: {error}") from None


def _options(said: dict[str, Any]) -> dict[str, Any]:
    """Return options as a client says them: inputs are blobs.

    Raises:
        OptionsError: an input is none.
    """
    if "inputs" not in said:
        return said
    try:
        inputs = msgspec.convert(said["inputs"], _inputs)
        blobs = {n: blob_of(one.sha256, one.size, f"input {n[:80]}") for n, one in inputs.items()}
    except (msgspec.ValidationError, PayloadError) as error:
        raise OptionsError(f"inputs: {error}") from None
    return {**said, "inputs": blobs}
