"""Output that is kept whole: in a file, then at the server, before the outcome is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import trio

from dc import limits_worker as limits
from dc.errors import BlobMismatch, ConnectionLost, HttpError, ProtocolError
from dc.http_blobs import BlobTransport
from dc.messages_parts import Blob
from dc.messages_worker import Output
from dc.pipe import NOBODY, Ran, Run, Wrote
from dc.records import TaskOutput
from dc.server.quotas import Quotas
from dc.worker.events import Event, ExecutorDied, ExecutorSaid, ExecutorWrote
from dc.worker.kept_output import KeptOutput, Put, put_output
from dc.worker.seats import Seat, run_executor
from tests.server.harness import Harness

OWNER = (1, 5, 2)


def blob_of(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).digest(), len(data))


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


class Server:
    """Takes blobs, unless it does not."""

    def __init__(self) -> None:
        self.blobs: dict[Blob, bytes] = {}
        self.takes = True

    async def put(self, blob: Blob, path: Path) -> bool:
        await trio.lowlevel.checkpoint()
        data = await trio.Path(path).read_bytes()
        assert blob_of(data) == blob
        if self.takes:
            self.blobs[blob] = data
        return self.takes


def run_of(job: int, folder: Path, *, keep: bool) -> Run:
    return Run(job, "demo", "1", str(folder), [5], [2], [b""], keep_output=keep)


def kept(folder: Path, server: Server) -> KeptOutput:
    output = KeptOutput(folder / "output", server.put)
    output.expect(run_of(1, folder, keep=True))
    return output


async def test_all_of_a_tasks_output_is_put(tmp_path: Path) -> None:
    server = Server()
    output = kept(tmp_path, server)
    pieces = [b"%d " % number * 10_000 for number in range(30)]
    for piece in pieces[:-1]:
        assert await output.take(Wrote(piece)) is None
    whole = await output.take(Wrote(pieces[-1], OWNER))
    assert whole == blob_of(b"".join(pieces))
    assert server.blobs[whole] == b"".join(pieces)
    assert await output.take(Wrote(b"next", OWNER)) == blob_of(b"next")
    assert await output.take(Wrote(b"", OWNER)) is None
    assert files(tmp_path) == []


async def test_output_of_nobody_and_of_other_jobs_is_not_put(tmp_path: Path) -> None:
    server = Server()
    output = kept(tmp_path, server)
    output.expect(run_of(2, tmp_path, keep=False))
    assert await output.take(Wrote(b"between", NOBODY)) is None
    assert await output.take(Wrote(b"of job 2", (2, 0, 1))) is None
    assert await output.take(Wrote(b"of job 1", OWNER)) == blob_of(b"of job 1")
    assert list(server.blobs.values()) == [b"of job 1"]
    for job in range(3, 20):
        output.expect(run_of(job, tmp_path, keep=False))
    assert not output.is_on
    assert files(tmp_path) == []


async def test_what_the_server_will_not_have_leaves_no_file(tmp_path: Path) -> None:
    server = Server()
    server.takes = False
    output = kept(tmp_path, server)
    assert await output.take(Wrote(b"too much", OWNER)) is None
    assert files(tmp_path) == []


async def test_a_disk_that_is_full_costs_the_output_alone(tmp_path: Path) -> None:
    server = Server()
    folder = tmp_path / "not there"
    output = kept(folder, server)
    assert await output.take(Wrote(b"lost", OWNER)) is None
    await trio.Path(folder).mkdir()
    assert await output.take(Wrote(b"kept", OWNER)) == blob_of(b"kept")


class Port:
    """An executor that has said and written some things already."""

    pid = 1
    exit_text = "exit status 1"
    out_of_memory = False
    running = None
    folder = None

    def __init__(self, said: list[Wrote | Ran], written: list[Wrote]) -> None:
        self._said, self._written = said, written
        self.heard = trio.Event()

    async def receive(self) -> Wrote | Ran | None:
        await self.heard.wait()
        return self._said.pop(0) if self._said else None

    async def receive_output(self) -> Wrote | None:
        await trio.lowlevel.checkpoint()
        if self._written:
            return self._written.pop(0)
        self.heard.set()
        return await trio.sleep_forever()

    async def send(self, message: object) -> None:
        await trio.lowlevel.checkpoint()

    def send_now(self, message: object) -> bool:
        return True

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def told(tmp_path: Path, port: Port, put: Put) -> list[Event]:
    seat, events = Seat(KeptOutput(tmp_path / "output", put)), list[Event]()

    async def start() -> Port:
        await trio.lowlevel.checkpoint()
        return port

    seat.feed(run_of(1, tmp_path, keep=True))
    await run_executor(3, seat, start, events.append)  # type: ignore[arg-type]
    return events


async def test_the_outcome_waits_for_the_output(tmp_path: Path, autojump_clock: object) -> None:
    ran = Ran(1, [5], [2], [0.1], [b""], wrote=True)
    port = Port([Wrote(b"c", OWNER), ran], [Wrote(b"a"), Wrote(b"b")])
    order: list[str] = []

    async def slowly(blob: Blob, path: Path) -> bool:
        await trio.sleep(100)
        order.append("put")
        return True

    events = await told(tmp_path, port, slowly)
    assert order == ["put"]
    whole = blob_of(b"abc")
    assert events[:4] == [
        ExecutorWrote(3, Wrote(b"a")),
        ExecutorWrote(3, Wrote(b"b")),
        ExecutorWrote(3, Wrote(b"c", OWNER), whole),
        ExecutorSaid(3, ran),
    ]


async def test_the_last_words_of_a_dead_executor_are_kept(tmp_path: Path) -> None:
    server = Server()
    events = await told(tmp_path, Port([], [Wrote(b"a"), Wrote(b"b")]), server.put)
    assert events[-1] == ExecutorDied(3, "exit status 1", "crashed", blob_of(b"ab"))
    assert files(tmp_path) == []


async def test_an_upload_is_tried_until_the_server_answers(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Exception | None] = [ConnectionLost("away"), HttpError("full", status=507), None]

    async def upload(self: object, blob: Blob, source: object, told: object = None) -> bool:
        await trio.lowlevel.checkpoint()
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return True

    monkeypatch.setattr(BlobTransport, "upload", upload)
    transport = BlobTransport(None, compress=False)  # type: ignore[arg-type]
    assert await put_output(transport, blob_of(b"x"), tmp_path / "x")
    answers += [HttpError("over quota", status=413)]
    assert not await put_output(transport, blob_of(b"x"), tmp_path / "x")
    assert answers == []
    for error in (OSError(5, "a bad disk"), BlobMismatch("other bytes"), ProtocolError("what?")):
        answers += [ConnectionLost("away"), *[error] * limits.TRANSFER_TRIES]
        with trio.fail_after(1000):
            assert not await put_output(transport, blob_of(b"x"), tmp_path / "x")
        assert answers == []


# --- the server's side --------------------------------------------------------------------------


def submitted(server: Harness) -> tuple[int, int]:
    client, worker = server.client(), server.worker()
    job = server.submit(client, [b"1"], keep_output=True)
    server.settle()
    return worker, job


def test_whole_output_is_recorded_before_the_outcome() -> None:
    server = Harness()
    worker, job = submitted(server)
    whole = Blob(b"w" * 32, 1 << 30)
    server.say(worker, Output(job, 0, 1, 0, b"ab", 1 << 30, True, whole))
    server.settle()
    assert server.records(TaskOutput, job) == [TaskOutput(job, 0, 1, b"ab", b"", 1 << 30, whole)]
    assert server.reactor.board.usage.all == 1 + 2 + 64 + (1 << 30)


def test_whole_output_beyond_a_quota_is_let_go() -> None:
    server = Harness()
    server.reactor.board.usage.quotas = Quotas(task=1000)
    worker, job = submitted(server)
    whole = Blob(b"w" * 32, 1001)
    server.say(worker, Output(job, 0, 1, 0, b"ab", 1001, True, whole))
    server.settle()
    assert server.records(TaskOutput, job) == [TaskOutput(job, 0, 1, b"", b"", 1001)]
    assert server.dropped == [whole.digest]
