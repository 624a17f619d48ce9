"""What tests need: a task type run in-process, in an executor or in a cluster, and fakes.

For authors of plugins:

    def test_square():
        assert dc.testing.run(square, 3) == 9
        assert dc.testing.run_in_cluster(FOLDER, "square", [3]) == [9]

`python -m dc.testing.simulate` runs the real server, workers and clients in one process, with
faults drawn from a seed; what it is made of is in the other files of this package.
"""

from __future__ import annotations

from dc.testing.authors import Told, run, run_all, run_in_executor
from dc.testing.clusters import Cluster, cluster, run_in_cluster
from dc.testing.fake_executor import FakeExecutor

__all__ = [
    "Cluster",
    "FakeExecutor",
    "Told",
    "cluster",
    "run",
    "run_all",
    "run_in_cluster",
    "run_in_executor",
]
