"""What tests need: a task type run in-process, and an executor that is no process.

For authors of plugins:

    def test_square():
        assert dc.testing.run(square, 3) == 9

`python -m dc.testing.simulate` runs the real server, workers and clients in one process, with
faults drawn from a seed; what it is made of is in the other files of this package.
"""

from __future__ import annotations

from dc.testing.authors import Told, run, run_all, run_in_executor
from dc.testing.fake_executor import FakeExecutor

__all__ = ["FakeExecutor", "Told", "run", "run_all", "run_in_executor"]
