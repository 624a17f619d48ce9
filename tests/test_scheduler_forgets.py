"""What the scheduler forgets when it is told so, and what it answers about time and room."""

from __future__ import annotations

from types import ModuleType

import pytest


def test_classes_and_groups_that_nobody_has_are_forgotten(core: ModuleType) -> None:
    scheduler = core.Scheduler()
    kept = scheduler.add_class([{0: 10_000}])
    crowd = scheduler.add_group([kept])
    worker = scheduler.add_worker(crowd, 2, {0: 20_000, 1: 500})
    scheduler.add_job(1, kept, 0, 0)
    for turn in range(3):
        class_ = scheduler.add_class([{0: 10_000, 1: 100 + turn}])
        group = scheduler.add_group({kept: (), class_: (0,)})
        scheduler.extend_group(crowd, class_, (0,))
        scheduler.add_job(2, class_, 0, 0)
        scheduler.submit(2, 0, 1)
        with pytest.raises(ValueError, match="a job has class"):
            scheduler.remove_class(class_)
        with pytest.raises(ValueError, match="there are workers"):
            scheduler.remove_group(crowd)
        assert scheduler.assign() == (worker, [(2, 0, [0], [1])])
        assert scheduler.worker_free(worker)[1] == 400 - turn
        assert (scheduler.worker_taken(worker), scheduler.worker_saves(worker)) == (1, False)
        scheduler.finish(worker, 2, [0], [1])
        scheduler.remove_job(2)
        scheduler.remove_group(group)
        scheduler.remove_class(class_)
        for door in (scheduler.remove_class, scheduler.remove_group):
            with pytest.raises(KeyError):
                door(class_ if door == scheduler.remove_class else group)
        scheduler.validate()
    counts = scheduler.statistics()
    assert (counts.classes, counts.groups) == (1, 1)
    scheduler.set_amounts(worker, {0: 20_000})
    scheduler.submit(1, 0, 3)
    assert scheduler.assign() == (worker, [(1, 0, [0, 1], [1, 1])])
    scheduler.validate()


def test_when_a_task_is_due(core: ModuleType) -> None:
    scheduler = core.Scheduler()
    class_ = scheduler.add_class()
    worker = scheduler.add_worker(scheduler.add_group([class_]), 1)
    scheduler.add_job(1, class_, 0, 3)
    scheduler.submit(1, 0, 1)
    assert scheduler.due(1, 0) == scheduler.due(1, 7) == float("inf")
    scheduler.assign()
    scheduler.fail(worker, 1, 0, 1, 5.0)
    assert scheduler.due(1, 0) == 5.0
