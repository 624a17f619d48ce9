"""What `python -m dc worker` takes, and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Command: TypeAlias = Callable[[Any, str, str, str], argparse.ArgumentParser]

STATES: Final = ("connected", "away", "sick", "trial", "paused", "draining", "resting", "gone")

ACTIONS: Final = (
    ("drain", "Have workers finish what they run, and take no more.", "drain 'lab-*' --leave"),
    ("pause", "Have workers take no more; what runs goes on.", "pause lab-7"),
    ("resume", "Have workers take tasks again.", "resume --state paused"),
    ("stop", "End workers now; their tasks go to others.", "stop lab-7"),
    ("restart", "Start workers anew, once they are drained.", "restart --all"),
    ("power-off", "Switch off computers booted from the image, once drained.", "power-off 'lab-*'"),
    ("reboot", "Boot computers anew that were booted from the image.", "reboot lab-7 --now"),
    ("reread", "Have such computers read their configuration anew.", "reread 'lab-*'"),
    ("wake", "Call computers that are off, by Wake-on-LAN.", "wake lab-7"),
    ("delete", "Take workers from the list, and refuse their keys.", "delete lab-7"),
    ("set", "Change slots, note, labels or name of workers.", "set lab-7 --slots 2 --label room=3"),
    ("show", "Show a worker.", "show lab-7"),
)


NOW_OR_DRAINED: Final = ("restart", "power-off", "reboot", "reread")
"""Actions that wait until workers are drained, unless they are to be done now."""


def add_worker(commands: Any, command: Command) -> None:
    """Add the command.

    Args:
        commands: of the whole command line.
        command: adds a command to some, with what all take.
    """
    root = commands.add_parser(
        "worker",
        help="look after workers: drain, pause, stop, restart, power-off, wake, delete, set",
        description="Look after workers. What is decided of a worker holds until it is taken back, "
        "over restarts of it and of the server.",
        epilog="WORKER is a name, or a pattern such as 'lab-*'. Each action has its own --help.\n"
        "example:\n  python -m dc worker drain 'lab-*' --with room=3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = root.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text, example in ACTIONS:
        added = command(actions, name, text, f"python -m dc worker {example}")
        if name == "show":
            added.add_argument("names", metavar="WORKER", nargs="+", help="a worker's name")
        else:
            _add_filter(added)
            _add_own(added, name)


def _add_filter(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("names", metavar="WORKER", nargs="*", help="a name, or a pattern such as 'lab-*'")
    add(
        "--with",
        dest="having",
        type=pair,
        action="append",
        metavar="LABEL=VALUE",
        default=[],
        help="only those with this label; may be repeated",
    )
    add(
        "--state",
        action="append",
        choices=STATES,
        metavar="STATE",
        default=[],
        help=f"only those in this state ({', '.join(STATES)}); may be repeated",
    )
    add("--all", action="store_true", help="all of them")


def _add_own(command: argparse.ArgumentParser, action: str) -> None:
    add = command.add_argument
    if action == "drain":
        add("--leave", action="store_true", help="then have their programs end")
    elif action in NOW_OR_DRAINED:
        add("--now", action="store_true", help="at once; what they run goes to others")
    elif action == "set":
        add("--name", metavar="NAME", help="what one worker is called here; '' for its own name")
        add("--slots", type=_slots, metavar="N", help="tasks at one time; `own` for their own")
        add("--note", metavar="TEXT", help="something for people to know; '' for nothing")
        add(
            "--label",
            type=pair,
            action="append",
            metavar="LABEL=VALUE",
            default=[],
            help="a label beside their own, or over one of them; may be repeated",
        )
        add(
            "--unlabel",
            action="append",
            metavar="LABEL",
            default=[],
            help="take a label back that was set here; may be repeated",
        )


def pair(text: str) -> tuple[str, str]:
    """Return what is on both sides of the first equals sign."""
    label, equals, value = text.partition("=")
    if not (label and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=VALUE")
    return label, value


def _slots(text: str) -> int:
    if text == "own":
        return 0
    value = int(text) if text.isdecimal() and len(text) < 9 else 0
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of slots, nor `own`")
    return value
