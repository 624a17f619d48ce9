"""`python -m dc.worker --appliance`: the worker of a computer that was booted from the image.

The computer is that worker and nothing else, and nobody sits at it. So it never gives up: whatever
does not let it in is shown on the screen, and it tries again by itself, with its configuration read
anew. It ends when its server says so; the exit status is what its computer is to do then.
"""

from __future__ import annotations

import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import trio
from msgspec.structs import replace

from dc import limits_appliance, logs, program
from dc.errors import DcError, StartError
from dc.prepared import Prepared
from dc.worker import appliance_words, computer, worker_key
from dc.worker.appliance_attendant import ApplianceAttendant, Trouble
from dc.worker.appliance_clock import Clock
from dc.worker.appliance_key import Keys, computer_id, keys_of
from dc.worker.appliance_panel import Panel
from dc.worker.appliance_place import Place
from dc.worker.appliance_settings import Settings, settings_of
from dc.worker.appliance_watchdog import Watchdog
from dc.worker.attendant import Attendant
from dc.worker.equipment import Equipment
from dc.worker.folder import open_folder
from dc.worker.join_options import JoinOptions
from dc.worker.joining import NO_CODE
from dc.worker.keeping import write_file
from dc.worker.leaving import DELETED

log: Final = logging.getLogger("dc.worker")

OPTION: Final = "--appliance"
ROOT_VARIABLE: Final = "DC_APPLIANCE_ROOT"
"""Of the environment, for tests: the folder that stands for `/`."""

DATA: Final = "var/lib/dc"

TASK_USER: Final = "task"
"""Of the image: as whom tasks run, who may read nothing of the worker's."""

OFF, REBOOT, ANEW = 0, 3, 4
"""Exit statuses: switch the computer off, boot it anew, start the worker anew at once."""

_POWER: Final = MappingProxyType({"off": OFF, "reboot": REBOOT, "reread": ANEW})


class How(Protocol):
    """How a worker has ended: whether its program is to start anew; what its computer is to do."""

    again: bool
    power: str


Work = Callable[[list[str], JoinOptions, Attendant], Awaitable[How]]
"""Runs a worker, by the words of its command line and where to go; raises StartError."""


def is_asked(words: Sequence[str]) -> bool:
    """Whether a command line is that of such a computer."""
    return OPTION in words


def add_arguments(parser: ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        OPTION,
        action="store_true",
        help="be the worker of a computer that was booted from the image (Linux): it is told what "
        "to do by the kernel line, the image's configuration and DHCP, and draws on the screen",
    )


def main(words: Sequence[str], work: Work, prepared: Prepared | None = None) -> int:
    """Run the worker until it is told to end.

    Args:
        words: the command line; options in it go before what is configured.
        work: runs a worker.
        prepared: a process that waits to be its first executor.

    Returns:
        The exit status.
    """
    if sys.platform != "linux":
        sys.stderr.write(f"dc.worker: {OPTION} is for a computer that was booted from the image\n")
        return program.WRONG
    logs.log_to_stderr(verbose="--verbose" in words)
    place = Place(Path(os.environ.get(ROOT_VARIABLE, "/")))
    own = [word for word in words if word != OPTION]
    found: list[int] = []

    async def run() -> None:
        found.append(await Appliance(place, own, work, prepared).run())

    status = program.run("dc.worker", run)
    return found[0] if found else status or 1


class Appliance:
    """One such computer.

    Args:
        place: its files and devices.
        words: further ones for the worker's command line.
        work: runs a worker.
        prepared: a process that waits to be its first executor.
    """

    def __init__(
        self, place: Place, words: Sequence[str], work: Work, prepared: Prepared | None = None
    ) -> None:
        self._place = place
        self._words = list(words)
        self._work = work
        self._trouble = Trouble()
        self._panel = Panel(place.screen, place.serial_consoles())
        clock = Clock(place.built())
        self._attendant = ApplianceAttendant(place, self._panel, clock, self._trouble)
        self._attendant.prepared = prepared
        self._watchdog = Watchdog(place.watchdog)

    async def run(self) -> int:
        """Return the exit status, once the worker was told to end."""
        log.addHandler(self._trouble)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watchdog.feed)
                nursery.start_soon(self._attendant.keep_screen)
                status = await self._stay()
                nursery.cancel_scope.cancel()
            return status
        finally:
            self._panel.close()
            log.removeHandler(self._trouble)

    async def _stay(self) -> int:
        """Run one worker after the other, until one is told to end."""
        failures = 0
        await self._be_named()
        while True:
            settings = self.settings()
            self._attendant.begin(settings)
            began = trio.current_time()
            try:
                how = await self._once(settings)
            except* DcError as errors:
                why = str(program.first(errors))
            else:
                if how is None:
                    continue  # its configuration has changed
                if how.power != DELETED:
                    return status_of(how)
                why = f"an operator has deleted this computer from the server; {NO_CODE}"
            log.error("%s", why)
            if trio.current_time() - began > limits_appliance.RETRY_SECONDS_MOST:
                failures = 0
            pause = pause_after(failures)
            failures += 1
            self._attendant.failed(why, pause)
            with trio.move_on_after(pause):
                await self._changed(settings)

    async def _be_named(self) -> None:
        """Wait until the computer is named after its first card, whose driver is being loaded.

        Without its name, and without a card, it would be another worker than it was before.
        """
        await self._wait_for(self._place.has_drivers, limits_appliance.DRIVERS_SECONDS)
        await self._wait_for(self._place.has_name, limits_appliance.NAME_SECONDS)

    async def _wait_for(self, is_so: Callable[[], bool], seconds: float) -> None:
        with trio.move_on_after(seconds):
            while not is_so():  # noqa: ASYNC110  # nothing tells
                await trio.sleep(limits_appliance.NAME_LOOK_SECONDS)

    async def _once(self, settings: Settings) -> How | None:
        """Run a worker; return how it has ended, None if it is to begin anew.

        Raises:
            DcError: it was not let in.
        """
        folder = self._place.root / DATA
        be(folder, self._keys(settings))
        memory = self._place.memory()[1]
        words = words_of(settings, self._place.image().version, folder)
        words += thrifty(memory, Equipment().processors(), is_told=settings.slots > 0)
        words += [f"--task-user={TASK_USER}"] if self._place.is_real else []
        join = JoinOptions(settings.where, settings.trusts_network)
        words += self._words
        how: How | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._give_way, settings, nursery.cancel_scope)
            how = await self._work(words, join, self._attendant)
            nursery.cancel_scope.cancel()
        return how

    async def _give_way(self, settings: Settings, scope: trio.CancelScope) -> None:
        """End a worker that is not in, once it is told something else."""
        while True:
            await self._changed(settings)
            if self._attendant.may_begin_anew(trio.current_time()):
                log.info("the configuration has changed")
                scope.cancel()
            await trio.sleep(limits_appliance.LOOK_SECONDS)

    async def _changed(self, settings: Settings) -> None:
        """Return once there are other settings than these, or the computer is another one.

        That it is when its first card comes after all: its name and its key may be of that card.
        """
        before, who = replace(settings, remarks=[]), self._who()
        while True:
            if replace(self.settings(), remarks=[]) != before or self._who() != who:
                return
            await trio.sleep(limits_appliance.LOOK_SECONDS)  # nothing tells

    def settings(self) -> Settings:
        """Return what is to be done, as all say it now."""
        place = self._place
        line = appliance_words.of_kernel_line(place.kernel_line())
        return settings_of([line, appliance_words.of_file(place.file())], place.leases())

    def _who(self) -> tuple[str, str]:
        """Return the computer's name, and what tells it from all others."""
        return computer.hostname(), computer_id(self._place.uuid(), self._place.own_macs())

    def _keys(self, settings: Settings) -> Keys | None:
        """Return by what the worker is known; None for something that was never used."""
        _, which = self._who()
        invite = settings.where.invite
        return keys_of(invite.secret, which) if invite is not None and which else None


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many tries that failed before."""
    pause = limits_appliance.RETRY_SECONDS * 2.0 ** min(failures, 30)
    return min(pause, limits_appliance.RETRY_SECONDS_MOST)


def status_of(how: How) -> int:
    """Return the exit status for how a worker has ended."""
    return ANEW if how.again else _POWER.get(how.power, OFF)


def words_of(settings: Settings, image: str, folder: Path) -> list[str]:
    """Return the command line of the worker."""
    words = [f"--data={folder}"]
    labels = {"image": image, **settings.labels} if image else settings.labels
    words += [f"--label={key}={value}" for key, value in labels.items()]
    if settings.slots:
        words.append(f"--slots={settings.slots}")
    if settings.name and settings.name != computer.hostname():
        words.append(f"--name={settings.name}")  # otherwise another one is taken, if it is in use
    return words


def thrifty(memory: int, processors: float, *, is_told: bool) -> list[str]:
    """Return options for a computer that has little memory; none where there is enough.

    Args:
        memory: that it has, in bytes; 0 if that is not known.
        processors: that it has.
        is_told: whether it was told how many slots to have.
    """
    if not memory:
        return []
    fitting = max(1, (memory - limits_appliance.SYSTEM_BYTES) // limits_appliance.SLOT_BYTES)
    words = [f"--slots={fitting}"] if fitting < processors and not is_told else []
    return [*words, "--spares=0"] if memory < limits_appliance.SPARE_BYTES else words


def be(folder: Path, keys: Keys | None) -> None:
    """See to it that the worker of a folder is known by these keys; with none, it has its own.

    Raises:
        StartError: the folder is in use, or cannot be written to.
    """
    if keys is None:
        return
    path = folder / worker_key.NAME
    text = f"{keys.private.hex()}\n"
    try:
        if path.exists() and path.read_text("ascii", errors="replace") == text:
            return
        with open_folder(folder, new_key=True):
            worker_key.write_private(path, text)
            write_file(folder / "key", f"{keys.name}\n")
    except OSError as error:
        raise StartError(f"cannot use {folder} ({error.strerror or error})") from None
