"""The audit log: who was let in or refused, and who has changed what.

Theory of operation
-------------------
What is done gets an entry at once, which is written with what it changes. Refusals can be had by
anybody, as many as a network carries: of each kind and address one is told at the next tick, and
those of the minute after it are counted, and told as one. There is room for so many addresses;
refusals from more are counted together. None is given out while those before are on their way to
the disk, so that a full one costs no memory.
"""

from __future__ import annotations

from msgspec import Struct

from dc import limits_access as limits
from dc.records_access import AuditRow
from dc.roles import Principal
from dc.server.event_log import plain


class Flow(Struct):
    """Refusals of one kind from one address.

    Attributes:
        by: who was refused first.
        address: where they came from; empty for many places.
        what: what the first one wanted.
        since: when that was, in Unix time.
        told: whether it has its entry.
        more: how many came after it.
    """

    by: Principal
    address: str
    what: str
    since: float
    told: bool = False
    more: int = 0


class AuditLog:
    """Makes the entries.

    Attributes:
        next: the number of the next entry.
    """

    def __init__(self) -> None:
        self.next = 1
        self._flows: dict[tuple[str, str], Flow] = {}
        self._writing = False

    def done(self, kind: str, by: Principal, address: str, what: str, now: float) -> AuditRow:
        """Return the entry of what was done, to be written down.

        Args:
            kind: such as `token.created`.
            by: who did it.
            address: where they are.
            what: to what, and how.
            now: Unix time.
        """
        return self._row(kind, by, address, what, now, ok=True)

    def refused(self, kind: str, by: Principal, address: str, what: str, now: float) -> None:
        """Note that something was refused; the arguments are as of `done`."""
        flow = self._flows.get((kind, address))
        if flow is None and len(self._flows) >= limits.REFUSED_FLOWS:
            address = ""
            flow = self._flows.get((kind, address))
        if flow is None:
            self._flows[kind, address] = Flow(by, address, what, now)
        else:
            flow.more += 1

    def take(self, now: float, *, all_: bool = False) -> list[AuditRow]:
        """Return the entries of refusals that are to be written down now; then call `written`.

        Args:
            now: Unix time.
            all_: tell what was counted, too, though its minute is not over.
        """
        if self._writing:
            return []
        rows: list[AuditRow] = []
        for (kind, address), flow in list(self._flows.items()):
            if not flow.told:
                flow.told = True
                rows.append(self._row(kind, flow.by, address, flow.what, now, ok=False))
            elif all_ or abs(now - flow.since) >= limits.REFUSED_SECONDS:
                del self._flows[kind, address]
                if flow.more:
                    text = f"{flow.more:,} more like it: {flow.what}"
                    rows.append(self._row(kind, flow.by, address, text, now, ok=False))
        self._writing = bool(rows)
        return rows

    def written(self) -> None:
        """Note that the entries that were taken are on disk."""
        self._writing = False

    def _row(
        self, kind: str, by: Principal, address: str, what: str, now: float, *, ok: bool
    ) -> AuditRow:
        entry = self.next
        self.next += 1
        return AuditRow(
            entry,
            round(now, 3),
            kind,
            ok,
            _cut(by.name, limits.AUDIT_FIELD_CHARS),
            by.token,
            _cut(address, limits.AUDIT_FIELD_CHARS),
            _cut(what, limits.AUDIT_CHARS),
        )


def _cut(text: str, chars: int) -> str:
    return plain(text[:chars])
