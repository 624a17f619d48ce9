"""What is set of the server, and can be set anew while it runs.

A setting has its value from the command line, or the usual one where nothing was said there. What
an operator sets while the server runs is written down and goes before that, over restarts too,
until it is taken back. Quotas, the reserve of the disk and what is kept are read from here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

from dc.errors import OptionsError
from dc.records_shown import SettingChanged
from dc.requirements import MEMORY, bytes_text, read_amount
from dc.server.keep import Keep
from dc.server.quotas import NONE, Quotas
from dc.view_server import SettingView

MOST: Final = 1_000_000_000
"""Days or jobs that can be kept: more than there will be."""


class Option(Struct, frozen=True):
    """An option of the server's command line.

    Attributes:
        name: without its dashes.
        value: as text; empty where it has none.
        origin: where that is from.
        doc: its help.
    """

    name: str
    value: str
    origin: Literal["default", "command line"]
    doc: str


class Values(Struct, frozen=True):
    """What can be set; see Quotas and Keep. `reserve` is in bytes, None for the usual."""

    quotas: Quotas = NONE
    keep: Keep = Keep()
    reserve: int | None = None


# --- from text and back -------------------------------------------------------------------------


def read_size(text: str) -> str:
    """Return a size in bytes, as text.

    Raises:
        OptionsError: it is none.
    """
    return str(int(read_amount(MEMORY, text)))


def read_days(text: str) -> str:
    """Return a number of days as text.

    Raises:
        OptionsError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST:
        raise OptionsError(f"{text[:80]!r} is no number of days from 0 to {MOST:,}")
    return f"{value:.15g}"


def read_count(text: str) -> str:
    """Return a whole number as text.

    Raises:
        OptionsError: it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= MOST):
        raise OptionsError(f"{text[:80]!r} is no whole number from 0 to {MOST:,}")
    return str(int(text))


def _size_text(value: str) -> str:
    return bytes_text(int(value)) if int(value) else "as many as there is room for"


def _reserve_text(value: str) -> str:
    return bytes_text(int(value)) if value else "the usual"


def _days_text(value: str) -> str:
    return f"{float(value):g} days" if float(value) else "for ever"


def _count_text(value: str) -> str:
    return f"{int(value):,} jobs" if int(value) else "all"


class Rule(Struct, frozen=True):
    """How a setting is read, and how it is said to people."""

    read: Callable[[str], str]
    text: Callable[[str], str]


CHANGEABLE: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "quota-task": Rule(read_size, _size_text),
        "quota-job": Rule(read_size, _size_text),
        "quota-submitter": Rule(read_size, _size_text),
        "quota-all": Rule(read_size, _size_text),
        "reserve": Rule(read_size, _reserve_text),
        "keep-days": Rule(read_days, _days_text),
        "keep-jobs": Rule(read_count, _count_text),
    }
)
"""What can be set while the server runs."""


def as_text(values: Values) -> dict[str, str]:
    """Return values as text, by the names of their settings."""
    quotas, keep = values.quotas, values.keep
    return {
        "quota-task": str(quotas.task),
        "quota-job": str(quotas.job),
        "quota-submitter": str(quotas.submitter),
        "quota-all": str(quotas.all),
        "reserve": "" if values.reserve is None else str(values.reserve),
        "keep-days": f"{keep.days:.15g}",
        "keep-jobs": str(keep.jobs),
    }


def from_text(texts: Mapping[str, str]) -> Values:
    """Return the values that texts stand for."""
    sizes = [int(texts[f"quota-{name}"]) for name in ("task", "job", "submitter", "all")]
    reserve = int(texts["reserve"]) if texts["reserve"] else None
    return Values(
        Quotas(*sizes) if any(sizes) else NONE,
        Keep(float(texts["keep-days"]), int(texts["keep-jobs"])),
        reserve,
    )


# --- the whole ----------------------------------------------------------------------------------


class SettingsBook:
    """Keeps what is set.

    Args:
        given: what the command line says, or the usual.

    Attributes:
        now: what holds.
        on_change: called when that is other than it was.
    """

    def __init__(self, given: Values | None = None) -> None:
        self.now = given or Values()
        self.on_change: Callable[[], None] = _nothing
        self._given = as_text(self.now)
        self._decided: dict[str, str] = {}

    def recovered(self, given: Values, decided: Mapping[str, str]) -> None:
        """Begin with what the command line says and what operators had set.

        What this dc does not know, or cannot take any more, is left out.
        """
        self._given = as_text(given)
        self._decided = {}
        for name, value in decided.items():
            try:
                self._decided |= {name: CHANGEABLE[name].read(value)} if name in CHANGEABLE else {}
            except OptionsError:
                continue
        self._follow()

    def change(self, changes: Mapping[str, str | None]) -> list[SettingChanged]:
        """Set some, or take them back with None: all of them or none; return what to write down.

        Raises:
            OptionsError: a value cannot be, or there is no such setting that can be changed.
        """
        read = {name: self._read(name, value) for name, value in changes.items()}
        for name, value in read.items():
            if value is None:
                self._decided.pop(name, None)
            else:
                self._decided[name] = value
        self._follow()
        return [SettingChanged(name, value) for name, value in read.items()]

    def _read(self, name: str, value: str | None) -> str | None:
        if name not in CHANGEABLE:
            known = ", ".join(CHANGEABLE)
            text = f"{name[:80]!r} cannot be set while the server runs: these can be: {known}"
            raise OptionsError(text)
        try:
            return None if value is None else CHANGEABLE[name].read(value)
        except OptionsError as error:
            raise OptionsError(f"{name}: {error}") from None

    def _follow(self) -> None:
        self.now = from_text(self._given | self._decided)
        self.on_change()

    def text(self, name: str) -> str:
        """Return what a setting is now, for people."""
        return CHANGEABLE[name].text((self._given | self._decided)[name])

    def views(self, options: list[Option]) -> list[SettingView]:
        """Return all settings.

        Args:
            options: of the command line, all of them.
        """
        return [self._view(option) for option in options]

    def _view(self, option: Option) -> SettingView:
        name, decided = option.name, option.name in self._decided
        changeable = name in CHANGEABLE
        value = (self._given | self._decided)[name] if changeable else option.value
        return SettingView(
            name=name,
            value=value,
            text=self.text(name) if changeable else value,
            origin="operator" if decided else option.origin,
            doc=option.doc,
            changeable=changeable,
        )


def _nothing() -> None:
    """Stand in for who follows changes."""
