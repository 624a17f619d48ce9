"""Why something waits: a kind, a true sentence, and the figures in it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dc.view_jobs import ReasonView


class Reason(Struct, frozen=True):
    """Why a task waits or a worker idles.

    `text` is a sentence without a subject and a full stop, for people; `kind` and `figures` are the
    same for programs.
    """

    kind: str
    text: str
    figures: dict[str, Any] = {}


def view_of(reason: Reason | None) -> ReasonView | None:
    """Return a reason as it is shown to programs."""
    return None if reason is None else ReasonView(reason.kind, reason.figures)


def several(count: int, noun: str) -> str:
    """Return a number with its noun: `1 worker`, `1,200 tasks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
