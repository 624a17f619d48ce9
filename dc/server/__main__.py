"""`python -m dc.server`: the server from the command line."""

from __future__ import annotations

import argparse
import errno
import ipaddress
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

from dc import __version__, limits, logs, memory, program
from dc.blobs import BlobFolder
from dc.errors import StartError
from dc.plugin_origins import find_origins
from dc.plugins import Plugins
from dc.server import folder
from dc.server.app import ServerApp, Settings
from dc.server.backup import remove_copies
from dc.server.guard import Allowed
from dc.server.keep import Keep
from dc.server.limit_arguments import add_limit_options, allowed_of
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

    host: str
    port: int
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
        host, port = split_address(values.listen)
    except StartError as error:
        parser.error(str(error))
    return Arguments(
        host=host,
        port=port,
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
    )


def _add_usual_options(parser: argparse.ArgumentParser) -> None:
    default = f"{limits.DEFAULT_HOST}:{limits.DEFAULT_PORT}"
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=default,
        help=f"where to listen (default {default}); port 0 takes a free one",
    )
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
    parser.add_argument("--verbose", action="store_true", help="log more")
    logs.add_format_option(parser)
    parser.add_argument("--version", action="version", version=f"dc {__version__}")


def _add_folder_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--keep-days",
        metavar="N",
        type=_days,
        default=limits.KEEP_DAYS,
        help="days after which a finished job is removed (default %(default)g; 0: never)",
    )
    add(
        "--keep-jobs",
        metavar="N",
        type=_count,
        default=limits.KEEP_JOBS,
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


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `:PORT`, `HOST` or `[HOST]:PORT`; StartError else."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text, str(limits.DEFAULT_PORT)
    host = host.strip("[]") or limits.DEFAULT_HOST
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise StartError(f"--listen {text}: {port!r} is no port; give HOST:PORT, as 127.0.0.1:8220")
    return host, int(port)


def check_loopback(host: str) -> None:
    """See to it that the server can be reached from this computer alone.

    Raises:
        StartError: the host is not one of this computer's loopback addresses.
    """
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise StartError(f"--listen {host}: no such host ({error.strerror or error})") from None
    for address in found:
        if not ipaddress.ip_address(str(address).partition("%")[0]).is_loopback:
            raise StartError(
                f"--listen {host}: dc has no tokens and no TLS yet, and whoever reaches its port "
                "can run code on every worker; so it listens on loopback addresses only. Use "
                "127.0.0.1, and for other computers a tunnel, as ssh -R 8220:127.0.0.1:8220 WORKER"
            )


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """Open the listening sockets.

    Raises:
        StartError: the address cannot be had.
    """
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE or "in use" in str(error):
            text = "another program listens there (another dc.server?); stop it, or choose another"
            raise StartError(f"--listen {host}:{port}: {text} port, 0 for a free one") from None
        raise StartError(f"--listen {host}:{port}: {error.strerror or error}") from None


async def serve(arguments: Arguments) -> None:
    """Run the server until SIGINT or SIGTERM."""
    check_loopback(arguments.host)
    find_origins(arguments.plugins, entry_points=False)  # are there such folders?
    listeners = await listen(arguments.host, arguments.port)
    try:
        if arguments.accept_loss:
            log.warning("--accept-loss: what is missing from %s is not asked for", arguments.data)
        store = await open_store(arguments.data, accept_loss=arguments.accept_loss)
        try:
            await _serve(arguments, listeners, store)
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose()
    finally:
        for listener in listeners:
            listener.socket.close()


async def _serve(
    arguments: Arguments,
    listeners: list[trio.SocketListener],
    store: Store,
) -> None:
    blobs = BlobFolder(arguments.data / "blobs")
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{host}:{listeners[0].socket.getsockname()[1]}"
    data = arguments.data.absolute()
    remove_copies(data)
    settings = Settings(
        *(f"dc {__version__}", address, data, time.time(), arguments.keep),
        *(arguments.quotas, arguments.reserve, arguments.options),
        allowed=replace(arguments.allowed, places=raise_limit()),
    )
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
        serve_one = partial(_serve_one, site, Buffer())
        nursery.start_soon(trio.serve_listeners, serve_one, listeners)
        print(address, flush=True)
        log.info("listening at %s, data in %s", address, data)
        log.info("%d task types from plugins", len(types.names()))
        await app.wait_stopped()
        nursery.cancel_scope.cancel()
    log.info("stopped")


async def _serve_one(site: Site, buffer: Buffer, accepted: trio.SocketStream) -> None:
    """Serve a connection; whatever becomes of it, the server goes on."""
    stream = TcpStream.of(accepted, buffer)
    try:
        peer = stream.socket.getpeername()
        await site.serve_stream(stream, f"{peer[0]}:{peer[1]}")
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
    sys.exit(main())
