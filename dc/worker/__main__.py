"""`python -m dc.worker`: a worker from the command line."""

from __future__ import annotations

from dc import interrupt

if __name__ == "__main__":
    interrupt.ends_at_once()

import argparse
import math
import os
import random
import sys
import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import trio
from msgspec import Struct
from msgspec.structs import replace

from dc import __version__, limits, limits_executor, logs, program
from dc.cache import CacheFolder
from dc.errors import OptionsError, SignatureError, StartError
from dc.http_client import HttpClient
from dc.launcher import Launcher, Recycling
from dc.messages_worker import Appliance
from dc.prepared import Prepared
from dc.requirements import CPUS
from dc.task_user import TaskUser, find_user
from dc.worker import (
    appliance,
    cache_place,
    computer,
    ending,
    install_options,
    join_options,
    lifetime_options,
    neighbour_options,
    plugin_options,
    resource_options,
    seldom,
    task_place,
)
from dc.worker.app import WorkerApp
from dc.worker.attendant import Attendant
from dc.worker.cache_place import CachePlace
from dc.worker.entry import Applying, Entry, enter
from dc.worker.equipment import Equipment
from dc.worker.executor_variables import SERVER_VARIABLE
from dc.worker.folder import WorkerFolder, open_folder
from dc.worker.guard import Guard
from dc.worker.identity import Identity
from dc.worker.join_options import JoinOptions
from dc.worker.keeping import Keeping
from dc.worker.minding import Minder
from dc.worker.neighbour import Neighbour
from dc.worker.neighbour_options import NeighbourOptions
from dc.worker.plugin_folder import PluginFolder
from dc.worker.plugin_options import PluginOptions
from dc.worker.relay import Relay
from dc.worker.spares import Spares
from dc.worker.vitals import Meter

MOST_SLOTS = 10_000

EPILOG = f"""\
{join_options.EPILOG}
Any number of workers may run on one computer. A worker needs no plugins: it gets those of the
server, with what they depend on, as their tasks come. Of a task type that it has itself, in plugins
that are installed beside it or in folders given by --plugins, it runs its own.

Ctrl-C ends it: tasks that it has not finished go to other workers, after the time that --finish
gives them. Ctrl-C again ends it at once. Results that the server has not recorded wait in the
worker's folder, and are reported when the worker is started again.

From the server's side a worker is looked after by `python -m dc worker`: drain, pause, stop,
restart, delete, and how many slots it uses.
"""


class Arguments(Struct, frozen=True):
    """What was asked for on the command line; `name` is None when it was not."""

    join: JoinOptions
    slots: int
    name: str | None
    plugins: list[Path]
    labels: dict[str, str]
    resources: dict[str, float]
    data: Path | None
    scratch: Path | None
    verbose: bool
    show: bool
    recycling: Recycling
    spares: int
    use_cgroups: bool
    cache: CachePlace = CachePlace()
    new_key: bool = False
    finish: float = 0.0
    until: float = math.inf
    idle_exit: float = math.inf
    taken: PluginOptions = PluginOptions()
    log_format: str = logs.TEXT
    near: NeighbourOptions = NeighbourOptions()
    task_user: TaskUser | None = None


class Ended(Struct):
    """How a worker has ended; `again` is whether its program is to start anew, `power` what its
    computer is to do, as in `End`."""

    again: bool = False
    power: str = ""


def parse(argv: list[str] | None = None) -> Arguments:
    """Return the arguments; exits with status 2 when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m dc.worker",
        description="Take tasks from a server and run them, one in each slot.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_arguments(parser)
    values = parser.parse_args(argv)
    try:
        join = join_options.read(values)
        labels = dict(map(_split_label, values.label))
        times = lifetime_options.read(values, time.time())
        near = neighbour_options.read(values, Equipment().processors(), Equipment().memory())
        resources = near.resources(resource_options.read(values))
        taken = plugin_options.read(values)
        cache = cache_place.place_of(values)
        user = None if values.task_user is None else find_user(values.task_user)
        _check(values, labels)
    except (StartError, OptionsError, SignatureError) as error:
        parser.error(str(error))
    return Arguments(
        join,
        near.slots(values.slots),
        values.name,
        [folder.absolute() for folder in values.plugins],
        labels,
        resources,
        values.data,
        values.scratch,
        values.verbose,
        values.show,
        Recycling(values.recycle_tasks, values.recycle_seconds, values.recycle_memory),
        values.spares,
        not values.no_cgroups,
        cache,
        values.new_key,
        **times,
        taken=taken,
        log_format=values.log_format,
        near=near,
        task_user=user,
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    join_options.add_arguments(parser)
    add(
        "--slots",
        metavar="N",
        type=int,
        default=max(1, math.floor(Equipment().processors())),
        help="tasks to run at one time (default: the processors it may use, here %(default)s)",
    )
    add("--name", metavar="NAME", help="of the worker (default: the computer's name, or NAME-2 …)")
    plugin_options.add_arguments(parser)
    add(
        "--label",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="something that jobs may require of a worker; may be given again",
    )
    resource_options.add_arguments(parser)
    add(
        "--data",
        metavar="DIR",
        type=Path,
        help="the worker's own folder (default: worker-1, worker-2 … of this user, the first free)",
    )
    add(
        "--scratch",
        metavar="DIR",
        type=Path,
        help="where results wait, and tasks have their files (default: in the worker's folder)",
    )
    add("--new-key", action="store_true", help="join the server anew, as another worker")
    lifetime_options.add_arguments(parser)
    _add_executors(parser)
    neighbour_options.add_arguments(parser)
    install_options.add_arguments(parser)
    appliance.add_arguments(parser)
    add("--show", action="store_true", help="print what jobs can require of this worker, and leave")
    add("--verbose", action="store_true", help="log more")
    logs.add_format_option(parser)
    add("--version", action="version", version=f"dc {__version__}")


def _add_executors(parser: argparse.ArgumentParser) -> None:
    cache_place.add_arguments(parser)
    add = parser.add_argument
    add(
        "--recycle-tasks",
        metavar="N",
        type=int,
        default=limits_executor.RECYCLE_TASKS,
        help="replace an executor process after so many tasks, 0 for never (default: %(default)s)",
    )
    add(
        "--recycle-seconds",
        metavar="S",
        type=float,
        default=limits_executor.RECYCLE_SECONDS,
        help="replace one that is so old, 0 for never (default: %(default)g)",
    )
    add(
        "--recycle-memory",
        metavar="BYTES",
        type=int,
        default=limits_executor.RECYCLE_BYTES,
        help="replace one that has grown by so many bytes, 0 for never (default: %(default)s)",
    )
    add(
        "--spares",
        metavar="N",
        type=int,
        default=1,
        help="executor processes that are started ahead, to replace others (default: %(default)s)",
    )
    add(
        "--task-user",
        metavar="USER",
        help="run tasks as this user, who cannot read the worker's key and journals (root only)",
    )
    add("--no-cgroups", action="store_true", help="make no control groups (Linux), if any can be")


def _split_label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals) or max(len(name), len(value)) > limits.TEXT_CHARS:
        raise StartError(f"--label {text}: give KEY=VALUE, as --label room=12")
    return name, value


def _check(values: argparse.Namespace, labels: dict[str, str]) -> None:
    """Check what argparse cannot.

    Raises:
        StartError: something is out of its range, or not there.
    """
    if not 1 <= values.slots <= MOST_SLOTS:
        raise StartError(f"--slots {values.slots}: give a number from 1 to {MOST_SLOTS}")
    if values.name is not None and not 1 <= len(values.name) <= limits.TEXT_CHARS:
        raise StartError(f"--name: give 1 to {limits.TEXT_CHARS} characters")
    if len(labels) > limits.LABELS // 2:
        raise StartError(f"--label: {limits.LABELS // 2} labels at most")
    if not 0 <= values.spares <= MOST_SLOTS:
        raise StartError(f"--spares {values.spares}: give a number from 0 to {MOST_SLOTS}")
    for name in ("recycle_tasks", "recycle_seconds", "recycle_memory"):
        if not 0 <= getattr(values, name) < 2**62:
            option = "--" + name.replace("_", "-")
            raise StartError(f"{option} {getattr(values, name)}: give 0 or a positive number")
    for folder in values.plugins:
        if not folder.is_dir():
            raise StartError(f"--plugins {folder}: there is no such folder")


def _identity(
    arguments: Arguments, key: str, run: str, appliance: Appliance | None = None
) -> Identity:
    equipment = Equipment()
    return Identity(
        arguments.name or computer.hostname(),
        is_default=arguments.name is None,
        key=key,
        run=run,
        slots=arguments.slots,
        software=f"dc {__version__}",
        labels={**computer.labels(), **equipment.labels()},
        own_labels=arguments.labels,
        resources=equipment.resources(),
        own_resources=arguments.resources,
        cards=equipment.cards(),
        takes_plugins=arguments.taken.takes,
        trusts=arguments.taken.trusts,
        installs=arguments.taken.installs,
        appliance=appliance,
    )


def _launcher(
    arguments: Arguments, folder: WorkerFolder, cache: CacheFolder, prepared: Prepared | None
) -> AbstractContextManager[Launcher]:
    user, adopting = arguments.task_user, None
    if user is not None:
        places = folder.code, cache.folder
        adopting = task_place.share(user, folder.path, folder.scratch, places, arguments.plugins)
    return Launcher.of_a_worker(
        arguments.plugins,
        folder.scratch,
        arguments.recycling,
        use_cgroups=arguments.use_cgroups,
        arguments=arguments.near.arguments,
        user=user,
        adopting=adopting,
        prepared=prepared,
    )


def _minder(near: NeighbourOptions, folder: Path) -> Minder | None:
    if not near.policy.is_any:
        return None
    return Minder(Neighbour(near.policy), seldom.senses.computer_senses(folder))


async def work(arguments: Arguments, ended: Ended, attendant: Attendant | None = None) -> None:
    """Run the worker until SIGINT or SIGTERM, or until it is told to end.

    Args:
        arguments: what was asked for.
        ended: how it ends.
        attendant: what is around it.

    Raises:
        StartError: the server will not have it, or there is no place for its files.
    """
    if arguments.task_user is not None:
        task_place.import_nothing_from_here()
    where = arguments.data, arguments.scratch
    with open_folder(*where, new_key=arguments.new_key) as folder:
        attendant = attendant or Attendant()
        identity = _identity(arguments, folder.key, folder.run, attendant.appliance)
        join = arguments.join
        about = {**identity.labels, CPUS: f"{identity.resources[CPUS]:g}"}
        applying = Applying(join.where, identity.name, about, join.trusts_network)
        entry = await enter(applying, folder.path, attendant)
        await _work(arguments, ended, identity, folder, entry, attendant)


async def _work(
    arguments: Arguments,
    ended: Ended,
    identity: Identity,
    folder: WorkerFolder,
    entry: Entry,
    attendant: Attendant,
) -> None:
    """Run the worker for the server that it has got into."""
    server, user = entry.server, arguments.task_user
    access: list[tuple[str, str]] = []
    relay = Relay(entry.open, server.authority, access)
    apart, give = (None, str) if user is None else (folder.scratch / task_place.FORMER, user.give)
    cache = cache_place.open_cache(arguments.cache, folder.path, apart)
    with (
        _launcher(arguments, folder, cache, attendant.prepared) as launcher,
        relay.listening(folder.scratch, needed=server.tls, give=give) as relayed,
    ):
        os.environ[SERVER_VARIABLE] = relayed or server.url  # for executors
        code, http = PluginFolder(folder.code), HttpClient(entry.open, server.authority, access)
        spares = Spares(launcher.start, arguments.spares)
        app = WorkerApp(
            identity,
            open_stream=entry.open,
            start_executor=spares.take,
            scratch=folder.scratch,
            host=server.authority,
            access=access,
            prover=entry.prove,
            jitter=random.random,
            keeping=Keeping(folder.path),
            cache=cache,
            guard=Guard(folder.scratch, most=arguments.near.memory),
            meter=Meter(folder.scratch),
            clock=computer.waking_clock,
            idle_exit=arguments.idle_exit,
            until=arguments.until,
            minder=_minder(arguments.near, folder.scratch),
            give_back=arguments.near.give_back,
            make_fetcher=arguments.taken.fetcher(http, code, folder.scratch, built=bool(user)),
        )
        with entry.doubted():
            beside = relay.run, spares.keep, code.keep_tidy, partial(attendant.beside, app, server)
            await ending.run(app, arguments.finish, beside)
        ended.again, ended.power = app.again, app.power


async def print_about(arguments: Arguments) -> None:
    """Print what a server would be told of this worker. It connects to none.

    Raises:
        StartError: no executor can be started.
    """
    identity = _identity(arguments, "", "")
    senses = seldom.senses.computer_senses(Path())
    about = await seldom.show.about(identity, arguments.plugins, arguments.task_user)
    sys.stdout.write(about + seldom.show.senses(await trio.to_thread.run_sync(senses.lines)))


def main(argv: list[str] | None = None, prepared: Prepared | None = None) -> int:
    """Run the worker; return the exit status.

    Args:
        argv: the command line; that of this process if None.
        prepared: a process that waits to be the first executor of a booted computer.
    """
    words = sys.argv[1:] if argv is None else argv
    if install_options.is_asked(words):
        return seldom.install.main(words, parse)
    if appliance.is_asked(words):
        return appliance.main(words, _as_appliance, prepared)
    if argv is None:
        join_options.hide_code(sys.orig_argv[1:])
    arguments = parse(argv)
    logs.log_to_stderr(verbose=arguments.verbose, form=arguments.log_format)
    if arguments.show:
        return program.run("dc.worker", partial(print_about, arguments))
    ended = Ended()
    status = program.run("dc.worker", partial(work, arguments, ended))
    if ended.again and status == 0:
        words = ending.again(sys.orig_argv[1:], arguments.until)
        program.start_anew(words if arguments.task_user is None else task_place.anew(words))
    return status


async def _as_appliance(words: list[str], join: JoinOptions, attendant: Attendant) -> Ended:
    """Run the worker of a computer that was booted from the image; return how it has ended."""
    ended = Ended()
    await work(replace(parse(words), join=join), ended, attendant)
    return ended


if __name__ == "__main__":
    sys.exit(program.status_of(main))
