"""Classes and groups, kept in step with what jobs ask and workers have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from dc import limits
from dc._core import Scheduler
from dc.messages_client import Alternative, Options
from dc.messages_parts import Plugin
from dc.messages_worker import About, TypeId
from dc.requirements import needs_of
from dc.server.matching import Matching
from dc.server.shipping import Shipped
from dc.server.traits import lacking

TYPES = [TypeId("echo", "1"), TypeId("render", "1")]


class Counting:
    """A scheduler that counts what it is told."""

    def __init__(self) -> None:
        self.real = Scheduler()
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self.real, name)


def about(
    labels: Mapping[str, str], resources: Mapping[str, float], slots: int = 2, key: str = "key"
) -> About:
    return About("w", key, slots, TYPES[:1], dict(labels), resources=dict(resources))


class World:
    """Matching on a scheduler, with workers and jobs by number."""

    def __init__(self) -> None:
        self.scheduler = Counting()
        self.only: dict[str, tuple[str, ...]] = {}
        self.matching = Matching(self.scheduler, lambda key: self.only.get(key, ()))
        self.jobs: dict[int, int] = {}
        self.workers: dict[int, About] = {}
        self._next = 0

    def add_job(self, options: Options, type_: str = "echo", shipped: Shipped | None = None) -> int:
        class_ = self.matching.class_of(type_, "1", needs_of(options), shipped)
        self._next += 1
        self.scheduler.add_job(self._next, class_, 0, 0)
        self.jobs[self._next] = class_
        return self._next

    def remove_job(self, job: int) -> None:
        self.scheduler.remove_job(job)
        self.matching.release(self.jobs.pop(job))

    def add_worker(self, about: About) -> int:
        amounts = self.matching.amounts_of(about)
        worker: int = self.scheduler.add_worker(self.matching.group_of(about), 0, amounts)
        self.matching.joined(worker, about)
        self.scheduler.set_slots(worker, about.slots)
        self.workers[worker] = about
        return worker

    def change_worker(self, worker: int, about: About) -> None:
        self.matching.joined(worker, about)
        self.workers[worker] = about

    def remove_worker(self, worker: int) -> None:
        self.scheduler.remove_worker(worker, False)
        self.matching.left(worker)
        del self.workers[worker]

    def validate(self) -> None:
        self.matching.validate()
        self.scheduler.real.validate()


@pytest.fixture
def world() -> World:
    return World()


def test_workers_that_differ_in_what_nobody_asks_are_one_group(world: World) -> None:
    world.add_job(Options(requires={"os": "linux"}, resources={"memory": 4096}))
    for at in range(1000):
        world.add_worker(about({"hostname": f"lab-{at}", "os": "linux"}, {"memory": 10_000 + at}))
    assert world.scheduler.real.statistics().groups == 1
    world.validate()


def test_a_threshold_tells_apart_only_who_has_less(world: World) -> None:
    world.add_job(Options())
    for at in range(10):
        world.add_worker(about({}, {"memory": 1000 * at}))
    job = world.add_job(Options(resources={"memory": 7000}))
    assert sorted(worker for worker, _ in world.matching.able(world.jobs[job])) == [7, 8, 9]
    assert world.scheduler.real.statistics().groups <= 3
    world.validate()


def test_a_class_of_known_traits_costs_a_look_at_each_group(world: World) -> None:
    world.add_job(Options(requires={"os": "linux"}))
    world.add_job(Options(resources={"gpus": 1}))
    for at in range(100):
        world.add_worker(about({"os": "linux" if at % 2 else "x"}, {"gpus": at % 3}))
    world.scheduler.calls.clear()
    job = world.add_job(Options(requires={"os": "linux"}, resources={"gpus": 1}))
    assert world.scheduler.calls["set_group"] == world.scheduler.calls["set_amounts"] == 0
    assert world.scheduler.calls["extend_group"] <= 2
    assert len(list(world.matching.able(world.jobs[job]))) == 33
    world.validate()


def test_jobs_that_need_the_same_are_one_class(world: World) -> None:
    first = world.add_job(Options(requires={"a": "1", "b": "2"}, resources={"cpus": 1}))
    second = world.add_job(Options(requires={"b": "2", "a": "1"}, priority=3))
    assert world.jobs[first] == world.jobs[second]
    third = world.add_job(Options(requires={"b": "2"}))
    assert world.jobs[third] != world.jobs[first]


def test_alternatives_in_order_of_liking(world: World) -> None:
    worker = world.add_worker(about({"gpu": "yes"}, {"gpus": 1, "cpus": 4}))
    other = world.add_worker(about({}, {"cpus": 16}))
    job = world.add_job(
        Options(
            alternatives=[
                Alternative({}, {"gpus": 4}),
                Alternative({"gpu": "yes"}, {"gpus": 1}),
                Alternative({}, {"cpus": 4}),
            ]
        )
    )
    class_ = world.jobs[job]
    assert world.matching.can_run(worker, class_) == [1, 2]
    assert world.matching.can_run(other, class_) == [2]


def test_a_worker_that_says_no_cpus_has_as_many_as_slots(world: World) -> None:
    worker = world.add_worker(about({}, {}, slots=4))
    job = world.add_job(Options(resources={"cpus": 4}))
    assert world.matching.can_run(worker, world.jobs[job]) == [0]
    job = world.add_job(Options(resources={"cpus": 4.5}))
    assert world.matching.can_run(worker, world.jobs[job]) == []


def test_what_nobody_has_any_more_is_forgotten(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "SPARE_CLASSES", 20)
    monkeypatch.setattr(limits, "SPARE_GROUPS", 4)
    kept = world.add_job(Options(requires={"os": "linux"}, resources={"gpus": 1}))
    worker = world.add_worker(about({"os": "linux"}, {"gpus": 1, "x3": 1}))
    for at in range(500):
        world.remove_job(world.add_job(Options(requires={f"l{at}": "1"}, resources={f"x{at}": 1})))
        world.remove_worker(world.add_worker(about({f"l{at}": "1"}, {f"x{at}": 1})))
    counts = world.scheduler.real.statistics()
    assert counts.classes <= 21
    assert counts.groups <= 10
    assert len(world.matching.amounts_of(about({}, {f"x{at}": 1 for at in range(500)}))) <= 23
    assert world.matching.can_run(worker, world.jobs[kept]) == [0]
    world.validate()


HERE = {"os": "linux", "arch": "x86_64", "python": "3.11.7"}
WINDOWS = {"os": "windows", "arch": "amd64"}
PLUGIN = Plugin(b"d" * 32, 1000, "render")


def taker(labels: Mapping[str, str] = {}, trusts: Sequence[bytes] = (), **said: Any) -> About:
    """A worker that has no code of its own, and takes plugins."""
    said = {"takes_plugins": True, "trusts": list(trusts), **said}
    return About("w", "key", 2, [], dict(labels), **said)


@pytest.mark.parametrize(
    ("shipped", "worker", "can"),
    [
        (Shipped(PLUGIN), taker(), True),
        (Shipped(PLUGIN), taker(takes_plugins=False), False),
        (Shipped(PLUGIN), taker(trusts=[b"k"]), False),
        (Shipped(Plugin(b"d" * 32, 1, "x", b"k", b"s")), taker(trusts=[b"j", b"k"]), True),
        (Shipped(Plugin(b"d" * 32, 1, "x", b"k", b"s")), taker(trusts=[b"j"]), False),
        (Shipped(PLUGIN, ">=3.12"), taker({"python": "3.11.7"}), False),
        (Shipped(PLUGIN, ">=3.9,!=3.11.*"), taker({"python": "3.11.7"}), False),
        (Shipped(PLUGIN, "~=3.11"), taker({"python": "3.13.0rc1"}), True),
        (Shipped(PLUGIN, ">=3.12"), taker(), False),
        (Shipped(PLUGIN, "nonsense"), taker({"python": "3.11.7"}), False),
        (Shipped(PLUGIN, platforms=("darwin", "linux")), taker({"os": "linux"}), True),
        (Shipped(PLUGIN, platforms=("Linux-ARM64",)), taker({"os": "linux"}), False),
        (
            Shipped(PLUGIN, platforms=("Linux-ARM64",)),
            taker({"os": "linux", "arch": "arm64"}),
            True,
        ),
        (Shipped(PLUGIN, dependencies=("numpy>=2",)), taker(), False),
        (Shipped(PLUGIN, dependencies=("numpy>=2",)), taker(installs=True), True),
        (Shipped(PLUGIN, dependencies=("x; sys_platform=='win32'",)), taker(HERE), True),
        (Shipped(PLUGIN, dependencies=("x; sys_platform=='linux'",)), taker(HERE), False),
        (Shipped(PLUGIN, dependencies=("x; os_name=='nt'",)), taker(HERE | WINDOWS), False),
        (Shipped(PLUGIN, dependencies=("x; python_version<'3.12'",)), taker(), False),
        (
            Shipped(PLUGIN, dependencies=("x; python_version<'3.12'",)),
            taker(HERE | {"python": "3.13.1"}),
            True,
        ),
    ],
)
def test_who_gets_an_archive(world: World, shipped: Shipped, worker: About, can: bool) -> None:
    job = world.add_job(Options(), "render", shipped)
    number = world.add_worker(worker)
    assert bool(world.matching.can_run(number, world.jobs[job])) is can
    world.validate()


def test_code_of_its_own_needs_no_archive(world: World) -> None:
    own = world.add_worker(about({}, {}))
    other = world.add_worker(taker())
    pinned = world.add_job(Options(), "echo", Shipped(PLUGIN, ">=99"))
    free = world.add_job(Options(), "echo", Shipped(PLUGIN))
    newer = world.add_job(Options(), "echo", Shipped(Plugin(b"e" * 32, 1000, "render")))
    assert [one for one, _ in world.matching.able(world.jobs[pinned])] == [own]
    assert sorted(one for one, _ in world.matching.able(world.jobs[free])) == [own, other]
    assert world.jobs[newer] != world.jobs[free]


def test_workers_get_no_type_that_is_not_theirs_by_code_of_their_own_or_shipped(
    world: World,
) -> None:
    world.only = {"lab": ("rend*",), "none": ("",)}
    workers = {
        key: world.add_worker(About("w", key, 1, TYPES[:1], {}, takes_plugins=True))
        for key in ("lab", "none", "free")
    }
    echo = world.jobs[world.add_job(Options())]
    render = world.jobs[world.add_job(Options(), "render", Shipped(PLUGIN))]

    def able(class_: int) -> set[int]:
        return {worker for worker, _ in world.matching.able(class_)}

    assert able(echo) == {workers["free"]}
    assert able(render) == {workers["lab"], workers["free"]}
    world.only = {"none": ("echo",)}
    for key, worker in workers.items():
        world.change_worker(worker, world.workers[worker])
        assert world.matching.may_run(world.workers[worker], "render") is (key != "none")
    assert able(echo) == set(workers.values())
    assert able(render) == {workers["lab"], workers["free"]}
    world.validate()


LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["1", "2", "3.10"]))
CONDITIONS = st.dictionaries(
    st.sampled_from("ab"), st.sampled_from(["1", "!=2", ">=2", "<3.9", "=1|2", ">=1,!=3.10"])
)
AMOUNTS = st.dictionaries(
    st.sampled_from(["cpus", "gpus", "memory", "x"]), st.sampled_from([0.0, 0.5, 1.0, 2.0])
)
NEEDS = st.builds(Alternative, CONDITIONS, AMOUNTS)
OPTIONS = st.builds(
    lambda one, several: Options(
        requires=one.requires, resources=one.resources, alternatives=several
    ),
    NEEDS,
    st.lists(NEEDS, max_size=3),
)

GROUPS = {"free": (), "echoes": ("ec*",), "renders": ("x", "render"), "none": ("",)}
"""By the keys of workers: what they may run."""

KEYS = [b"", b"k1", b"k2"]
PYTHONS = {"": (), ">=3.11": ("3.11.7", "3.12.0"), "<3.12": ("3.11.7",), "!=3.11.7": ("3.12.0",)}
PLATFORMS = {"linux": ("linux", "arm"), "linux-x86": ("linux", "x86"), "mac": ("mac", "arm")}
MAYBE = "numpy; python_version<'3.12'"
SHIPPED = st.none() | st.builds(
    lambda signer, *rest: Shipped(Plugin(b"d" * 32, 5, "p", signer, b""), *rest),
    st.sampled_from(KEYS),
    st.sampled_from(sorted(PYTHONS)),
    st.lists(st.sampled_from(sorted(PLATFORMS)), max_size=2).map(tuple),
    st.sampled_from([(), ("numpy",), (MAYBE,)]),
)
PLACE = {
    "python": st.sampled_from(["3.11.7", "3.12.0"]),
    "os": st.sampled_from(["linux", "mac"]),
    "arch": st.sampled_from(["x86", "arm"]),
}
PLACES = st.fixed_dictionaries(PLACE) | st.fixed_dictionaries({}, optional=PLACE)
TAKING = st.fixed_dictionaries(
    {
        "takes_plugins": st.booleans(),
        "trusts": st.lists(st.sampled_from(KEYS[1:]), max_size=2),
        "installs": st.booleans(),
    }
)


def gets(worker: About, shipped: Shipped | None) -> bool:
    """Whether a worker can be shipped an archive of those above, told plainly."""
    if shipped is None or not worker.takes_plugins:
        return False
    if worker.trusts and shipped.plugin.signer not in worker.trusts:
        return False
    python, os = worker.labels.get("python"), worker.labels.get("os")
    if shipped.python and python not in PYTHONS[shipped.python]:
        return False
    wanted = shipped.platforms
    here = {os, f"{os}-{worker.labels.get('arch')}"} - {None}
    if wanted and not here & set(wanted):
        return False
    needed = bool(shipped.dependencies) and (
        MAYBE not in shipped.dependencies or python != "3.12.0"
    )
    return worker.installs or not needed


class MatchingMachine(RuleBasedStateMachine):
    """Jobs and workers come and go; everybody stays where the needs say."""

    def __init__(self) -> None:
        super().__init__()
        self._spares = limits.SPARE_CLASSES, limits.SPARE_GROUPS
        limits.SPARE_CLASSES, limits.SPARE_GROUPS = 3, 2  # type: ignore[misc]
        self.world = World()
        self.world.only = GROUPS

    def teardown(self) -> None:
        limits.SPARE_CLASSES, limits.SPARE_GROUPS = self._spares  # type: ignore[misc]

    @rule(options=OPTIONS, type_=st.sampled_from(["echo", "render"]), shipped=SHIPPED)
    def submit(self, options: Options, type_: str, shipped: Shipped | None) -> None:
        self.world.add_job(options, type_, shipped)

    @precondition(lambda self: self.world.jobs)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self.world.remove_job(data.draw(st.sampled_from(sorted(self.world.jobs))))

    @rule(
        labels=LABELS,
        place=PLACES,
        resources=AMOUNTS,
        slots=st.integers(0, 2),
        kinds=st.integers(0, 2),
        taking=TAKING,
        key=st.sampled_from(sorted(GROUPS)),
    )
    def come(
        self,
        labels: dict[str, str],
        place: dict[str, str],
        resources: dict[str, float],
        slots: int,
        kinds: int,
        taking: dict[str, Any],
        key: str,
    ) -> None:
        said = {"resources": resources, **taking}
        self.world.add_worker(About("w", key, slots, TYPES[:kinds], labels | place, **said))

    @precondition(lambda self: self.world.jobs)
    @rule(data=st.data(), key=st.sampled_from(KEYS[1:]))
    def sign(self, data: st.DataObject, key: bytes) -> None:
        job = data.draw(st.sampled_from(sorted(self.world.jobs)))
        shipped = self.world.matching.wanted(self.world.jobs[job]).shipped
        if shipped is not None and not shipped.plugin.signer:
            plugin = replace(shipped.plugin, signer=key)
            self.world.matching.reship(shipped, replace(shipped, plugin=plugin))

    @precondition(lambda self: self.world.workers)
    @rule(data=st.data(), labels=LABELS, resources=AMOUNTS, key=st.sampled_from(sorted(GROUPS)))
    def change(
        self, data: st.DataObject, labels: dict[str, str], resources: dict[str, float], key: str
    ) -> None:
        worker = data.draw(st.sampled_from(sorted(self.world.workers)))
        self.world.change_worker(worker, about(labels, resources, key=key))

    @precondition(lambda self: self.world.workers)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        self.world.remove_worker(data.draw(st.sampled_from(sorted(self.world.workers))))

    @invariant()
    def whole(self) -> None:
        self.world.validate()

    @invariant()
    def who_can_run_what(self) -> None:
        matching = self.world.matching
        for class_ in set(self.world.jobs.values()):
            wanted = matching.wanted(class_)
            able: dict[int, Sequence[int]] = dict(matching.able(class_))
            for worker, about_ in self.world.workers.items():
                kinds = {(one.name, one.version) for one in about_.types}
                right = [at for at, need in enumerate(wanted.needs) if not lacking(about_, need)]
                own = (wanted.type, wanted.version) in kinds
                if not own and not gets(about_, wanted.shipped):
                    right = []
                only = GROUPS[about_.key]
                if only and not any(wanted.type.startswith(one.rstrip("*")) for one in only if one):
                    right = []
                assert able.get(worker, []) == right


MatchingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestMatching = MatchingMachine.TestCase
