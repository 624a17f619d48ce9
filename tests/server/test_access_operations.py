"""Commands about who is let in, through the reactor: answers, records, the audit log, workers."""

from __future__ import annotations

from typing import Any

import pytest

from dc import invites, tokens
from dc.errors import (
    DcError,
    InviteRefused,
    NotSignedIn,
    UnknownKey,
    UnknownToken,
    WorkerDeleted,
)
from dc.join_number import commitment, number
from dc.messages_worker import Appliance
from dc.records_access import AccessRecord, Audited, AuditRow, WorkerKeyForgotten, WorkerKeyKept
from dc.roles import NOBODY, Principal
from dc.server.commands import (
    CancelJob,
    CancelJobs,
    CancelTasks,
    ChangeJob,
    ChangeSettings,
    Command,
    OrderWorkers,
    PauseJob,
    ResumeJob,
    RetryTasks,
    SetWeight,
    SetWorkers,
    WakeWorkers,
    Which,
)
from dc.server.commands_access import (
    AccessCommand,
    ApproveKey,
    Audit,
    ForgetGroup,
    ForgetKey,
    JoinWorker,
    KeepGroup,
    KnockWorker,
    MakeInvite,
    MakeToken,
    RevealNumber,
    RevokeInvite,
    RevokeToken,
    SignedIn,
    SignIn,
    SignOut,
)
from dc.server.events import Asked, Emptied, Stopping
from dc.view_access import (
    GroupView,
    InviteView,
    Join,
    Joined,
    Knock,
    KnockAnswer,
    MadeToken,
    NewGroup,
    NewInvite,
    Reveal,
)
from tests.server.harness import Harness

ADMIN = Principal(frozenset({"admin"}), "ann", "id-of-ann")
RANDOM = bytes(range(tokens.RANDOM_BYTES))
SECRET = bytes(range(invites.SECRET_BYTES))
KEY = "ab" * 32
MAKE_TOKEN = MakeToken(["view"], "bob", 60.0, RANDOM)


def ask(
    server: Harness,
    command: Command | AccessCommand,
    by: Principal = ADMIN,
    address: str = "10.0.0.1",
) -> Any:
    """Ask for something; return the answer, which comes once all is on disk."""
    answers: list[object] = []
    server.feed(Asked(command, answers.append, by, address))
    if server.unwritten:
        assert not answers or isinstance(answers[0], DcError), "told before it was on disk"
    server.settle()
    (answer,) = answers
    return answer


def audit(server: Harness) -> list[AuditRow]:
    return [row for one in server.written if isinstance(one, Audited) for row in one.rows]


def kept(server: Harness) -> list[Any]:
    return [r for r in server.written if isinstance(r, AccessRecord) and not isinstance(r, Audited)]


def join(server: Harness, key: str = KEY, secret: bytes = SECRET) -> Any:
    return ask(server, JoinWorker(Join(secret.hex(), key, "w")), NOBODY)


# --- tokens and sessions --------------------------------------------------------------------------


def test_a_token_is_made_used_and_revoked() -> None:
    server = Harness()
    made = ask(server, MAKE_TOKEN)
    assert isinstance(made, MadeToken)
    access, wall = server.reactor.board.access, server.now + 1e9
    assert made.token.expires == wall + 60.0
    found = access.who_has(made.secret, wall)
    assert found is not None
    assert found.name == "bob"
    ended: list[str] = []
    server.reactor.operations.access.on_ended = ended.extend
    assert ask(server, RevokeToken(made.token.id)) is None
    assert access.who_has(made.secret, wall) is None
    assert ended == [made.token.id]
    assert isinstance(ask(server, RevokeToken("nope")), UnknownToken)
    assert [(row.kind, row.who, row.token, row.address) for row in audit(server)] == [
        ("token.created", "ann", "id-of-ann", "10.0.0.1"),
        ("token.revoked", "ann", "id-of-ann", "10.0.0.1"),
    ]
    assert all(made.secret.split("_")[2] not in row.what for row in audit(server))


def test_a_browser_signs_in_and_out() -> None:
    server = Harness()
    made = ask(server, MakeToken(["view"], "bob", None, RANDOM))
    signed = ask(server, SignIn(made.secret, RANDOM[::-1]), NOBODY)
    assert isinstance(signed, SignedIn)
    assert (signed.me.name, signed.me.roles, signed.me.signed_in) == ("bob", ["view"], True)
    access, wall = server.reactor.board.access, server.now + 1e9
    session = access.who_has(signed.secret, wall)
    assert session is not None
    assert session.token == signed.me.token
    assert ask(server, SignOut(session.token)) is None
    assert ask(server, SignOut(session.token)) is None
    assert ask(server, SignOut(made.token.id)) is None, "only sessions are signed out"
    assert access.who_has(signed.secret, wall) is None
    assert access.who_has(made.secret, wall) is not None
    assert [row.kind for row in audit(server)] == ["token.created", "signed_in", "signed_out"]


def test_secrets_are_not_in_what_events_say_of_themselves() -> None:
    for command in (SignIn("dct_secret", RANDOM), MakeInvite(NewInvite(), SECRET), MAKE_TOKEN):
        said = repr(Asked(command, print))
        assert "secret" not in said.lower()
        assert repr(RANDOM) not in said


def test_refusals_are_in_the_audit_log_few_of_them_and_without_secrets() -> None:
    server = Harness()
    made = ask(server, MAKE_TOKEN)
    ask(server, RevokeToken(made.token.id))
    for _ in range(50):
        assert isinstance(ask(server, SignIn(made.secret, RANDOM), NOBODY), NotSignedIn)
        assert isinstance(join(server), InviteRefused)
        assert ask(server, Audit("request.refused", "GET /api/jobs"), NOBODY) is None
    server.pass_time(1.0)
    server.settle()
    refused = [row for row in audit(server) if not row.ok]
    assert [row.kind for row in refused] == ["sign_in.refused", "join.refused", "request.refused"]
    assert made.token.id in refused[0].what
    assert made.secret.split("_")[2] not in str(refused)
    server.pass_time(61.0)
    server.settle()
    assert [row.what[:12] for row in audit(server)[5:]] == ["49 more like"] * 3
    assert [row.entry for row in audit(server)] == list(range(1, 9))


def test_what_was_counted_is_written_when_the_server_stops() -> None:
    server = Harness()
    for _ in range(3):
        join(server)
    server.pass_time(1.0)
    server.settle()
    server.feed(Stopping())
    server.feed(Emptied())
    server.settle()
    assert audit(server)[-1].what.startswith("2 more like it")


# --- joining --------------------------------------------------------------------------------------


def test_a_join_and_the_use_of_its_code_are_one_record() -> None:
    server = Harness()
    view = ask(server, MakeInvite(NewInvite(name="lab"), SECRET))
    assert isinstance(view, InviteView)
    assert view.state == "valid"
    answer = join(server)
    assert answer == Joined(server="", state="joined", name="w")
    (record,) = [one for one in server.written if isinstance(one, WorkerKeyKept)]
    assert record.invite is not None
    assert record.invite.uses == 0
    assert record.row.address == "10.0.0.1"
    assert join(server) == answer, "it may ask again"
    assert isinstance(join(server, "cd" * 32), InviteRefused)
    assert [row.kind for row in audit(server)] == ["invite.created", "worker.joined"]
    assert ask(server, RevokeInvite(view.id)) is None


def test_a_repeated_join_is_not_answered_before_the_first_is_on_disk() -> None:
    server = Harness()
    ask(server, MakeInvite(NewInvite(), SECRET))
    answers: list[object] = []
    for _ in range(2):
        command = JoinWorker(Join(SECRET.hex(), KEY, "w"))
        server.feed(Asked(command, answers.append, NOBODY, ""))
    assert answers == []
    server.settle()
    assert len(answers) == 2
    assert answers[0] == answers[1]


def test_a_worker_is_let_in_by_its_number() -> None:
    server = Harness()
    nonce, other = bytes(range(16)), bytes(16)
    knock = Knock(commitment(nonce), KEY, "w")
    assert ask(server, KnockWorker(knock, other), NOBODY) == KnockAnswer(other.hex())
    reveal = RevealNumber(Reveal(KEY, nonce.hex()), "ef" * 32)
    assert ask(server, reveal, NOBODY) == Joined(server="", state="pending", name="w")
    one = server.reactor.board.access.knocks.get(KEY, server.now + 1e9)
    assert one is not None
    assert one.number == number("ef" * 32, KEY, nonce, other)
    assert kept(server) == [], "nobody writes to the disk by knocking"
    assert ask(server, ApproveKey(KEY)) is None
    (record,) = kept(server)
    assert (record.row.state, record.row.by) == ("joined", "ann")
    assert isinstance(ask(server, ApproveKey("cd" * 32)), UnknownKey)
    assert [row.kind for row in audit(server)] == ["worker.approved"]


def test_a_worker_that_is_deleted_is_nobody_and_stays_out() -> None:
    server = Harness()
    ask(server, MakeInvite(NewInvite(uses=None), SECRET))
    join(server)
    peer = server.worker("w", key=KEY)
    assert ask(server, OrderWorkers(Which(["w"]), "delete")) == [KEY]
    assert peer in server.closed
    assert WorkerKeyForgotten(KEY) in server.written
    assert server.reactor.board.access.worker(KEY) is None
    assert isinstance(join(server), WorkerDeleted), "its key is refused, and no use is spent"
    assert audit(server)[-1].kind == "worker.deleted"


def test_a_worker_whose_key_is_forgotten_is_sent_away() -> None:
    server = Harness()
    ask(server, MakeInvite(NewInvite(uses=None), SECRET))
    join(server)
    peer = server.worker("w", key=KEY)
    assert ask(server, ForgetKey(KEY)) is None
    assert peer in server.closed
    assert isinstance(join(server), WorkerDeleted)
    assert isinstance(ask(server, ForgetKey(KEY)), UnknownKey)


# --- groups ---------------------------------------------------------------------------------------


def test_workers_of_a_group_get_what_it_may_run_and_no_more() -> None:
    server = Harness()
    view = ask(server, KeepGroup("lab", NewGroup(["stub*"])))
    assert view == GroupView(name="lab", types=["stub*"], note="", workers=0)
    ask(server, MakeInvite(NewInvite(group="lab"), SECRET))
    join(server)
    worker = server.worker("w", key=KEY, slots=4, types=("echo", "stubborn"))
    client = server.client()
    job = server.submit(client, [b"a"], "echo")
    server.settle()
    assert server.tasks(worker) == []
    found = server.reactor.board.jobs[job]
    text = "no connected worker is in a group that may run task type echo"
    assert server.reactor.board.why(found) == text
    other = server.submit(client, [b"b"], "stubborn")
    server.settle()
    assert [row[0] for row in server.tasks(worker)] == [other]
    ask(server, KeepGroup("lab", NewGroup(["echo"])))
    server.settle()
    assert [row[0] for row in server.tasks(worker)] == [job], "what it may run now, it gets"
    third = server.submit(client, [b"c"], "stubborn")
    server.settle()
    assert server.tasks(worker) == []
    ask(server, ApproveKey(KEY, ""))
    server.settle()
    assert [row[0] for row in server.tasks(worker)] == [third], "in no group it may run all"
    assert ask(server, ForgetGroup("lab")) is None
    server.reactor.validate()


# --- the audit log of other commands --------------------------------------------------------------

EVERYTHING: list[tuple[Command, str, str]] = [
    (PauseJob(1), "job.paused", "job 1"),
    (ResumeJob(1), "job.resumed", "job 1"),
    (ChangeJob(1, {"priority": 3}), "job.changed", "job 1: priority is 3"),
    (CancelTasks(1, [(0, 0)]), "task.cancelled", "1 tasks of job 1"),
    (RetryTasks(1), "job.retried", ""),
    (CancelJobs(type="echo"), "job.cancelled", "jobs 1 (type is echo)"),
    (SetWeight("bob", 2.0), "submitter.weight", "submitter bob: 2"),
    (ChangeSettings({"keep-jobs": "5"}), "setting.changed", "keep-jobs is 5"),
    (OrderWorkers(Which(["w"]), "pause"), "worker.paused", "1 worker: w"),
    (OrderWorkers(Which(["w"]), "reboot"), "worker.rebooted", "1 worker: w"),
    (WakeWorkers(Which(["off"])), "worker.woken", "1 worker: off"),
    (SetWorkers(Which(all=True), slots=2), "worker.changed", "1 worker: all"),
    (CancelJob(1), "job.cancelled", "job 1"),
]


@pytest.mark.parametrize(("command", "kind", "what"), EVERYTHING, ids=lambda one: str(one)[:20])
def test_what_operators_do_is_in_the_audit_log(command: Command, kind: str, what: str) -> None:
    server = Harness()
    booted = {"appliance": Appliance("1.0", ["52:54:00:00:00:01"], ["reboot"])}
    server.worker("w", slots=1, types=("other",), taking=booted)
    if isinstance(command, WakeWorkers):
        server.close(server.worker("off", taking=booted))
    server.submit(server.client(), [b"a", b"b"], "echo")
    server.settle()
    answer = ask(server, command)
    assert not isinstance(answer, DcError)
    if answer == 0:
        assert audit(server) == [], "nothing was done"
        return
    (row,) = audit(server)
    assert (row.kind, row.what, row.ok) == (kind, what, True)
    assert (row.who, row.address) == ("ann", "10.0.0.1")
