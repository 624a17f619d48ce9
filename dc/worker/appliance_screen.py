"""The screen of a computer that was booted from the image: from what is known to lines of text.

24 lines of 78 ASCII characters, which the smallest console can show. Whatever comes from outside is
cleaned of what takes hold of a terminal, and cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from dc import limits_appliance
from dc.worker.joining import NO_CODE
from dc.worker.statistics import Running

LINES: Final = limits_appliance.SCREEN_LINES
COLUMNS: Final = limits_appliance.SCREEN_COLUMNS

LOOKING: Final = "looking"
CONNECTED: Final = "connected"
LOST: Final = "lost"

_AGAIN: Final = re.compile(r"[;,]? *trying again in [0-9.]+ s$")
_ROWS: Final = 8
"""Running tasks that are shown, at most."""

TELL: Final = (
    "No server is known. Tell this computer where it is, in one of four ways:",
    " 1 a stick or CD made for it: on the server's page, Add a computer; or",
    "   python -m dc os-image configure worker.iso --invite CODE",
    " 2 the kernel line, in the menu before this (press e):  dc.invite=CODE",
    "   or  dc.server=HOST:PORT",
    " 3 DHCP option 224, as text: a join code, or HOST:PORT",
    " 4 start the server with --announce, in this very network",
    "A join code comes from  python -m dc invite  on the server.",
)

DIGITS: Final = (
    ("#####", "    #", "#####", "#####", "#   #", "#####", "#####", "#####", "#####", "#####"),
    ("#   #", "    #", "    #", "    #", "#   #", "#    ", "#    ", "    #", "#   #", "#   #"),
    ("#   #", "    #", "#####", " ####", "#####", "#####", "#####", "   # ", "#####", "#####"),
    ("#   #", "    #", "#    ", "    #", "    #", "    #", "#   #", "  #  ", "#   #", "    #"),
    ("#####", "    #", "#####", "#####", "    #", "#####", "#####", "  #  ", "#####", "#####"),
)
"""The figures from 0 to 9, line by line."""


class View(Struct, frozen=True):
    """All that is shown.

    Attributes:
        image: what was booted, as `0.9 (amd64)`.
        name: of the computer.
        links: of each network card its name, and how it is.
        cards: network cards without a driver, as VENDOR:DEVICE.
        server: where it is, empty while that is not known.
        state: of the way to it: LOOKING, CONNECTED or LOST.
        since: for how many seconds that has been so.
        trouble: what went wrong last, or what is waited for.
        age: for how many seconds that has been so.
        again: in how many seconds all of it begins anew; negative if that is not so.
        told: whether anything has told where the server is.
        slots: tasks at one time.
        running: tasks that run.
        done, failed: tasks, since the computer was started.
        remarks: what is wrong with the configuration.
        memory: bytes that are free, and bytes that there are.
        clock: in Unix time.
        number: of six digits, that is to be compared; empty if none is.
        page: where.
        question: that is to be answered by a key.
        shell: whether there is a shell.
    """

    image: str = ""
    name: str = ""
    links: Sequence[tuple[str, str]] = ()
    cards: Sequence[str] = ()
    server: str = ""
    state: str = LOOKING
    since: float = 0.0
    trouble: str = ""
    age: float = 0.0
    again: float = -1.0
    told: bool = True
    slots: int = 0
    running: Sequence[Running] = ()
    done: int = 0
    failed: int = 0
    remarks: Sequence[str] = ()
    memory: tuple[int, int] = (0, 0)
    clock: float = 0.0
    number: str = ""
    page: str = ""
    question: str = ""
    shell: bool = False


def lines(view: View) -> list[str]:
    """Return LINES lines of at most COLUMNS ASCII characters; the first one is the title."""
    top = [*_head(view), *_network(view), *_server(view), ""]
    bottom = _foot(view)
    room = LINES - len(top) - len(bottom)
    middle = list(_middle(view, room))[:room]
    middle += [""] * (room - len(middle))
    return [plain(line)[:COLUMNS] for line in [*top, *middle, *bottom]][:LINES]


def plain(text: str) -> str:
    """Return a text as one line of ASCII that does nothing to a terminal."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def folded(text: str, width: int, most: int) -> list[str]:
    """Return a text on lines of this width, cut behind so many."""
    found: list[str] = []
    for word in plain(text).split():
        if found and len(found[-1]) + 1 + len(word) <= width:
            found[-1] += f" {word}"
        else:
            found += [word[at : at + width] for at in range(0, len(word), width)]
    if len(found) > most:
        found = [*found[: most - 1], f"{found[most - 1][: width - 3]}..."]
    return found


def brief(text: str) -> str:
    """Return a sentence of a worker in the words of a computer that is booted."""
    text = " ".join(text.split()).replace(
        NO_CODE, "boot it with a new join code (python -m dc invite)"
    )
    return text[: limits_appliance.REMARK_CHARS * 2]


def lasting(text: str) -> str:
    """Return a sentence without the seconds after which something is tried again."""
    return _AGAIN.sub("", text)


def span(seconds: float) -> str:
    """Return a time as its largest unit says it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


# --- parts of it ----------------------------------------------------------------------------------


def _head(view: View) -> list[str]:
    moment = f"{_moment(view.clock)} UTC"
    title = plain(f" dc worker image {view.image}")[: COLUMNS - len(moment) - 2]
    return [f"{title:{COLUMNS - len(moment) - 1}}{moment} ", "", _row("Computer", view.name)]


def _moment(clock: float) -> str:
    try:
        return datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "no clock"


def _row(title: str, text: str) -> str:
    return f"  {title:9} {text}"


def _network(view: View) -> Iterator[str]:
    shown = view.links[: 1 if view.number else 4]
    title = "Network"
    for name, state in shown:
        yield _row(title, f"{name}: {state}")
        title = ""
    if len(view.links) > len(shown):
        yield _row("", f"and {len(view.links) - len(shown)} more network cards")
    if not view.links and not view.cards:
        yield _row(title, "no network card is found yet: is one in?")
    if view.cards and not view.number:
        text = f"no driver here for network card {', '.join(view.cards[:3])}: use another card"
        yield _row(title if not view.links else "", text)


def _server(view: View) -> Iterator[str]:
    for_ = f"for {span(view.since)}"
    if view.state == CONNECTED:
        yield _row("Server", f"{view.server}, connected {for_}")
    elif view.state == LOST:
        yield _row("Server", f"{view.server} is lost {for_}")
    else:
        yield _row("Server", view.server or "looking for one")
    trouble = brief(view.trouble)
    if view.again >= 0:
        trouble = f"{trouble}; trying again in {span(view.again)}"
    elif trouble and view.age >= 60:
        trouble = f"{lasting(trouble)} ({span(view.age)} ago)"
    for line in folded(trouble, COLUMNS - 12, 1 if view.number else 3):
        yield _row("", line)


def _middle(view: View, room: int) -> Iterator[str]:
    """Yield what is of most interest; what does not fit into the room is left out."""
    long = [folded(f"! {one}", COLUMNS - 2, 2) for one in view.remarks]
    remarks = [f"  {line}" for remark in long for line in remark]
    if view.number:
        yield from _number(view)
    elif view.question:
        for line in view.question.splitlines():
            yield from (f"  {one}" for one in folded(line, COLUMNS - 2, 2))
    elif view.state == LOOKING and not view.told and view.trouble:
        yield from remarks  # they may say why no server is known
        yield from (f"  {line}" for line in TELL)
        return
    else:
        yield from _tasks(view, room - len(remarks))
    yield from remarks


def _number(view: View) -> Iterator[str]:
    yield "  To let this computer in: does the server's page show the same number?"
    yield ""
    digits = [int(one) for one in view.number[:6] if one.isascii() and one.isdigit()]
    for row in DIGITS:
        pieces = [row[one] for one in digits]
        yield "        " + "  ".join([*pieces[:3], "  ", *pieces[3:]])
    yield ""
    yield f"  at {view.page}"
    for line in view.question.splitlines():
        yield f"  {line}"


def _tasks(view: View, room: int) -> Iterator[str]:
    running = len(view.running)
    failed = f", {view.failed} failed" if view.failed else ""
    of = f"{running} of {view.slots} slots at work" if view.slots else "not ready for tasks yet"
    yield _row("Tasks", f"{of}; {view.done} done{failed} since the start")
    most = max(1, min(_ROWS, room - 2))
    shown = sorted(view.running, key=lambda one: one.slot)[:most]
    for one in shown:
        name = plain(one.type_)[:30]
        task = f"{one.job}/{one.number}"
        yield _row("", f"{name:30} job/task {task:16} {span(one.seconds):>6}")
    if running > len(shown):
        yield _row("", f"and {running - len(shown)} more")


def _foot(view: View) -> list[str]:
    free, total = (f"{size / 2**20:.0f}" for size in view.memory)
    shell = "Alt-F2: a shell." if view.shell else "A shell: by dc.shell=1."
    keys = f"Power button: off.  Ctrl-Alt-Del: boots anew.  {shell}"
    return ["", _row("Memory", f"{free} MB of {total} MB free"), "", f"  {keys}"]


# --- lines ----------------------------------------------------------------------------------------


def news(before: View, after: View) -> list[str]:
    """Return what of note has changed, each as a line for a console without a screen."""
    found: list[str] = []
    found += [f"{one[0]}: {one[1]}" for one in after.links if one not in before.links]
    found += [f"! {one}" for one in after.remarks if one not in before.remarks]
    if after.cards and after.cards != before.cards:
        found.append(f"no driver here for network card {', '.join(after.cards)}")
    if after.state == CONNECTED != before.state:
        found.append(f"connected to {after.server} as {after.name}, {after.slots} slots")
    elif after.state == LOST != before.state:
        found.append(f"{after.server} is lost")
    trouble = lasting(brief(after.trouble))
    if trouble and trouble != lasting(brief(before.trouble)):
        found.append(trouble)
    if after.number and after.number != before.number:
        found.append(
            f"the number {after.number[:3]} {after.number[3:]}: compare it at {after.page}"
        )
    if not (after.told or before.trouble) and after.trouble and after.state == LOOKING:
        found += TELL
    return [plain(one)[: limits_appliance.REMARK_CHARS * 2] for one in found]
