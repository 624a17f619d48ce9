"""Unequal workers and jobs with all sorts of needs: what runs where, what starves, and why.

No task runs where it must not, everything that anybody can run is run in the end, and every
sentence that says why agrees with the naive oracle of the fleet.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc.requirements import MEMORY, UNITS
from dc.server.reason import Reason
from tests.server.fleet import CONDITIONS, Choice, Fleet, FleetJob, Numbers, Sim

SOME = st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1), Fraction(2), Fraction(3)])
LEAST = st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2)])
LABELS = st.fixed_dictionaries(
    {}, optional={"os": st.sampled_from(["linux", "mac"]), "v": st.sampled_from(["1", "3", "10"])}
)
HAS = st.fixed_dictionaries({}, optional={"cpus": LEAST, "gpus": SOME, "memory": SOME, "x": SOME})
CHOICES = st.builds(
    Choice,
    st.dictionaries(st.sampled_from(["os", "v"]), st.sampled_from(sorted(CONDITIONS)), max_size=2),
    st.fixed_dictionaries({}, optional={"cpus": LEAST, "gpus": LEAST, "memory": LEAST}),
)
TYPES = st.sampled_from([["echo"], ["echo", "stubborn"], ["stubborn"]])


def in_units(name: str, amount: Fraction) -> int:
    return round(amount if name == MEMORY else amount * UNITS)


def whole(amounts: Numbers) -> Numbers:
    """Memory is counted in bytes: no halves of them."""
    return {n: Fraction(round(a)) if n == MEMORY else a for n, a in amounts.items()}


class FleetMachine(RuleBasedStateMachine):
    """Workers and jobs come and go; tasks finish; now and then somebody asks why."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet()

    # --- what happens ---------------------------------------------------------------------------

    @rule(
        type_=st.sampled_from(["echo", "stubborn"]),
        count=st.integers(1, 6),
        priority=st.integers(0, 1),
        choices=st.lists(CHOICES, min_size=1, max_size=3),
    )
    def submit(self, type_: str, count: int, priority: int, choices: list[Choice]) -> None:
        exact = [Choice(one.requires, whole(one.resources)) for one in choices]
        self.fleet.submit(type_, count, priority, exact)

    @rule(slots=st.integers(1, 3), types=TYPES, labels=LABELS, has=HAS)
    def come(self, slots: int, types: list[str], labels: dict[str, str], has: Numbers) -> None:
        self.fleet.come(slots, types, labels, whole(has))

    @precondition(lambda self: self.here())
    @rule(data=st.data(), count=st.integers(1, 3), seconds=st.sampled_from([0.0001, 0.05, 2.0]))
    def finish(self, data: st.DataObject, count: int, seconds: float) -> None:
        self.fleet.finish(data.draw(st.sampled_from(self.here())), count, seconds)

    @precondition(lambda self: self.here())
    @rule(data=st.data(), how=st.sampled_from(["leave", "lose"]))
    def go(self, data: st.DataObject, how: str) -> None:
        getattr(self.fleet, how)(data.draw(st.sampled_from(self.here())))

    @precondition(lambda self: len(self.here()) < len(self.fleet.sims))
    @rule()
    def wait_for_the_lost(self) -> None:
        self.fleet.wait_for_the_lost()

    def here(self) -> list[Sim]:
        return [sim for sim in self.fleet.sims.values() if not sim.away]

    # --- nothing starves ------------------------------------------------------------------------

    def teardown(self) -> None:
        fleet = self.fleet
        if len(self.here()) < len(fleet.sims):
            fleet.wait_for_the_lost()
        most = sum(fleet.queued(job) for job in fleet.jobs.values()) + len(fleet.sims) + 1
        for _ in range(2 * most):
            busy = [sim for sim in self.here() if sim.running]
            for sim in busy:
                fleet.finish(sim, len(sim.running), 0.05)
            if not busy:
                break
        for job in fleet.jobs.values():
            assert not fleet.able(job) or len(job.done) == job.total, f"{job} starves"

    # --- every sentence agrees with the oracle --------------------------------------------------

    @invariant()
    def why_tasks_wait(self) -> None:
        whys, board = self.fleet.server.reactor.whys, self.fleet.server.reactor.board
        for job in self.fleet.jobs.values():
            if self.fleet.queued(job):
                self._judge(job, whys.of_job(board.jobs[job.number]))

    def _judge(self, job: FleetJob, reason: Reason) -> None:
        fleet, able = self.fleet, self.fleet.able(job)
        takers = [sim for sim in able if not sim.away]
        slots = sum(sim.slots for sim in takers)
        taken = sum(len(sim.running) for sim in takers)
        if reason.kind == "busy" and all(len(sim.held) >= sim.slots for sim in takers):
            taken = slots  # what has its slot may wait there for what came before it
        if not able:
            self._judge_shortage(job, reason)
        elif not takers:
            states = {"workers": len(able), "states": {"away": len(able)}}
            assert (reason.kind, reason.figures) == ("absent", states), reason
        elif count := fleet.ahead(job):
            assert (reason.kind, reason.figures) == ("behind", {"tasks": count}), reason
        elif slots == taken:
            busy = {"slots": slots, "workers": len(takers)}
            assert (reason.kind, reason.figures) == ("busy", busy), reason
        else:
            free = [sim for sim in takers if len(sim.running) < sim.slots]
            self._judge_amounts(job, free, reason)

    def _judge_shortage(self, job: FleetJob, reason: Reason) -> None:
        known = list(self.fleet.sims.values())
        typed = [sim for sim in known if job.type in sim.types]
        if not known or not typed:
            assert reason.kind == ("no type" if known else "no worker"), reason
            return
        best = min(len(sim.lacks(one)) for sim in typed for one in job.choices)
        nearest = self.fleet.sims[reason.figures["nearest"]]
        near = [one for one in job.choices if len(nearest.lacks(one)) == best]
        assert nearest in typed
        assert near, f"there is a nearer one: {reason}"
        if reason.kind == "amount":
            name = reason.figures["resource"]
            most = max(sim.has.get(name, Fraction(0)) for sim in known)
            assert reason.figures["most"] == in_units(name, most) < reason.figures["needs"]
            needs = [in_units(name, one.amounts.get(name, Fraction(0))) for one in near]
            assert reason.figures["needs"] in needs, reason
        elif reason.kind == "label":
            label, condition = reason.figures["label"], reason.figures["condition"]
            assert any((label, condition) in nearest.lacks(one) for one in near), reason
            assert not any(CONDITIONS[condition](sim.labels.get(label)) for sim in known), reason
        else:
            assert reason.kind == "together", reason

    def _judge_amounts(self, job: FleetJob, takers: list[Sim], reason: Reason) -> None:
        rows = [(sim.free, one.amounts) for sim in takers for one in self.fleet.fitting(sim, job)]
        fits = any(all(free.get(n, 0) >= a for n, a in need.items()) for free, need in rows)
        if fits:
            assert reason.kind == "kept", reason
        elif reason.kind == "short":
            name = reason.figures["resource"]
            most = max(free.get(name, Fraction(0)) for free, _ in rows)
            least = min(need.get(name, Fraction(0)) for _, need in rows)
            assert in_units(name, most) == reason.figures["most"], reason
            assert reason.figures["most"] < reason.figures["needs"] == in_units(name, least)
        else:
            assert reason.kind == "short together", reason

    @invariant()
    def why_workers_idle(self) -> None:
        side = self.fleet.server.reactor.workers
        for sim in self.fleet.sims.values():
            reason = self.fleet.server.reactor.whys.of_worker(
                side.roster.by_key[f"key of {sim.name}"]
            )
            if sim.held:
                assert reason is None, reason
            else:
                assert reason is not None
                self._judge_idle(sim, reason)

    def _judge_idle(self, sim: Sim, reason: Reason) -> None:
        waiting = [job for job in self.fleet.jobs.values() if self.fleet.queued(job)]
        if not waiting:
            assert reason.kind == "nothing", reason
            return
        assert not any(self.fleet.fitting(sim, job) for job in waiting), f"{sim} is left idle"
        typed = [job for job in waiting if job.type in sim.types]
        if not typed:
            assert reason.kind == "other types", reason
        elif reason.kind == "too little":
            name = reason.figures["resource"]
            needs = [one.amounts.get(name, Fraction(0)) for job in waiting for one in job.choices]
            assert typed == waiting, reason
            assert reason.figures["has"] == in_units(name, sim.has.get(name, Fraction(0)))
            assert reason.figures["has"] < reason.figures["least"] == in_units(name, min(needs))
        else:
            assert reason.kind == "nothing fits", reason


FleetMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25)
TestFleet = FleetMachine.TestCase
