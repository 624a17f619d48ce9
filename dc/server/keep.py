"""For how long finished jobs are kept."""

from __future__ import annotations

from msgspec import Struct

from dc import limits_store as limits


class Keep(Struct, frozen=True):
    """For how many days finished jobs are kept, and how many of them; 0 means no limit."""

    days: float = limits.KEEP_DAYS
    jobs: int = limits.KEEP_JOBS

    @property
    def text(self) -> str:
        """What to tell who asks for a job that is gone."""
        if not (self.days or self.jobs):
            return ""
        days = f" for {self.days:g} days" if self.days else ""
        most = f"{',' if days else ''} at most the newest {self.jobs:,}" if self.jobs else ""
        return f" (finished jobs are kept{days}{most})"
