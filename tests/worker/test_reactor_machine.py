"""The worker's reactor under everything that can happen, in any order, against a plain ledger.

Its process is killed, and the next one goes on from the journal. Its server is replaced by another
one, whose jobs have the same numbers, and comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dc import limits_worker as limits
from dc.messages import PROTOCOL, Heartbeat, Hello, Report, Welcome
from dc.messages_parts import Blob, Failure, Message, Plugin
from dc.messages_worker import (
    Appliance,
    Assign,
    Done,
    End,
    Failed,
    Goodbye,
    Held,
    Progress,
    Recorded,
    Rest,
    Resting,
    Returned,
    Slots,
    Stop,
    TypeId,
)
from dc.pipe import (
    MISSING,
    Busy,
    FileResult,
    Halt,
    InFile,
    Loaded,
    Ran,
    Ready,
    Retire,
    Run,
    Saved,
    Wrote,
)
from dc.worker import events as ev
from dc.worker.code import Code
from dc.worker.identity import Identity
from dc.worker.neighbour_events import InUse, Resume, Suspend
from dc.worker.reactor import WorkerReactor

Key: TypeAlias = tuple[int, int, int]
SLOTS = 3
SERVERS = ["first", "second"]
UNDERSTANDING = "first"  # the server that knows that a worker rests
GIVE_BACK = 5.0
TIMEOUTS = {1: 0.0, 2: 0.0, 3: 2.0, 4: 0.0, 5: 2.0, 6: 0.0}
VARIABLES: dict[int, dict[str, str]] = {one: {} for one in TIMEOUTS} | {2: {"COLOUR": "red"}}
PLUGINS = {job: Plugin(bytes([job]) * 32, 99, f"plugin {job}") for job in (4, 5, 6)}
CODES = {4: Code("/4"), 5: Code("/5", "/site"), 6: Code("/6", carries=True)}
BLOBS = [Blob(b"%032d" % number, 99) for number in range(5)]
INPUTS: dict[int, dict[str, Blob]] = {one: {} for one in TIMEOUTS} | {
    2: {"a": BLOBS[0], "b": BLOBS[3]},
    5: {"c": BLOBS[1]},
}
READY = Ready([TypeId("work", "1")], {}, {})


def rows_of(report: Report) -> list[tuple[Key, str]]:
    """Return the attempts of a report with their outcomes."""
    if isinstance(report, Failed):
        return [((report.job, report.number, report.attempt), report.failure.kind)]
    kind = "done" if isinstance(report, Done) else "returned"
    pairs = zip(report.numbers, report.attempts, strict=True)
    return [((report.job, *pair), kind) for pair in pairs]


class Ledger:
    """What one server knows, and the journal that the worker keeps for it."""

    def __init__(self) -> None:
        self.assigned: set[Key] = set()
        self.let_go: set[Key] = set()  # stopped, or replaced by a higher attempt
        self.lost: set[Key] = set()  # with a process, or because another server came
        self.latest: dict[tuple[int, int], int] = {}
        self.next_number = 0
        self.reports: dict[int, Report] = {}  # that the server has got
        self.recorded = 0
        self.kept: dict[int, Report] = {}  # in the journal, from the first one on
        self.forgotten = 0
        self.outcomes: dict[Key, str] = {}  # of those kept
        self.files: dict[Key, FileResult] = {}

    def keep(self, report: Report) -> None:
        """Take what the worker writes to its journal."""
        assert report.sequence == len(self.kept) + 1, "a gap, or out of order"
        self.kept[report.sequence] = report
        for key, kind in rows_of(report):
            if kind == "returned" and key in self.outcomes:
                continue  # it was given again; the outcome came first
            assert key in self.assigned
            assert key not in self.let_go, "reported after it was stopped"
            assert key not in self.lost, "reported after it was lost"
            assert key not in self.outcomes, "two outcomes"
            self.outcomes[key] = kind

    def receive(self, report: Report) -> None:
        """Take what the worker reports."""
        assert self.kept[report.sequence] == report, "sent, but not kept, or another"
        assert report.sequence > self.recorded
        assert report.sequence <= len(self.reports) + 1, "a gap"
        self.reports[report.sequence] = report

    def unfinished(self) -> set[Key]:
        """Return the attempts that nothing is known of, here or in the journal."""
        return self.assigned - self.outcomes.keys() - self.let_go - self.lost - self.files.keys()

    def must_be_held(self) -> set[Key]:
        """Return the attempts that the journal says the worker holds.

        What it hands back it need not name: the server gives it to others either way.
        """
        live = (report for sequence, report in self.kept.items() if sequence > self.forgotten)
        rows = (row for report in live for row in rows_of(report))
        kept = {key for key, kind in rows if kind != "returned"} | self.files.keys()
        return {key for key in kept - self.let_go if self.latest[key[:2]] == key[2]}

    def restored(self, name: str) -> ev.Restored:
        """What the worker finds in the journal."""
        live = [(self.kept[one], 0) for one in sorted(self.kept) if one > self.forgotten]
        return ev.Restored(name, self.forgotten, live, list(self.files.values()))


class FakeProcess:
    """An executor as the ledger sees it."""

    def __init__(self) -> None:
        self.folder = ""
        self.ready = False
        self.killed = False
        self.stands_still = False
        self.halted: set[Key] = set()
        self.loading = ""
        self.adopted = ""
        self.variables: dict[str, str] | None = None  # that were set in it, once it was given tasks
        self.given: list[Key] = []
        self.outstanding: list[int] = []  # tasks left of each batch


class Machine(RuleBasedStateMachine):
    """The server, the executors and the network, all played by hypothesis."""

    def __init__(self) -> None:
        super().__init__()
        self.saves = 0
        self.now = 100.0
        self.runs = 0
        self.ends = 0
        self.ledgers = {name: Ledger() for name in ("", *SERVERS)}
        self.server = SERVERS[0]  # the one that answers
        self.last = ""  # the one whose tasks the worker has
        self._start()

    @property
    def ledger(self) -> Ledger:
        """Of the server whose tasks the worker has."""
        return self.ledgers[self.last]

    def _start(self) -> None:
        """Let a process of the worker begin."""
        self.runs += 1
        identity = Identity(
            "w",
            is_default=False,
            key="k",
            slots=SLOTS,
            software="test",
            takes_plugins=True,
            appliance=Appliance("1.0", orders=["off", "reboot"]),
        )
        self.reactor = WorkerReactor(identity, f"/scratch/{self.runs}", give_back=GIVE_BACK)
        self.processes: dict[int, FakeProcess] = {}
        self.fetching: list[Blob] = []
        self.files: set[bytes] = set()  # that are in use, as the cache sees it
        self.missing: set[bytes] = set()  # of these, that tasks did not find
        self.putting: list[Key] = []
        self.bringing: list[Plugin] = []
        self.held: set[Key] = set()  # as it says after the last Welcome
        self.greeting = False
        self.flush_wanted = False
        self.connecting = self.connected = self.welcome = False
        self.finished = self.ending = False
        self.last_order = (False, "")  # whether its program starts anew, what its computer does
        self.in_use = False
        self.late: set[Key] = set()  # assigned after it was told to end
        self._perform(self.reactor.start(self.now))
        if self.last:
            self._do(self.ledger.restored(self.last))

    @initialize(warm=st.sampled_from([True, True, True, False]))
    def begin(self, warm: bool) -> None:
        """Let the executors be ready and the server be there, mostly."""
        if warm:
            self.executors_ready()
            self.connect()
            self.welcomed()

    # --- what the reactor asks for --------------------------------------------------------------

    def _do(self, event: ev.Event) -> None:
        self._perform(self.reactor.handle(event, self.now))
        if self.finished:
            assert self.ledger.unfinished() <= self.late, "lost by leaving"
            # The server knows of these, or the next process does not name them.
            self.ledger.lost |= self.ledger.unfinished()
            self.ends += 1
            self._start()

    def _perform(self, actions: Sequence[ev.Action]) -> None:
        for action in actions:
            match action:
                case ev.Send():
                    self._sent(action.message)
                case ev.Keep():
                    for report, _ in action.reports:
                        self.ledger.keep(report)
                    for report, _ in action.reports if action.send else []:
                        self._sent(report)
                case ev.StartExecutor():
                    assert action.executor not in self.processes, "started twice"
                    self.processes[action.executor] = FakeProcess()
                case ev.Execute():
                    self._given(self.processes[action.executor], action.run)
                case ev.Interrupt():
                    self._halted(self.processes[action.executor], action.halt)
                case ev.Kill():
                    process = self.processes[action.executor]
                    assert not process.killed, "killed twice"
                    process.killed = True
                case Suspend():
                    process = self.processes[action.executor]
                    assert process.ready
                    assert not process.killed
                    assert not process.stands_still
                    process.stands_still = True
                case Resume():
                    process = self.processes[action.executor]
                    assert process.stands_still
                    assert not process.killed
                    process.stands_still = False
                case ev.Fetch():
                    assert action.blob not in self.fetching, "fetched twice at a time"
                    here = self.files - self.missing
                    assert action.blob.digest not in here, "fetched, and it is here"
                    self.missing.discard(action.blob.digest)
                    self.fetching.append(action.blob)
                    assert len(self.fetching) <= limits.TRANSFERS_AT_ONCE
                case ev.LetGo():
                    self.files.remove(action.digest)
                    self.missing.discard(action.digest)
                case ev.PutBlob():
                    self.putting.append((action.job, action.number, action.attempt))
                    assert len(self.putting) <= limits.TRANSFERS_AT_ONCE
                case ev.FetchPlugin():
                    assert action.plugin not in self.bringing, "fetched twice"
                    self.bringing.append(action.plugin)
                case ev.FlushSoon():
                    self.flush_wanted = True
                case ev.Connect():
                    self.connecting = True
                case ev.Drop():
                    self.connected = self.welcome = False
                    self.connecting = True
                case ev.Finish():
                    assert not action.error
                    assert (action.again, action.power) == self.last_order
                    self.finished = True
                case _:
                    self._perform_on_disk(action)

    def _perform_on_disk(self, action: ev.Action) -> None:
        ledger = self.ledger
        named = {one.file.path for each in self.ledgers.values() for one in each.files.values()}
        match action:
            case ev.Forget():
                ledger.forgotten = max(ledger.forgotten, action.sequence)
                assert ledger.forgotten <= ledger.recorded, "forgot what was not recorded"
            case ev.KeepFile():
                one = action.result
                ledger.files[one.job, one.number, one.attempt] = one
            case ev.ForgetFile():
                del ledger.files[action.job, action.number, action.attempt]
            case ev.RemoveFile():
                assert action.path not in named, "removed, and a journal names it"
            case ev.ClearFolder():
                below = {path for path in named if path.startswith(action.path + "/")}
                assert below <= set(action.keep), "cleared away, and a journal names it"
            case ev.SwitchJournal():
                ledger.lost |= ledger.unfinished()
                self.fetching, self.putting = [], []
                self.last = action.server
                self._do(self.ledger.restored(self.last))

    def _halted(self, process: FakeProcess, halt: Halt) -> None:
        key = halt.job, halt.number, halt.attempt
        assert not process.killed
        assert key in process.given, "halted what was not given"
        assert key not in process.halted, "halted twice"
        is_over = key in self.ledger.let_go or TIMEOUTS[halt.job] > 0
        assert is_over or key in self.ledger.lost, "halted for no reason"
        process.halted.add(key)

    def _given(self, process: FakeProcess, run: Run) -> None:
        assert process.ready
        assert not process.killed
        assert not process.stands_still
        assert not self.in_use
        keys = [(run.job, *pair) for pair in zip(run.numbers, run.attempts, strict=True)]
        assert len(process.outstanding) < 2, "more than one batch ahead"
        others = [other for other in self.processes.values() if not other.killed]
        elsewhere = {key for other in others for key in other.given}
        assert elsewhere.isdisjoint(keys), "run at two places"
        assert self.ledger.unfinished().issuperset(keys), "run after it was stopped, lost or done"
        self._given_files(run)
        assert process.variables in (None, run.environment), "given what another has set"
        process.variables = run.environment
        self._imports(process, run)
        process.folder = run.scratch
        process.given += keys
        process.outstanding.append(len(keys))

    def _imports(self, process: FakeProcess, run: Run) -> None:
        code = CODES.get(run.job)
        assert (run.plugin, run.site) == (("", "") if code is None else (code.folder, code.site))
        if code is not None:
            process.loading = code.folder
            assert not code.adopts or process.adopted in ("", code.adopts), "two sets in one"
            process.adopted = process.adopted or code.adopts

    def _given_files(self, run: Run) -> None:
        assert run.inputs.keys() == INPUTS[run.job].keys(), "without its inputs"
        files = [*run.payloads, *run.inputs.values(), *run.checkpoints.values()]
        for file in files:
            assert not isinstance(file, Blob)
            assert isinstance(file, bytes) or file.digest in self.files, "run without its file"
        for number, payload in zip(run.numbers, run.payloads, strict=True):
            if isinstance(payload, InFile):
                assert payload.digest == BLOBS[number % len(BLOBS)].digest, "another's payload"

    def _sent(self, message: Message) -> None:
        assert self.connected
        if not self.welcome:
            assert isinstance(message, Hello)
            return
        match message:
            case Done() | Failed() | Returned():
                self.ledger.receive(message)
            case Held():
                pairs = zip(message.numbers, message.attempts, strict=True)
                self.held |= {(message.job, *pair) for pair in pairs}
                assert self.held <= self.ledger.assigned - self.ledger.let_go - self.ledger.lost
            case Heartbeat() if self.greeting:
                self.greeting = False
                assert self.held >= self.ledger.must_be_held(), "does not say what it holds"
            case Resting():
                assert self.server == UNDERSTANDING
                assert bool(message.reason) == self.in_use
            case Goodbye():
                assert not self.finished
                assert not self.ledger.files

    def _flush(self) -> None:
        if self.flush_wanted:
            self.flush_wanted = False
            self._do(ev.Flush())

    # --- the server -----------------------------------------------------------------------------

    @precondition(lambda self: self.connecting and not self.connected and not self.finished)
    @rule()
    def connect(self) -> None:
        self.connected = True
        self._do(ev.Connected())

    @precondition(lambda self: self.connected and not self.welcome)
    @rule()
    def welcomed(self) -> None:
        self.welcome = True
        self.held, self.greeting = set(), True
        capabilities = ["resting"] if self.server == UNDERSTANDING else []
        self._do(ev.Received(Welcome(PROTOCOL, "test", capabilities, self.server)))
        assert self.last == self.server

    @precondition(lambda self: self.connected)
    @rule(really=st.sampled_from([False, False, False, True]))
    def disconnect(self, really: bool) -> None:
        if not really:
            return
        self.connected = self.welcome = False
        self._do(ev.Disconnected())

    @precondition(lambda self: not self.connected)
    @rule(server=st.sampled_from(SERVERS), warm=st.sampled_from([True, True, False]))
    def another_server(self, server: str, warm: bool) -> None:
        self.server = server
        if warm and self.connecting:
            self.connect()
            self.welcomed()

    @precondition(lambda self: self.ledger.assigned)
    @rule(really=st.sampled_from([False, False, True]), warm=st.sampled_from([True, True, False]))
    def is_killed(self, really: bool, warm: bool) -> None:
        if really:
            self.ledger.lost |= self.ledger.unfinished()
            self._start()
            self.begin(warm)

    @precondition(lambda self: self.welcome)
    @rule(
        job=st.sampled_from(sorted(TIMEOUTS)),
        blobs=st.lists(st.sampled_from([False, False, False, True]), min_size=1, max_size=20),
        saved=st.sampled_from([None, None, b"saved", BLOBS[4]]),
    )
    def assign(self, job: int, blobs: list[bool], saved: bytes | Blob | None) -> None:
        numbers = list(range(self.ledger.next_number, self.ledger.next_number + len(blobs)))
        self.ledger.next_number += len(blobs)
        self._assign(job, numbers, [1] * len(numbers), blobs, saved)

    def _assign(
        self,
        job: int,
        numbers: list[int],
        attempts: list[int],
        blobs: list[bool],
        saved: bytes | Blob | None = None,
    ) -> None:
        keys = {(job, *pair) for pair in zip(numbers, attempts, strict=True)}
        self.ledger.assigned |= keys
        if self.ending:
            self.late |= keys
        self.ledger.latest |= {
            (job, number): attempt for number, attempt in zip(numbers, attempts, strict=True)
        }
        rows = zip(numbers, blobs, strict=True)
        payloads = [BLOBS[number % len(BLOBS)] if blob else b"payload" for number, blob in rows]
        columns = numbers, attempts, payloads
        type_, plugin = "shipped" if job in PLUGINS else "work", PLUGINS.get(job)
        message = Assign(
            *(job, type_, "1", TIMEOUTS[job], *columns),
            environment=VARIABLES[job],
            checkpoints={} if saved is None else {numbers[0]: saved},
            plugin=plugin,
            inputs=INPUTS[job],
        )
        self._do(ev.Received(message))

    @precondition(lambda self: self.welcome and self.ledger.latest)
    @rule(data=st.data(), higher=st.booleans(), blob=st.booleans())
    def assign_again(self, data: st.DataObject, higher: bool, blob: bool) -> None:
        (job, number), attempt = data.draw(st.sampled_from(sorted(self.ledger.latest.items())))
        key = (job, number, attempt)
        if higher:
            self._flush()
            if key not in self.ledger.outcomes:
                self.ledger.let_go.add(key)
            self._assign(job, [number], [attempt + 1], [blob])
        elif key not in self.ledger.let_go | self.ledger.lost and not self._is_recorded(key):
            self._assign(job, [number], [attempt], [blob])

    def _is_recorded(self, key: Key) -> bool:
        """Whether the worker may have forgotten this attempt."""
        return key in self.ledger.outcomes and self.ledger.recorded > 0

    @precondition(lambda self: self.welcome and self.ledger.latest)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        self._flush()
        pairs = st.sampled_from(sorted(self.ledger.latest.items()))
        chosen = dict(data.draw(st.lists(pairs, min_size=1, max_size=8)))
        job = next(iter(chosen))[0]
        keys = [(one, number, a) for (one, number), a in chosen.items() if one == job]
        self.ledger.let_go |= {key for key in keys if key not in self.ledger.outcomes}
        self._do(ev.Received(Stop(job, [key[1] for key in keys], [key[2] for key in keys])))

    @precondition(lambda self: self.ledger.assigned)
    @rule(data=st.data(), kind=st.sampled_from(["wrote", "ended", "progress", "small", "large"]))
    def a_task_tells(self, data: st.DataObject, kind: str) -> None:
        """Any attempt, also one that is over: what is bounded and counted, `validate` knows."""
        key = data.draw(st.sampled_from(sorted(self.ledger.assigned)))
        slot = data.draw(st.integers(0, SLOTS - 1))
        if kind in ("wrote", "ended"):
            wrote = Wrote(b"output" * 2000, key if kind == "ended" else None)
            self._do(ev.ExecutorWrote(slot, wrote))
        elif kind == "progress":
            self._do(ev.ExecutorSaid(slot, Progress(*key, 0.5, "half")))
        else:
            self.saves += 1
            file = InFile(f"/checkpoint-{self.saves}", 99_000, b"c" * 32)
            self._do(ev.ExecutorSaid(slot, Saved(*key, b"x" if kind == "small" else file)))

    @precondition(lambda self: self.ledger.assigned)
    @rule(data=st.data(), text=st.sampled_from(["", "", "no space"]), refused=st.booleans())
    def a_checkpoint_is_put(self, data: st.DataObject, text: str, refused: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.ledger.assigned)))
        self._do(ev.CheckpointPut(*key, text, refused))

    @precondition(lambda self: self.welcome and self.ledger.reports)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        self.ledger.recorded = data.draw(
            st.integers(self.ledger.recorded, len(self.ledger.reports))
        )
        self._do(ev.Received(Recorded(self.ledger.recorded)))

    # --- the operator ---------------------------------------------------------------------------

    @precondition(lambda self: self.welcome)
    @rule(count=st.integers(1, 5))
    def slots(self, count: int) -> None:
        self._do(ev.Received(Slots(count)))

    @precondition(lambda self: self.welcome)
    @rule()
    def rest(self) -> None:
        self._do(ev.Received(Rest()))
        assert not self.reactor.statistics().queued, "it keeps what has not begun"

    @precondition(lambda self: self.welcome)
    @rule(
        really=st.sampled_from([False, False, True]),
        drained=st.booleans(),
        power=st.sampled_from(["", "off", "reboot"]),
    )
    def end(self, really: bool, drained: bool, power: Literal["", "off", "reboot"]) -> None:
        if really:
            self.ending = True
            self.last_order = (not power, power)
            self._do(ev.Received(End(drained, again=not power, power=power)))

    @precondition(lambda self: self.connecting)
    @rule(really=st.sampled_from([False, False, False, True]), finish=st.sampled_from([0.0, 20.0]))
    def signal(self, really: bool, finish: float) -> None:
        if really:
            self.ending = True
            self.last_order = (False, "")
            self._do(ev.Leave(finish))

    # --- the person at the computer -------------------------------------------------------------

    @rule(comes=st.booleans(), reason=st.sampled_from(["somebody", "hours"]))
    def somebody(self, comes: bool, reason: str) -> None:
        self.in_use = comes
        self._do(InUse(reason if comes else ""))
        understood = self.welcome and self.server == UNDERSTANDING
        if comes and understood and not self.ending:
            assert not self.reactor.statistics().queued, "it keeps what has not begun"

    # --- the executors --------------------------------------------------------------------------

    def _choose(self, data: st.DataObject, *, working: bool) -> tuple[int, FakeProcess]:
        rows = [
            (index, process)
            for index, process in self.processes.items()
            if not working or process.given
        ]
        return rows[data.draw(st.integers(0, len(rows) - 1))]

    @precondition(lambda self: any(not one.ready for one in self.processes.values()))
    @rule()
    def executors_ready(self) -> None:
        for index, process in list(self.processes.items()):
            if not process.ready and not process.killed:
                process.ready = True
                self._do(ev.ExecutorReady(index, READY))

    @precondition(lambda self: any(one.given for one in self.processes.values()))
    @rule(
        data=st.data(),
        count=st.integers(1, 300),
        seconds=st.sampled_from([0.00001, 0.001, 0.3]),
        kinds=st.lists(
            st.sampled_from(["file", "bytes", "failure", "missing"]), min_size=1, max_size=5
        ),
    )
    def ran(self, data: st.DataObject, count: int, seconds: float, kinds: list[str]) -> None:
        index, process = self._choose(data, working=True)
        self._ran(index, process, min(count, len(process.given)), seconds, kinds)

    def _ran(
        self, index: int, process: FakeProcess, count: int, seconds: float, kinds: list[str]
    ) -> None:
        keys = [key for key in process.given[:count] if key[0] == process.given[0][0]]
        if "missing" in kinds:  # any of what they were to have
            self.missing |= self.files
        self._take_out(process, len(keys))
        outcomes: list[bytes | InFile | Failure] = []
        for at, (_, number, _) in enumerate(keys):
            kind = kinds[at % len(kinds)]
            file = InFile(f"{process.folder}/result-{at}-{number}", 40_000, b"r" * 32)
            choice: dict[str, bytes | InFile | Failure] = {
                "bytes": b"r",
                "failure": Failure("error", "no"),
                "missing": Failure(MISSING, "/c/x is gone"),
                "file": file,
            }
            outcomes.append(choice[kind])
        ran = Ran(
            keys[0][0],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [seconds] * len(keys),
            outcomes,
        )
        self._do(ev.ExecutorSaid(index, ran))

    def _take_out(self, process: FakeProcess, count: int) -> None:
        del process.given[:count]
        while count:
            part = min(count, process.outstanding[0])
            process.outstanding[0] -= part
            count -= part
            if not process.outstanding[0]:
                del process.outstanding[0]

    @precondition(lambda self: self.bringing)
    @rule(data=st.data(), how=st.sampled_from(["ready", "ready", "lost", "refused", "final"]))
    def a_plugin_comes(self, data: st.DataObject, how: str) -> None:
        plugin = data.draw(st.sampled_from(self.bringing))
        self.bringing.remove(plugin)
        if how == "ready":
            self._do(ev.PluginReady(plugin, CODES[plugin.digest[0]]))
        else:
            self._do(ev.PluginFailed(plugin, how, how == "refused", how == "final"))

    @precondition(lambda self: any(one.loading for one in self.processes.values()))
    @rule(data=st.data(), error=st.sampled_from(["", "", "it is gone"]))
    def a_plugin_is_imported(self, data: st.DataObject, error: str) -> None:
        busy = [(index, one) for index, one in self.processes.items() if one.loading]
        index, process = data.draw(st.sampled_from(busy))
        job = int(process.loading[1:])
        self._do(ev.ExecutorSaid(index, Loaded(job, process.loading, error)))
        process.loading = ""

    @precondition(lambda self: any(one.given for one in self.processes.values()))
    @rule(data=st.data(), elapsed=st.sampled_from([0.05, 0.3, 5.0]))
    def busy(self, data: st.DataObject, elapsed: float) -> None:
        index, process = self._choose(data, working=True)
        (job, number, attempt), *rest = process.given
        process.given, process.outstanding = process.given[:1], [1]
        assert all(key[0] == job for key in rest), "a batch ahead of another job"
        columns = [key[1] for key in rest], [key[2] for key in rest]
        self._do(ev.ExecutorSaid(index, Busy(job, number, attempt, elapsed, *columns)))

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), really=st.booleans())
    def dies(self, data: st.DataObject, really: bool) -> None:
        if not really:
            return
        index, _ = self._choose(data, working=False)
        del self.processes[index]
        self._do(ev.ExecutorDied(index, "killed by signal 9"))

    @precondition(lambda self: any(one.ready for one in self.processes.values()))
    @rule(data=st.data(), left=st.booleans())
    def retires(self, data: st.DataObject, left: bool) -> None:
        index, process = self._choose(data, working=False)
        if process.ready:
            process.given, process.outstanding = [], []
            self._do(ev.ExecutorSaid(index, Retire("it is old", left)))
            assert process.killed, "not replaced"

    @precondition(lambda self: any(one.given for one in self.processes.values()))
    @rule(data=st.data(), known=st.booleans())
    def exceeds(self, data: st.DataObject, known: bool) -> None:
        index, process = self._choose(data, working=True)
        running = process.given[0][:2] if known else None
        self._do(ev.Exceeded(index, "memory", "used too much", running))
        assert process.killed, "goes on"

    # --- files, time ----------------------------------------------------------------------------

    @precondition(lambda self: self.fetching)
    @rule(works=st.booleans(), refused=st.booleans())
    def fetch_ends(self, works: bool, refused: bool) -> None:
        blob = self.fetching.pop(0)
        if works:
            self.files.add(blob.digest)
            self._do(ev.Fetched(InFile(f"/c/{blob.name}", blob.size, blob.digest)))
        else:
            self._do(ev.FetchFailed(blob.digest, "no", refused))

    @precondition(lambda self: self.putting)
    @rule(works=st.booleans(), refused=st.booleans())
    def put_ends(self, works: bool, refused: bool) -> None:
        key = self.putting.pop(0)
        self._do(ev.BlobPut(*key) if works else ev.BlobPutFailed(*key, "no", refused))

    @rule(seconds=st.sampled_from([0.1, 0.6, 3.0, 30.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self._do(ev.Tick())

    @precondition(lambda self: self.flush_wanted)
    @rule()
    def flush(self) -> None:
        self._flush()

    # --- what always holds ----------------------------------------------------------------------

    @invariant()
    def valid(self) -> None:
        self.reactor.validate()

    def teardown(self) -> None:
        """Let everything come to its end: then each attempt has exactly one outcome."""
        if len(self.ledger.latest) % 3:  # else what stands still is moved first
            self.somebody(False, "")
        self.tick(GIVE_BACK)
        self.somebody(False, "")
        if not self.connecting:
            self.executors_ready()
        if len(self.ledger.assigned) % 2:
            self._leave()
        for server in (self.server, *SERVERS):
            if server != self.server and self.connected:
                self.disconnect(True)
            self.server = server
            self._come_to_an_end()

    def _leave(self) -> None:
        before, self.ending = self.ends, True
        self.last_order = (False, "")
        self._do(ev.Leave())
        for index in list(self.processes):
            if self.ends == before:
                del self.processes[index]
                self._do(ev.ExecutorDied(index, "killed"))
        for _ in range(20):
            if self.ends == before:
                self._go_on()
        assert self.ends > before

    def _come_to_an_end(self) -> None:
        for _ in range(200):
            self._go_on()
            self.reactor.validate()
            if not self.ledger.unfinished() | self.ledger.files.keys():
                break
        ledger = self.ledger
        assert not ledger.unfinished() | ledger.files.keys(), "lost"
        assert ledger.outcomes.keys().isdisjoint(ledger.let_go | ledger.lost)
        assert ledger.kept == ledger.reports, "kept, and never reported"
        if not self.connected:  # so much time has passed that the silent server was given up
            self.connect()
        if not self.welcome:
            self.welcomed()
        ledger.recorded = len(ledger.reports)
        self._do(ev.Received(Recorded(ledger.recorded)))
        left = self.reactor.statistics()
        assert (left.queued, left.fetching, left.putting, left.unrecorded) == (0, 0, 0, 0)
        if not any(process.given for process in self.processes.values()):
            assert not self.files, "files of the cache are in use by nobody"

    def _go_on(self) -> None:
        """Let time pass in which everything works."""
        if not self.finished and not self.connected:
            self.connect()
        if not self.finished and not self.welcome:
            self.welcomed()
        for index, process in list(self.processes.items()):
            if process.killed:
                del self.processes[index]
                self._do(ev.ExecutorDied(index, "killed"))
            elif not process.ready:
                self.executors_ready()
            elif process.given:
                self._ran(index, process, len(process.given), 0.01, ["bytes"])
        while self.fetching:
            self.fetch_ends(True, False)
        while self.putting:
            self.put_ends(True, False)
        while self.bringing:
            plugin = self.bringing.pop()
            self._do(ev.PluginReady(plugin, CODES[plugin.digest[0]]))
        self._flush()
        self.tick(1.0)


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestMachine = Machine.TestCase
