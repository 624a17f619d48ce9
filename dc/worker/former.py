"""In an executor: results of other jobs, for tasks that come after them.

The agent names its server and its cache in the environment of its executors. Few tasks ask for
results, and the others pay nothing: what brings them (dc/worker/former_fetch.py) is imported when
the first one is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from dc.worker import seldom


class FormerResults:
    """Results of other jobs, for the contexts of tasks. Raises as `dc.Context.result` does."""

    def value(self, job: int, number: int) -> Any:
        """Return the result of a task: bytes as they are, any other value plain."""
        return seldom.former_fetch.value(job, number)

    def file(self, job: int, number: int, to: Path) -> Path:
        """Make a file with the bytes of a result, and return it."""
        return seldom.former_fetch.file(job, number, to)


FORMER: Final = FormerResults()
