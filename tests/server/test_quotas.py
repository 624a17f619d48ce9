"""Quotas: what is counted, what is too much, and what becomes of it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from dc import limits, limits_http, limits_store
from dc.errors import QuotaExceeded, StoreFull
from dc.messages import Refused
from dc.messages_client import EndOfJob, Options, Payloads, Stored, Submit
from dc.messages_parts import Blob, Failure, Payload
from dc.messages_worker import Done, Output, Recorded
from dc.records import NewJob, NewTasks, Outcomes, TaskOutput
from dc.server.__main__ import parse
from dc.server.events import JobRemoved, Received
from dc.server.quotas import NONE, Quotas, Usage
from dc.server.uploads import Uploads
from tests.server.harness import Harness

BLOB = Blob(b"b" * 32, 1 << 40)


def limited(**quotas: int) -> Harness:
    server = Harness()
    server.reactor.board.usage.quotas = Quotas(**quotas)
    return server


def refusal(server: Harness, client: int) -> str:
    (refused,) = server.take(client, Refused)
    assert refused.code == QuotaExceeded.code
    return refused.text


def outcomes(server: Harness, worker: int, results: list[bytes | Blob]) -> list[object]:
    """Have a worker bring the results of all that it was given; return what is on disk of them."""
    tasks = server.tasks(worker)
    job, count = tasks[0][0], len(tasks)
    columns = [number for _, number, _, _ in tasks], [attempt for _, _, attempt, _ in tasks]
    server.say(worker, Done(1, job, *columns, [0.1] * count, list(results)))
    server.settle()
    assert server.take(worker, Recorded) == [Recorded(1)]
    found = server.results(job)
    return [found[number] for number in columns[0]]


# --- payloads -----------------------------------------------------------------------------------


def test_a_batch_beyond_the_quota_is_refused_as_a_whole() -> None:
    server = limited(job=10)
    client = server.client()
    server.say(client, Submit(1, "echo", "", {}, "key"), Payloads(1, 0, [b"12345", b"678"]))
    server.say(client, Payloads(1, 2, [b"1", b"23"]), Payloads(1, 4, [b"more"]), EndOfJob(1))
    server.settle()
    assert "3 bytes more are too much for job 1: 8 bytes are used" in refusal(server, client)
    assert server.stored_payloads(1) == [b"12345", b"678"]
    assert server.reactor.board.usage.all == 8
    # There is more room: the submission goes on where it stood.
    server.reactor.board.usage.quotas = Quotas(job=11)
    server.say(client, Submit(2, "echo", "", {}, "key", True))
    server.settle()
    server.say(client, Payloads(2, 2, [b"1", b"23"]), EndOfJob(2))
    server.settle()
    assert server.take(client, Stored)[-1] == Stored(2, 4, True)


@pytest.mark.parametrize(
    ("quotas", "payloads", "text"),
    [
        ({"task": 3}, [b"123", b"1234"], "4 bytes are too much for one task"),
        ({"task": 3}, [b"123", Blob(b"b" * 32, 1 << 40)], "1 TiB are too much for one task"),
        ({"job": 1 << 20}, [b"123", BLOB], "1 TiB more are too much for job 1: 0 bytes are used"),
        ({"submitter": 3}, [b"12", b"34"], "4 bytes more are too much for submitter ann"),
        ({"all": 3}, [b"12", b"34"], "4 bytes more are too much for all jobs"),
    ],
)
def test_each_quota_has_its_error(
    quotas: dict[str, int], payloads: list[Payload], text: str
) -> None:
    server = limited(**quotas)
    client = server.client()
    server.say(client, Submit(1, "echo", "", {"submitter": "ann"}), Payloads(1, 0, payloads))
    server.settle()
    told = refusal(server, client)
    assert text in told
    assert f"--quota-{next(iter(quotas))}" in told
    assert server.records(NewTasks, 1) == []


def test_what_fits_exactly_is_taken() -> None:
    server = limited(task=5, job=10, submitter=20, all=20)
    client = server.client()
    for _ in range(2):
        server.submit(client, [b"12345", b"12345"], submitter="ann")
    server.settle()
    assert server.take(client, Refused) == []
    server.submit(client, [b"1"], submitter="ann")
    assert "submitter ann: 20 bytes are used" in refusal(server, client)
    server.submit(client, [b"1"], submitter="bob")
    assert "all jobs: 20 bytes are used" in refusal(server, client)


def test_room_comes_back_with_jobs_that_are_removed() -> None:
    server = limited(submitter=10)
    client = server.client()
    server.submit(client, [b"0123456789"], submitter="ann")
    server.submit(client, [b"1"], submitter="ann")
    refusal(server, client)
    server.submit(client, [b"0123456789"])  # who gives no name is somebody else
    assert server.take(client, Refused) == []
    server.feed(JobRemoved("ann", 10))
    assert server.reactor.board.usage.submitters() == {"": 10}
    server.submit(client, [b"0123456789"], submitter="ann")
    assert server.take(client, Refused) == []


def test_inputs_count_once_and_must_be_there() -> None:
    server = limited(job=100)
    client = server.client()
    inputs = {"table": Blob(b"t" * 32, 60), "again": Blob(b"t" * 32, 41)}
    server.say(client, Submit(1, "echo", "", {"inputs": inputs}))
    assert "101 bytes more are too much for the new job" in refusal(server, client)
    inputs["again"] = Blob(b"u" * 32, 39)
    asked = Submit(2, "echo", "", {"inputs": inputs})
    server.feed(Received(client, [asked], frozenset({inputs["again"]})))
    (told,) = server.take(client, Refused)
    assert (told.request, told.code) == (2, "unknown_blob")
    assert f"input again of the new job, blob {'75' * 32}, is not here" in told.text
    assert server.unwritten == []
    server.say(client, Submit(3, "echo", "", {"inputs": inputs}), Payloads(3, 0, [b"1", b""]))
    server.settle()
    assert server.records(NewJob, 1)[0].options.inputs == inputs
    assert server.reactor.board.jobs[1].bytes == 100


def test_an_input_that_is_missing_is_told_when_a_key_is_looked_for_first() -> None:
    server = Harness()
    client = server.client()
    asked = Submit(1, "echo", "", {"inputs": {"table": BLOB}}, "key", True)
    server.feed(Received(client, [asked], frozenset({BLOB})))
    server.settle()
    (told,) = server.take(client, Refused)
    assert (told.request, told.code) == (1, "unknown_blob")


def test_an_input_that_is_missing_is_told_of_what_is_held_meanwhile() -> None:
    server = Harness()
    client = server.client()
    looks = Submit(1, "echo", "", {}, "key", True)
    asked = Submit(2, "echo", "", {"inputs": {"table": BLOB}})
    server.feed(Received(client, [looks, asked], frozenset({BLOB})))
    server.settle()
    (told,) = server.take(client, Refused)
    assert (told.request, told.code) == (2, "unknown_blob")
    assert server.records(NewJob, 1)[0].key == "key"


# --- results ------------------------------------------------------------------------------------


def test_a_result_beyond_the_quota_fails_its_task_and_no_other() -> None:
    server = limited(job=20)
    client, worker = server.client(), server.worker(slots=4)
    job = server.submit(client, [b"1", b"2", b"3", b"4"], retries=3)
    server.settle()
    large = Blob(b"l" * 32, 17)
    found = outcomes(server, worker, [b"0123456789", large, b"abcdef", b"g"])
    assert (found[0], found[2]) == (b"0123456789", b"abcdef")
    for outcome in (found[1], found[3]):
        assert isinstance(outcome, Failure)
        assert outcome.kind == "quota"
        assert "its result is not kept" in outcome.error
        assert "--quota-job" in outcome.error
    assert server.reactor.board.usage.all == 20
    assert server.dropped == [large.digest]
    row = server.stored_job(job)
    assert row is not None
    assert (row.counts.done, row.counts.failed) == (2, 2)


def test_output_beyond_the_quota_is_left_out_and_counted() -> None:
    server = limited(job=1 + limits_store.TASK_BYTES + 3)
    client, worker = server.client(), server.worker(slots=2)
    job = server.submit(client, [b"1", b""])
    server.settle()
    for number, text in ((0, b"abc"), (1, b"defg")):
        server.say(worker, Output(job, number, 1, 0, text, len(text), True))
    server.settle()
    kept, left_out = server.records(TaskOutput, job)
    assert kept == TaskOutput(job, 0, 1, b"abc", b"", 3)
    assert left_out == TaskOutput(job, 1, 1, b"", b"", 4)


def test_nothing_is_too_much_without_quotas() -> None:
    server = Harness()
    client, worker = server.client(), server.worker(slots=2)
    server.submit(client, [BLOB, b"x"])
    server.settle()
    assert outcomes(server, worker, [Blob(b"r" * 32, 1 << 50), b"y"])[1] == b"y"
    assert server.reactor.board.usage.all == BLOB.size + 1 + (1 << 50) + 1


# --- the parts ----------------------------------------------------------------------------------


@given(st.randoms(use_true_random=False), st.integers(0, 30), st.integers(0, 60))
@settings(max_examples=50, deadline=None)
def test_the_figures_are_those_of_a_sum(chance: random.Random, most: int, all_: int) -> None:
    usage = Usage()
    usage.quotas = Quotas(job=most, submitter=2 * most, all=all_)
    owners = [Options(submitter=name) for name in ("ann", "bob", "") * 2]
    jobs = [SimpleNamespace(number=n, bytes=0, options=o) for n, o in enumerate(owners)]
    for _ in range(60):
        job, size = chance.choice(jobs), chance.randint(0, 9)
        mine = sum(j.bytes for j in jobs if j.options.submitter == job.options.submitter)
        total = sum(j.bytes for j in jobs)
        fits = all(
            not quota or used + size <= quota
            for quota, used in ((most, job.bytes), (2 * most, mine), (all_, total))
        )
        try:
            usage.check(job, [b"x" * size])
        except QuotaExceeded:
            assert not fits
        else:
            assert fits
            usage.count(job, size)
        if chance.random() < 0.1:
            usage.free(job.options.submitter, job.bytes)
            job.bytes = 0
        usage.validate()
        assert usage.all == sum(j.bytes for j in jobs)


def test_usage_goes_on_from_what_the_store_has_counted() -> None:
    usage = Usage()
    usage.restore({"ann": 7, "": 5, "bob": 0})
    assert (usage.all, usage.of("ann"), usage.of("bob")) == (12, 7, 0)
    usage.free("ann", 7)
    assert usage.submitters() == {"": 5}
    usage.validate()


def test_an_upload_is_refused_by_its_length(tmp_path: Path) -> None:
    usage = Usage()
    usage.restore({"ann": 60})
    free = shutil.disk_usage(tmp_path).free
    uploads = Uploads(tmp_path, lambda: 0, lambda: usage)
    uploads.check(1000)
    for quotas, text in (
        (Quotas(task=99), "too much for one task"),
        (Quotas(job=99), "too much for any job"),
        (Quotas(submitter=99), "too much for any submitter"),
        (Quotas(all=159), "too much for all jobs: 60 bytes are used"),
    ):
        usage.quotas = quotas
        with pytest.raises(QuotaExceeded, match=text):
            uploads.check(100)
        uploads.check(99)
    usage.quotas = NONE
    with pytest.raises(StoreFull, match="no room for"):
        uploads.check(2 * free)
    with pytest.raises(StoreFull, match="are kept"):
        Uploads(tmp_path, lambda: 2 * free, lambda: usage).check(0)
    Uploads(tmp_path, lambda: None, lambda: usage).check(0)
    with pytest.raises(StoreFull, match=r"are kept \(--reserve\)"):
        Uploads(tmp_path, lambda: None, lambda: usage).check(free)
    Uploads(tmp_path / "gone", lambda: 2 * free, lambda: usage).check(0)


async def test_an_upload_of_unknown_length_is_stopped_on_its_way(tmp_path: Path) -> None:
    usage = Usage()
    usage.quotas = Quotas(task=3 * limits_http.MOVE_BYTES)
    moved = 0

    class Endless:
        async def move_to(self, sink: object) -> int:
            nonlocal moved
            await trio.lowlevel.checkpoint()
            moved += limits.MIB
            return limits.MIB

    body = Uploads(tmp_path, lambda: 0, lambda: usage).bounded(Endless())

    async def move_all() -> None:
        while await body.move_to(lambda _: None):
            pass

    with pytest.raises(QuotaExceeded):
        await move_all()
    assert moved <= 4 * limits_http.MOVE_BYTES


def test_quotas_are_said_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = parse(["--quota-task", "2GiB", "--quota-all", "1TB", "--reserve", "0"])
    assert arguments.quotas == Quotas(task=2 << 30, all=10**12)
    assert arguments.reserve == 0
    assert parse([]).reserve is None
    with pytest.raises(SystemExit):
        parse(["--quota-job", "much"])
    assert "'much' is no size" in capsys.readouterr().err


def test_outcomes_of_all_kinds_are_counted_as_the_store_counts_them() -> None:
    server = Harness()
    client, worker = server.client(), server.worker(slots=3)
    job = server.submit(client, [b"1", b"22", b"333"])
    server.settle()
    outcomes(server, worker, [b"abc", Blob(b"r" * 32, 1000), b""])
    (record,) = server.records(Outcomes, job)
    assert len(record.outcomes) == 3
    assert server.reactor.board.usage.all == 6 + 3 + 1000
