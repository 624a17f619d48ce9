"""Jobs on their way from clients: begun, gone on with, and ended.

Theory of operation
-------------------
A *submission* is a job that a client is sending, or whose end is not on disk yet. It belongs to one
request of one connection, by which Payloads, EndOfJob and Stored name it. Accepted goes out at
once; Stored says what is on disk.

When its connection goes, the job stays open, over a restart as well: *deserted*, until its client
comes back with the key, or somebody cancels it. Who resumes a key gets the job as it is here: what
this process has taken is on disk or on its way there, and if the process dies, so do all its
connections, and their clients resume again.

Whether a key's job is in memory or has to be read from the store is nothing that a client can know,
so it must make no difference. While the store is asked, everything that this connection says waits
in `Client.held`, and is taken in its order behind the answer. The app reads no more from a
connection that waits so, and therefore one message of the link is all that can be held.

A broken line may deliver late what a client sent before it came back on another connection. So a
key is remembered when its job has long finished, a Submit without `resume` is refused when its key
is known, and a connection never takes a submission from one that was opened after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from dc import limits
from dc._columns import weigh
from dc.errors import (
    DcError,
    JobCancelled,
    KeyConflict,
    OptionsError,
    PayloadError,
    ProtocolError,
    QuotaExceeded,
    UnknownBlob,
)
from dc.messages import Refused
from dc.messages_client import Accepted, Counts, EndOfJob, Options, Payloads, Stored, Submit
from dc.messages_parts import Blob
from dc.portions import stored_size
from dc.records import JobEnded, JobRow, NewJob, NewTasks
from dc.server.board import Board
from dc.server.event_log import named
from dc.server.events import LoadKey
from dc.server.job_options import check_after, job_options
from dc.server.jobs import Job
from dc.server.submission import Client, Submission
from dc.server.type_port import TypeInfo

Find: TypeAlias = Callable[[int, Callable[[Job | None], None]], None]
"""Calls a function with a job, by its number, from memory or once it was read from the store."""


class Submissions:
    """All submissions of all clients.

    Args:
        board: what the parts of the reactor share.
        find: finds jobs.
    """

    def __init__(self, board: Board, find: Find) -> None:
        self._board = board
        self._find = find
        self._of_job: dict[int, Submission] = {}
        self._keys: dict[str, int] = {}
        self._looked_for: dict[str, list[tuple[frozenset[Blob], Client, Submit]]] = {}
        self._answered: list[Client] = []

    # --- jobs that come and go by themselves ----------------------------------------------------

    def recovered(self, job: Job) -> None:
        """Note a job that was found at the start: whoever submitted it has gone."""
        self._remember(job.row.key, job.number)
        job.deserted = not job.ended

    def leave(self, client: Client) -> None:
        """Leave the jobs of a client that has gone as they are."""
        client.gone = True
        client.held.clear()
        client.held_missing.clear()
        for submission in list(client.submitting.values()):
            self._desert(submission)

    def left(self, client: Client, request: int) -> None:
        """Leave the job of a submission that its client gives up, if there is one, as it is."""
        submission = client.submitting.get(request)
        if submission is not None and not submission.job.ended:
            self._desert(submission)
            self._pass_over(client, request)

    def cancelled(self, job: Job, error: DcError | None = None) -> None:
        """Tell who submits a job that it was cancelled, by the error for which it was, if any."""
        submission = self._of_job.get(job.number)
        if submission is not None and (not job.ended or error is not None):
            text = f"job {job.number} was cancelled while it was being submitted"
            text += f": {job.why}" if job.why else ""
            self._close(submission)
            self._refuse(submission.client, submission.request, error or JobCancelled(text))

    # --- beginning ------------------------------------------------------------------------------

    def submit(
        self, client: Client, message: Submit, missing: frozenset[Blob] = frozenset()
    ) -> None:
        """Begin a job, or go on with the one of the same key.

        Args:
            client: whose it is.
            message: what it says.
            missing: blobs that are not here.

        Raises:
            ProtocolError: the request is that of another submission under way.
        """
        if message.request in client.submitting:
            raise ProtocolError(f"request {message.request} is a submission under way")
        client.refused.pop(message.request, None)
        do = self._resume if message.resume else self._begin
        self._answer(client, message, partial(do, missing))

    def _answer(
        self, client: Client, message: Submit, do: Callable[[Client, Submit], None]
    ) -> None:
        try:
            do(client, message)
        except DcError as error:
            self._refuse(client, message.request, error)

    def _begin(self, missing: frozenset[Blob], client: Client, message: Submit) -> None:
        if message.key in self._keys:
            whose = "a job" if client.is_bound else f"job {self._keys[message.key]}"
            raise KeyConflict(f"{whose} has this key already: resume it, or take another key")
        info = self._board.types.get(message.type, message.version)
        options = job_options(info, message.options)
        check_after(self._board.next_job, options)
        self._board.check_resources(options)
        inputs = list(options.inputs.values())
        self._check_inputs(options, missing)
        self._board.usage.check_new(options.submitter, inputs)
        number, sure = self._board.take_number()
        row = JobRow(
            job=number,
            type=info.name,
            version=info.version,
            options=options,
            payload=info.payload_codec,
            result=info.result_codec,
            created=self._board.wall,
            ended=False,
            cancelled_at=None,
            counts=Counts(),
            key=message.key,
            plugin=self._board.types.plugin(info.name, info.version),
        )
        self._remember(message.key, row.job)
        self._board.counters.begun += 1
        job = self._board.add_job(row)
        job.own_only = client.is_bound
        self._board.usage.count(job, stored_size(inputs))
        job.holds.unsure = not sure
        self._board.hold(job)
        self._open(client, message.request, job, info)
        self._board.write(_new_job(row), partial(self._begun, job))
        self._board.on_submitted(job)
        self._note("job.submitted", job, f"of type {row.type} was submitted")

    def _check_inputs(self, options: Options, missing: frozenset[Blob]) -> None:
        for name, blob in options.inputs.items():
            if blob in missing:
                text = f"input {name} of the new job, blob {blob.name}, is not here"
                raise UnknownBlob(f"{text}: put it to /blobs first")

    def _begun(self, job: Job) -> None:
        """Let the tasks of a job be given out whose number may have been another's until now."""
        if job.holds.unsure:
            job.holds.unsure = False
            self._board.hold(job)
            self._board.heads.begun(job)

    def _open(self, client: Client, request: int, job: Job, info: TypeInfo | None) -> None:
        row = job.row
        submission = Submission(client, request, job, info if row.payload != "bytes" else None)
        client.submitting[request] = self._of_job[job.number] = submission
        job.deserted = False
        answer = (row.type, row.version, row.payload, row.result, job.total, job.ended)
        warning = self._board.warning(job)
        self._board.send(client.peer, Accepted(request, job.number, *answer, warning))

    def _remember(self, key: str, job: int) -> None:
        if key:
            self._keys.pop(key, None)
            self._keys[key] = job
            if len(self._keys) > limits.KNOWN_KEYS:
                del self._keys[next(iter(self._keys))]

    # --- going on -------------------------------------------------------------------------------

    def _resume(self, missing: frozenset[Blob], client: Client, message: Submit) -> None:
        if not message.key:
            raise OptionsError("only a submission that has a key can be resumed")
        client.looks = True
        number = self._keys.get(message.key)
        if number is not None:
            self._find(number, partial(self._found, missing, client, message))
        elif message.key in self._looked_for:
            self._looked_for[message.key].append((missing, client, message))
        else:
            self._looked_for[message.key] = [(missing, client, message)]
            self._board.out.append(LoadKey(message.key))

    def key_loaded(self, key: str, row: JobRow | None) -> None:
        """Go on with what waited for the job of a key."""
        waiting = self._looked_for.pop(key, [])
        if row is not None and key not in self._keys:
            self._remember(key, row.job)
        for missing, client, message in waiting:
            if key in self._keys:
                self._find(self._keys[key], partial(self._found, missing, client, message))
            else:
                self._found(missing, client, message, None)

    def _found(
        self, missing: frozenset[Blob], client: Client, message: Submit, job: Job | None
    ) -> None:
        if client.gone:
            return
        client.looks = False
        if client.held:
            self._answered.append(client)
        if job is None:
            self._keys.pop(message.key, None)  # its job was removed, if there ever was one
            self._answer(client, message, partial(self._begin, missing))
        else:
            self._answer(client, message, partial(self._go_on, job))

    def answered(self) -> list[Client]:
        """Return the clients that are answered now, and have said something meanwhile; once."""
        answered, self._answered = self._answered, []
        return answered

    def _go_on(self, job: Job, client: Client, message: Submit) -> None:
        row = job.row
        if not client.owns(job):
            raise KeyConflict("another job has this key: take another key")
        if message.type != row.type or message.version not in ("", row.version):
            text = f"job {job.number} has this key and is of {row.type} {row.version}"
            raise KeyConflict(f"{text}: take another key")
        if job.cancelled:
            raise JobCancelled(f"job {job.number}, which has this key, was cancelled")
        types = self._board.types
        info = types.get(row.type, row.version, row.plugin) if not job.ended else None
        before = self._of_job.get(job.number)
        if before is not None:
            self._take_over(before, client)
        self._open(client, message.request, job, info)
        if job.stored or job.end_stored:
            self._tell(job)

    def _take_over(self, before: Submission, client: Client) -> None:
        number = before.job.number
        if before.client.peer > client.peer:
            raise KeyConflict(f"a newer connection is submitting job {number}, which has this key")
        self._close(before)
        text = f"another connection goes on with submitting job {number} under this key"
        self._refuse(before.client, before.request, KeyConflict(text))

    # --- tasks ----------------------------------------------------------------------------------

    def payloads(self, client: Client, message: Payloads) -> None:
        """Take the next tasks of a submission.

        Raises:
            ProtocolError: there is no such submission, or these are not its next tasks.
        """
        submission = self._submission(client, message.request)
        if submission is None or not message.payloads:
            return
        job, count = submission.job, message.first + len(message.payloads)
        if message.first != job.total:
            text = f"job {job.number}: payloads from {message.first}, expected {job.total}"
            raise ProtocolError(text)
        if count > limits.MAX_NUMBER:
            raise ProtocolError(f"a job has at most {limits.MAX_NUMBER} tasks")
        try:
            if job.options.each and count > limits.EACH_TASKS:
                raise PayloadError(f"with `each` a job has at most {limits.EACH_TASKS} tasks")
            _check(submission, message)
            self._board.usage.check(job, message.payloads)
        except (PayloadError, QuotaExceeded) as error:
            self._desert(submission)
            self._refuse(client, message.request, error)
            return
        job.changed = True
        self._board.counters.submitted += len(message.payloads)
        self._board.usage.count(job, stored_size(message.payloads))
        record = NewTasks(job.number, message.first, message.payloads)
        self._board.write(record, partial(self._stored, job, message.first, count))
        job.add(message.payloads)
        self._board.on_payloads(job, message.payloads)
        self._board.heads.submitted(job, len(message.payloads))

    def end(self, client: Client, message: EndOfJob) -> None:
        """Note that a submission has no more tasks.

        Raises:
            ProtocolError: there is no such submission.
        """
        submission = self._submission(client, message.request)
        if submission is None:
            return
        job = submission.job
        job.ended = job.changed = True
        record = JobEnded(job.number, job.total, self._board.wall)
        self._board.write(record, partial(self._end_stored, job))

    def _submission(self, client: Client, request: int) -> Submission | None:
        """Return a submission that is not ended; None if it was refused."""
        submission = client.submitting.get(request)
        if submission is None:
            if request in client.refused:
                return None
            raise ProtocolError(f"request {request} is not being submitted on this connection")
        if submission.job.ended:
            raise ProtocolError(f"request {request}: more of a submission after its end")
        return submission

    def _stored(self, job: Job, first: int, count: int) -> None:
        job.stored_up_to(count)
        self._tell(job)
        self._board.on_stored(job, first)

    def _end_stored(self, job: Job) -> None:
        job.end_stored = True
        self._tell(job)
        self._board.look_at_end(job)

    def looked_up(self, job: Job) -> None:
        """Go on with a job now that it is known that those which it comes after are there."""
        if job.stored or job.end_stored:
            self._tell(job)

    def _tell(self, job: Job) -> None:
        """Tell who submits a job what of it is on disk."""
        submission = self._of_job.get(job.number)
        if submission is not None and not job.holds.unknown:
            stored = Stored(submission.request, job.stored, job.end_stored)
            self._board.send(submission.client.peer, stored)
            if job.end_stored:
                self._close(submission)

    # --- ending ---------------------------------------------------------------------------------

    def _pass_over(self, client: Client, request: int) -> None:
        client.refused[request] = None
        if len(client.refused) > limits.REFUSED_SUBMISSIONS:
            del client.refused[next(iter(client.refused))]

    def _refuse(self, client: Client, request: int, error: DcError) -> None:
        self._pass_over(client, request)
        self._board.send(client.peer, Refused(request, error.code, str(error)))

    def _close(self, submission: Submission) -> None:
        del submission.client.submitting[submission.request]
        del self._of_job[submission.job.number]

    def _desert(self, submission: Submission) -> None:
        self._close(submission)
        job = submission.job
        job.deserted = job.changed = not job.ended
        if job.deserted and not job.cancelled:
            self._note("job.deserted", job, "was left before all of it was submitted")

    def _note(self, kind: str, job: Job, what: str) -> None:
        name = job.options.name
        who = job.options.submitter
        text = partial("job {}{} {}".format, job.number, named(name), what)
        self._board.log.note(kind, who, text, job=job.number)


def _new_job(row: JobRow) -> NewJob:
    codecs = (row.payload, row.result)
    what = (row.job, row.type, row.version, row.options)
    return NewJob(*what, *codecs, row.created, row.key, row.plugin)


def _check(submission: Submission, message: Payloads) -> None:
    """Check each payload's size and shape.

    Raises:
        PayloadError: one is too large to ride inline or not of the type's shape.
    """
    info, job = submission.info, submission.job.number
    if info is None and weigh(message.payloads).longest <= limits.INLINE_BYTES:
        return
    for offset, payload in enumerate(message.payloads):
        if not isinstance(payload, bytes):
            continue
        if len(payload) > limits.INLINE_BYTES:
            text = (
                f"payload {message.first + offset} of job {job} has {len(payload)} bytes; "
                f"above {limits.INLINE_BYTES} bytes put it to /blobs first"
            )
            raise PayloadError(text)
        if info is not None:
            try:
                info.check_payload(payload)
            except PayloadError as error:
                where = f"payload {message.first + offset} of job {job}"
                raise PayloadError(f"{where} does not fit {info.name}: {error}") from None
