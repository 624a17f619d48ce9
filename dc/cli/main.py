"""The command line's entry: arguments in, exit status out."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from dc.cli import (
    approve,
    audit,
    backup,
    bench,
    carry,
    control,
    events,
    groups,
    invites,
    jobs,
    plugins_list,
    show,
    sign_in,
    task,
    tokens,
    top,
    why,
    worker,
)
from dc.cli.arguments import parser
from dc.cli.screen import Screen
from dc.cli.which_server import server_of
from dc.client.plain_client import Client
from dc.errors import DcError, NotSignedIn

Command: TypeAlias = Callable[[Namespace, Client, Screen], int]

COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "submit": jobs.submit,
        "results": jobs.results,
        "wait": jobs.wait,
        "cancel": control.cancel,
        "pause": control.pause,
        "resume": control.resume,
        "retry": control.retry,
        "set": control.change,
        "submitter": control.submitter,
        "jobs": show.jobs,
        "job": show.job,
        "tasks": show.tasks,
        "task": task.task,
        "output": task.output,
        "workers": show.workers,
        "worker": worker.worker,
        "types": show.types,
        "plugins": plugins_list.plugins,
        "status": show.status,
        "top": top.top,
        "put": carry.put,
        "get": carry.get,
        "backup": backup.backup,
        "bench": bench.bench,
        "why": why.why,
        "events": events.events,
        "settings": events.settings,
        "invite": invites.invite,
        "approve": approve.approve,
        "token": tokens.token,
        "group": groups.group,
        "audit": audit.audit,
        "sign-in-link": sign_in.link,
    }
)
UNABLE: Final = 2
INTERRUPTED: Final = 130  # as a shell says of a program that Ctrl-C ended


def main(argv: Sequence[str] | None = None, open_client: Callable[..., Client] = Client) -> int:
    """Do what the command line says.

    Args:
        argv: the arguments; those of this process if None.
        open_client: makes the client from a server's address and folders of plugins.

    Returns:
        The exit status.
    """
    try:
        args = parser().parse_args(argv)
    except SystemExit as stop:  # help was asked for, or the arguments are wrong: it is said
        return stop.code if isinstance(stop.code, int) else UNABLE
    screen = Screen(getattr(args, "output", None))
    try:
        status = _run(args, screen, open_client)
        screen.close()
    except BrokenPipeError:  # whoever read the answer has had enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _unable(screen, f"{error.filename or 'the answer'}: {error.strerror or error}")
    return status


def _run(args: Namespace, screen: Screen, open_client: Callable[..., Client]) -> int:
    local: Callable[[Namespace, Screen], int] | None = getattr(args, "local", None)
    try:
        if local is not None:  # it works on files, and asks no server
            return local(args, screen)
        with open_client(server_of(args), plugins=_plugins(args)) as client:
            return COMMANDS[args.command](args, client, screen)
    except jobs.Interrupted as error:
        screen.note(str(error))
        return INTERRUPTED
    except KeyboardInterrupt:
        screen.note("interrupted" + _left(args))
        return INTERRUPTED
    except NotSignedIn as error:
        return _unable(screen, str(error) if local else f"{error}: python -m dc sign-in")
    except DcError as error:
        return _unable(screen, str(error))


def _left(args: Namespace) -> str:
    """What becomes of a job whose submission is interrupted."""
    if args.command == "bench":
        return "; its job is cancelled"
    if args.command != "submit":
        return ""
    if args.key:
        return "; what was submitted of the job stays, and the same command goes on with it"
    return "; what was submitted of the job is cancelled"


def _plugins(args: Namespace) -> Any:
    return getattr(args, "plugins", ())


def _unable(screen: Screen, text: str) -> int:
    screen.note("dc: " + " ".join(text.split()))
    return UNABLE
