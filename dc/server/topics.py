"""Topics: what can be watched over HTTP, and how a request names it."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

from msgspec import Struct

from dc import limits_shown
from dc.errors import UnknownTopic

Kind: TypeAlias = Literal[
    "overview", "jobs", "job", "task", "output", "workers", "worker", "events", "history"
]

WHOLE: Final[tuple[Kind, ...]] = ("overview", "jobs", "workers", "events", "history")
"""Kinds of which there is one topic."""

_JOB: Final = re.compile(r"job:([0-9]{1,10})")
_TASK: Final = re.compile(r"(task|output):([0-9]{1,10})/([0-9]{1,10})")
_WORKER: Final = re.compile(r"worker:([^\x00-\x20,\x7f-\x9f\u2028\u2029]{1,3000})")


class Topic(Struct, frozen=True):
    """Something that can be watched.

    Attributes:
        name: as it was asked for; what is sent of it carries this name.
        kind: what it is.
        job, task: of which job and task.
        worker: the name of which worker.
        submitter: whose jobs alone; None for all.
    """

    name: str
    kind: Kind
    job: int = 0
    task: int = 0
    worker: str = ""
    submitter: str | None = None

    @property
    def key(self) -> str:
        """What it is found by: whoever sees other things by its name watches another topic."""
        return self.name if self.submitter is None else f"{self.name} of {self.submitter}"


def read_topics(text: str) -> list[Topic]:
    """Return the topics that a request names, each once.

    Args:
        text: names with commas between them: `overview`, `jobs`, `workers`, `events`, `history`,
            `job:J`, `task:J/T`, `output:J/T`, and `worker:NAME`, where commas, spaces and the like
            are percent-encoded, once more than in the rest of the query.

    Raises:
        UnknownTopic: there is no such topic, or there are too many, or none.
    """
    names = list(dict.fromkeys(filter(None, text.split(","))))
    if not names:
        raise UnknownTopic("name topics to watch, as in ?topics=overview,jobs")
    if len(names) > limits_shown.WATCHED_TOPICS:
        raise UnknownTopic(
            f"{len(names)} topics: a stream has at most {limits_shown.WATCHED_TOPICS}"
        )
    return [_topic(name) for name in names]


def _topic(name: str) -> Topic:
    for kind in WHOLE:
        if name == kind:
            return Topic(name, kind)
    if match := _JOB.fullmatch(name):
        return Topic(name, "job", int(match[1]))
    if match := _TASK.fullmatch(name):
        return Topic(name, "task" if match[1] == "task" else "output", int(match[2]), int(match[3]))
    if match := _WORKER.fullmatch(name):
        return Topic(name, "worker", worker=unquote(match[1], errors="replace"))
    known = ", ".join((*WHOLE, "job:J", "task:J/T", "output:J/T", "worker:NAME"))
    raise UnknownTopic(f"there is no topic {name[:80]!r}; there are: {known}")
