"""What is around the worker of a computer that was booted from the image: its screen, its clock."""

from __future__ import annotations

import logging
import math
import socket
import time
from typing import Final

import trio

from dc import limits_appliance
from dc.dial import Server
from dc.discovery import Found
from dc.errors import StartError
from dc.messages_worker import Appliance
from dc.worker import networks
from dc.worker.app import WorkerApp
from dc.worker.appliance_clock import Clock
from dc.worker.appliance_panel import Panel
from dc.worker.appliance_place import Place
from dc.worker.appliance_screen import CONNECTED, LOOKING, LOST, View, lines, news
from dc.worker.appliance_settings import Settings, hints
from dc.worker.attendant import Attendant
from dc.worker.discovering import Discovery
from dc.worker.networks import Asked
from dc.worker.statistics import Statistics
from dc.worker.terminal import Terminal

YES_OR_NO: Final = frozenset("yn")
FIGURES: Final = frozenset("123456789")

ORDERS: Final = ("off", "reboot", "reread")
"""That such a computer takes, as in `End.power`."""


class ScreenTerminal(Terminal):
    """Somebody who looks at the screen, and may press a key.

    Args:
        panel: the consoles.

    Attributes:
        number: that is shown to be compared, and `page` where; empty if none is.
        question: that is asked.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.number = self.page = self.question = ""

    @property
    def is_there(self) -> bool:
        """Whether somebody could press a key."""
        return self._panel.has_keys

    def say(self, text: str) -> None:
        """Tell something, until something else is told."""
        self.question = text

    def show_number(self, number: str, url: str) -> None:
        """Show six digits, and where they are to be compared."""
        self.number, self.page = number, url

    async def ask(self, question: str) -> str:
        """Return the key that is pressed, of those that are an answer.

        Raises:
            StartError: none was.
        """
        self.question = "Press y on this computer's keyboard if it does, n if not."
        answers = YES_OR_NO
        if not self.number:
            self.question, answers = f"{question} Press its number.", FIGURES
        try:
            with trio.fail_after(limits_appliance.COMPARE_SECONDS):
                while (key := (await self._panel.key()).lower()) not in answers:
                    pass
                return key
        except trio.TooSlowError:
            text = "nobody has pressed a key here: boot this computer with a join code"
            raise StartError(f"{text}, or with dc.trust-network=1") from None
        finally:
            self.question = ""  # the number stays: the page may not have been looked at yet

    def clear(self) -> None:
        """Show nothing more of it."""
        self.number = self.page = self.question = ""


class Trouble(logging.Handler):
    """What went wrong last, of all that is logged.

    Attributes:
        text: in a sentence, empty if nothing did.
        at: when, by the monotonic clock.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        self.at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the log."""
        self.say(record.getMessage())

    def say(self, text: str) -> None:
        """Take a sentence."""
        self.text, self.at = text, time.monotonic()


class ApplianceAttendant(Attendant):
    """What is around it.

    Args:
        place: the computer.
        panel: its consoles.
        clock: its clock.
        trouble: what went wrong last.

    Attributes:
        settings: what is to be done.
        again_at: when all begins anew, by Trio's clock; infinite if it does not.
    """

    def __init__(self, place: Place, panel: Panel, clock: Clock, trouble: Trouble) -> None:
        super().__init__()
        self.here = None  # whatever listens here is a task
        self._screen = ScreenTerminal(panel)
        self.terminal = self._screen
        self._place, self._panel, self._clock = place, panel, clock
        self._trouble = trouble
        self._image = place.image()
        self.appliance = self._appliance()
        self._app: WorkerApp | None = None
        self._server = ""
        self._state, self._since = LOOKING, 0.0
        self._before = View()
        # tasks done and failed: of this worker, of those before
        self._count = self._former = 0, 0
        self.settings = Settings()
        self.again_at = math.inf

    # --- for the worker -------------------------------------------------------------------------

    async def discover(self) -> list[Found]:
        """Look for servers in the network, and ask whom DHCP has named."""
        found = await trio.to_thread.run_sync(networks.all_asked)
        asked = [one for one in found if one.target != networks.LOOPBACK]
        asked += [Asked(one) for one in hints(self._place.leases())]
        return await Discovery(list(dict.fromkeys(asked)), mdns=()).run()

    def told_date(self, date: str, is_known: bool) -> None:
        """Set the clock by it, if it is off."""
        if self._place.is_real:
            self._clock.told(date, is_known=is_known)

    async def beside(self, app: WorkerApp, server: Server) -> None:
        """Know the worker for as long as it runs."""
        self._app, self._server = app, server.url
        self._screen.clear()
        try:
            await trio.sleep_forever()
        finally:
            self._former, self._count = self._counted(), (0, 0)
            self._app = None
            self._screen.clear()

    # --- for the appliance ----------------------------------------------------------------------

    def may_begin_anew(self, now: float) -> bool:
        """Whether nothing is lost if the worker begins anew with other settings."""
        if self._app is None or self._state == LOOKING:
            return True
        is_long = now - self._since >= limits_appliance.LOST_SECONDS
        return self._state == LOST and is_long and not self._app.statistics().running

    def begin(self, settings: Settings) -> None:
        """Begin anew, with these settings."""
        self.settings, self.again_at = settings, math.inf
        self.appliance = self._appliance()  # cards may have come
        self._state, self._since, self._server = LOOKING, trio.current_time(), _address(settings)
        self._screen.clear()

    def failed(self, why: str, pause: float) -> None:
        """The worker was not let in; it begins anew after so many seconds."""
        self._trouble.say(why)
        self.again_at = trio.current_time() + pause
        self._screen.clear()

    def _appliance(self) -> Appliance:
        return Appliance(self._image.version or "unknown", self._place.macs(), list(ORDERS))

    async def keep_screen(self) -> None:
        """Draw the screen, until it is cancelled."""
        while True:
            self.draw()
            await trio.sleep(limits_appliance.DRAW_SECONDS)

    def draw(self) -> None:
        """Draw the screen as all is now, and tell what is new."""
        view = self._view(trio.current_time())
        self._panel.draw(lines(view), trio.current_time())
        self._panel.tell(news(self._before, view))
        self._before = view

    def _view(self, now: float) -> View:
        figures = self._app.statistics() if self._app is not None else None
        self._look(figures, now)
        image, settings, screen = self._image, self.settings, self._screen
        done, failed = self._counted()
        return View(
            image=f"{image.version} ({image.arch})" if image.version else "",
            name=settings.name or socket.gethostname(),
            links=self._place.links(),
            cards=self._place.unknown_cards(),
            server=self._server,
            state=self._state,
            since=now - self._since,
            trouble=self._trouble.text,
            age=time.monotonic() - self._trouble.at,
            again=max(0.0, self.again_at - now) if self.again_at < math.inf else -1.0,
            told=bool(settings.source),
            slots=figures.slots if figures is not None else 0,
            running=figures.running if figures is not None else [],
            done=done,
            failed=failed,
            remarks=settings.remarks,
            memory=self._place.memory(),
            clock=time.time(),
            number=screen.number,
            page=screen.page,
            question=screen.question,
            shell=settings.shell,
        )

    def _counted(self) -> tuple[int, int]:
        """Return how many tasks were done, and have failed, since this program was started."""
        return self._former[0] + self._count[0], self._former[1] + self._count[1]

    def _look(self, figures: Statistics | None, now: float) -> None:
        """See how the way to the server is."""
        if figures is not None:
            self._count = figures.done, figures.failed
        before = self._state
        if figures is not None and figures.connected:
            self._state = CONNECTED
        elif before == CONNECTED:
            self._state = LOST
        if self._state != before:
            self._since = now
            if self._state == CONNECTED:
                self._trouble.say("")


def _address(settings: Settings) -> str:
    """Return where a worker goes, as far as its settings say so."""
    invite = settings.where.invite
    if invite is None:
        return settings.where.url
    host, port = invite.addresses[0]
    return Server(host, port, tls=True).url
