"""`python -m dc.server`: the server from the command line."""

from __future__ import annotations

from dc import interrupt

if __name__ == "__main__":
    interrupt.ends_at_once()

import argparse
import logging
import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path

import trio
from msgspec import Struct
from msgspec.structs import replace

from dc import __version__, limits, limits_store, logs, memory, program
from dc.blobs import BlobFolder
from dc.dial import Server
from dc.discovery import Facts, facts_of
from dc.errors import StartError
from dc.plugin_origins import find_origins
from dc.plugins import Plugins
from dc.server import folder, listening
from dc.server.announcing import announce
from dc.server.app import ServerApp, Settings
from dc.server.backup import remove_copies
from dc.server.boot_files import folders_of
from dc.server.certificate import ServerCertificate
from dc.server.door import Door
from dc.server.first_start import Reached, first_start
from dc.server.guard import Allowed
from dc.server.keep import Keep
from dc.server.limit_arguments import add_limit_options, allowed_of
from dc.server.listening import Entry, Listening
from dc.server.open_files import raise_limit
from dc.server.option_rows import NotingParser
from dc.server.quota_arguments import add_quota_options, quotas_of
from dc.server.quotas import NONE, Quotas
from dc.server.settings import Option
from dc.server.shelf import Shelf
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.sockets import Buffer, TcpStream
from dc.store import Store
from dc.store_sqlite import open_store

log = logging.getLogger("dc.server")

MOST_KEPT = 1_000_000_000
"""Days or jobs that can be asked for: more than there will be."""

EXAMPLE = f"""\
Then start workers, on this computer or others; they get the plugins from here:
  python -m dc.worker http://{limits.DEFAULT_HOST}:{limits.DEFAULT_PORT}
and open the printed address in a browser.
"""


class Arguments(Struct, frozen=True):
    """What was asked for on the command line."""

    listening: Listening
    data: Path
    plugins: list[Path]
    verbose: bool
    keep: Keep = Keep()
    check: bool = False
    restore: Path | None = None
    accept_loss: bool = False
    quotas: Quotas = NONE
    reserve: int | None = None
    options: list[Option] = []
    log_format: str = logs.TEXT
    allowed: Allowed = Allowed()
    os_image: Path | None = None


def parse(argv: list[str] | None = None) -> Arguments:
    """Return the arguments; exits with status 2 when they are wrong."""
    parser = NotingParser(
        prog="python -m dc.server",
        description="Keep tasks, hand them to workers, and show what happens.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_usual_options(parser)
    _add_folder_options(parser)
    add_quota_options(parser)
    add_limit_options(parser)
    values, options = parser.parse_noting(argv)
    try:
        asked = listening.read(values)
    except StartError as error:
        parser.error(str(error))
    return Arguments(
        listening=asked,
        data=values.data,
        plugins=values.plugins,
        verbose=values.verbose,
        keep=Keep(values.keep_days, values.keep_jobs),
        check=values.check,
        restore=values.restore,
        accept_loss=values.accept_loss,
        quotas=quotas_of(values),
        reserve=values.reserve,
        options=options,
        log_format=values.log_format,
        allowed=allowed_of(values),
        os_image=values.os_image,
    )


def _add_usual_options(parser: argparse.ArgumentParser) -> None:
    listening.add_options(parser)
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=Path("dc-data"),
        help="folder for jobs, tasks and results, made if it is not there (default %(default)s)",
    )
    parser.add_argument(
        "--plugins",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a folder of plugins, beside the installed ones; may be given again",
    )
    parser.add_argument(
        "--os-image",
        metavar="DIR",
        type=Path,
        help="a folder with the image that computers boot from, for who has an invite (default: "
        "os-image in the data folder, else os/out of dc's source, if they are there)",
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    logs.add_format_option(parser)
    parser.add_argument("--version", action="version", version=f"dc {__version__}")


def _add_folder_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--keep-days",
        metavar="N",
        type=_days,
        default=limits_store.KEEP_DAYS,
        help="days after which a finished job is removed (default %(default)g; 0: never)",
    )
    add(
        "--keep-jobs",
        metavar="N",
        type=_count,
        default=limits_store.KEEP_JOBS,
        help="finished jobs that are kept, the newest (default %(default)s; 0: all)",
    )
    add(
        "--check",
        action="store_true",
        help="read all of the data folder, say what is wrong with it, and end",
    )
    add(
        "--restore",
        metavar="FILE",
        type=Path,
        help="make the data folder, a new one, of a backup, and end",
    )
    add(
        "--accept-loss",
        action="store_true",
        help="start although what was acknowledged last is lost with the write-ahead log",
    )


def _days(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MOST_KEPT:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {MOST_KEPT:,}")
    return value


def _count(text: str) -> int:
    return int(_days(str(int(text))))


async def serve(arguments: Arguments) -> None:
    """Run the server until SIGINT or SIGTERM."""
    asked = arguments.listening
    only_here = await trio.to_thread.run_sync(listening.is_only_here, asked.host)
    entry = listening.entry_of(asked, loopback=only_here)
    find_origins(arguments.plugins, entry_points=False)  # are there such folders?
    folders_of(arguments.os_image, arguments.data)  # is there an image?
    listeners = await listening.listen(asked.host, asked.port)
    try:
        if arguments.accept_loss:
            log.warning("--accept-loss: what is missing from %s is not asked for", arguments.data)
        store = await open_store(arguments.data, accept_loss=arguments.accept_loss)
        try:
            await _serve(arguments, entry, listeners, store)
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose()
    finally:
        for listener in listeners:
            listener.socket.close()


async def _serve(
    arguments: Arguments, entry: Entry, listeners: list[trio.SocketListener], store: Store
) -> None:
    blobs = BlobFolder(arguments.data / "blobs")
    asked, data = arguments.listening, arguments.data.absolute()
    reached = listening.reached_at(asked, entry, listeners[0].socket.getsockname()[1])
    certificate = _certificate(asked, data) if entry.tls else None
    remove_copies(data)
    settings = _settings(arguments, entry, reached, certificate)
    types = PluginTypes(Plugins())
    shelf = Shelf(arguments.plugins, data, blobs, types)
    await shelf.open(store)
    app = ServerApp(store, blobs, types, settings)
    await app.recover()
    site = Site(app)
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        await nursery.start(_watch_signals, app)
        nursery.start_soon(shelf.watch, app.plugins_added, app.reactor.board.running)
        serve_one = partial(_serve_one, site, buffer := Buffer())
        if certificate is not None:
            nursery.start_soon(certificate.watch)
            serve_one = partial(_serve_one, site, buffer, door=Door(certificate, buffer))
            log.info("the pin of its key is %s", certificate.pin.hex())
        nursery.start_soon(trio.serve_listeners, serve_one, listeners)
        if asked.announce:
            nursery.start_soon(announce, asked.host, _facts(app, listeners))
        print(settings.address, flush=True)
        log.info("listening at %s, data in %s", settings.address, data)
        log.info("%d task types from plugins", len(types.names()))
        if entry.secure:
            await _first_start(app, asked.host, listeners[0].socket.getsockname()[1])
        await app.wait_stopped()
        nursery.cancel_scope.cancel()
    log.info("stopped")


def _settings(
    arguments: Arguments, entry: Entry, reached: Server, certificate: ServerCertificate | None
) -> Settings:
    """Return what the server is started with."""
    pin = certificate.pin if certificate is not None else b""
    public = certificate is not None and certificate.is_public(reached.host)
    return Settings(
        software=f"dc {__version__}",
        address=reached.url,
        data=arguments.data.absolute(),
        started=time.time(),
        keep=arguments.keep,
        quotas=arguments.quotas,
        reserve=arguments.reserve,
        options=arguments.options,
        secure=entry.secure,
        pin=b"" if public else pin,
        behind_proxy=entry.behind_proxy,
        shown_pin=pin,
        allowed=replace(arguments.allowed, places=raise_limit()),
        os_image=folders_of(arguments.os_image, arguments.data.absolute()),
    )


async def _first_start(app: ServerApp, host: str, port: int) -> None:
    """See to it that the operator can come in; print how, if this is the first start."""
    settings = app.settings
    public = not settings.pin
    reached = Reached(settings.address, host, port, settings.shown_pin, is_public=public)
    access = app.reactor.board.access
    terminal, now = sys.stdout.isatty(), time.time()
    for line in await first_start(app.ask, access, settings.data, reached, now, terminal=terminal):
        print(line, flush=True)


def _facts(app: ServerApp, listeners: list[trio.SocketListener]) -> Facts:
    """Return what the server says of itself to who looks for one."""
    port, pin = listeners[0].socket.getsockname()[1], app.settings.shown_pin
    identity = app.reactor.board.server
    return facts_of(identity, port, pin, __version__, socket.gethostname(), tls=bool(pin))


def _certificate(asked: Listening, data: Path) -> ServerCertificate:
    """Return the certificate that was given, or else the one that is made here."""
    if asked.certificate is not None:
        return ServerCertificate.given(asked.certificate, asked.key)
    names = listening.certificate_names(asked, socket.gethostname())
    return ServerCertificate.made(data, names, time.time())


async def _serve_one(
    site: Site, buffer: Buffer, accepted: trio.SocketStream, door: Door | None = None
) -> None:
    """Serve a connection; whatever becomes of it, the server goes on."""
    stream = TcpStream.of(accepted, buffer)
    try:
        peer = listening.shown_peer(stream.socket.getpeername())
        if door is None:
            await site.serve_stream(stream, peer)
        else:
            await site.serve_stream(stream, peer, door.open)
    except* OSError as errors:  # it is gone already, or there are too many open files
        log.warning("a connection was given up: %s", errors.exceptions[0])
        stream.socket.close()
    except* Exception as errors:  # a mistake in dc or in a plugin
        log.error("a connection was given up", exc_info=errors)
        stream.socket.close()


async def _watch_signals(
    app: ServerApp, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)
        log.info("stopping; once more to stop at once")
        app.stop()
        # A shell, a wrapper and a terminal may each pass on the same Ctrl-C.
        asked = trio.current_time()
        async for _ in signals:
            if trio.current_time() - asked > program.SAME_SIGNAL_SECONDS:
                log.warning("stopping at once; what was acknowledged is on disk")
                os._exit(1)


async def _look_after(arguments: Arguments, wrong: list[str]) -> None:
    """Restore or check the data folder; add what is wrong with it."""
    data = arguments.data
    if arguments.restore is not None:
        jobs = await folder.restore(arguments.restore, data)
        print(f"restored and checked: {jobs} jobs in {data}")
        return
    wrong += await folder.check(data, accept_loss=arguments.accept_loss)
    print("\n".join(wrong) or f"{data} is whole")


def main(argv: list[str] | None = None) -> int:
    """Run the server; return the exit status."""
    arguments = parse(argv)
    logs.log_to_stderr(verbose=arguments.verbose, form=arguments.log_format)
    memory.keep_little()
    if not (arguments.check or arguments.restore):
        return program.run("dc.server", partial(serve, arguments))
    wrong: list[str] = []
    status = program.run("dc.server", partial(_look_after, arguments, wrong))
    return status or bool(wrong)


if __name__ == "__main__":
    sys.exit(program.status_of(main))
