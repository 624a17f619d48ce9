"""Sites: folders of installed dependencies, one for each set of them and each Python.

A site is made once, however many plugins, tasks and workers of this computer need it: who makes it
holds a lock, the others wait. It is made in a folder beside, and gets its name when all of it is on
disk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import trio

from dc import limits, limits_plugins
from dc.errors import PluginError
from dc.folder_lock import FolderInUse, FolderLock
from dc.plugin_unpack import sync_folder
from dc.removal import remove_folder
from dc.worker import seldom
from dc.worker.installing import InstallError, Tool, find_tool, install
from dc.worker.plugin_folder import PluginFolder

log: Final = logging.getLogger("dc.worker")

NOTE: Final = "dc-site.json"
"""The file in a site that says what was asked for."""


class Sites:
    """The sites of a computer.

    Args:
        folder: where they are.
        installs: whether new ones may be made.
        find: finds what installs.
    """

    def __init__(
        self,
        folder: PluginFolder,
        *,
        installs: bool,
        find: Callable[[], Tool | None] = find_tool,
    ) -> None:
        self._folder = folder
        self._installs = installs
        self._find = find

    async def site(self, dependencies: Sequence[str]) -> Path | None:
        """Return the folder in which these are installed; make it if need be.

        Returns:
            None if none of them is of any matter to this Python and this system.

        Raises:
            PluginError: they cannot be installed; the text says why, and what to do.
        """
        if not dependencies:
            return None
        wanted = await trio.to_thread.run_sync(_wanted, dependencies)
        if not wanted:
            return None
        key = _key(wanted)
        site = self._folder.site(key)
        if not (site / NOTE).is_file():
            try:
                async with self._locked(key):
                    if not (site / NOTE).is_file():
                        await self._make(wanted, site)
            except OSError as error:
                raise PluginError(f"nothing can be installed to {site}: {error.strerror}") from None
        return site

    @asynccontextmanager
    async def _locked(self, key: str) -> AsyncIterator[None]:
        """Wait until nobody else on this computer makes the site."""
        folder = self._folder.lock(key)
        while True:
            try:
                lock = FolderLock(folder)
                break
            except FolderInUse:
                await trio.sleep(limits_plugins.SITE_LOCK_SECONDS)
        try:
            yield
        finally:
            lock.release()

    async def _make(self, wanted: Sequence[str], site: Path) -> None:
        tool = self._tool(wanted)
        log.info("installing %s by %s", ", ".join(wanted), tool.name)
        beside = self._folder.new_site()
        try:
            began = trio.current_time()
            await install(tool, wanted, beside)
            (beside / NOTE).write_text(json.dumps({"dependencies": list(wanted)}))
            await trio.to_thread.run_sync(_settle, beside, site)
            log.info("installed after %.1f s", trio.current_time() - began)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(remove_folder, beside)

    def _tool(self, wanted: Sequence[str]) -> Tool:
        """Return what installs.

        Raises:
            InstallError: nothing may be, or there is nothing to do it with.
        """
        what = f"it needs {', '.join(wanted)[: limits.TEXT_CHARS]} to be installed"
        if not self._installs:
            raise InstallError(
                f"{what}, and this worker installs nothing (--no-installs): start it without that, "
                "or give it the plugin by --plugins, with all that it needs beside it"
            )
        tool = self._find()
        if tool is None:
            raise InstallError(
                f"{what}, and there is neither uv nor pip for {sys.executable}: install uv, or run "
                f"`{sys.executable} -m ensurepip`"
            )
        if tool.built and (odd := seldom.plugin_needs.by_address(wanted)):
            # Of what is named by an address both tools would build a package, whatever they are
            # told: its code would run with the rights of this process.
            raise InstallError(
                f"it needs {odd[: limits.TEXT_CHARS]}, which is named by an address, and this "
                "worker takes only what an index of packages has as a wheel (it runs tasks as "
                "another user): name it by its version, or give this worker the plugin by --plugins"
            )
        return tool


def _wanted(dependencies: Sequence[str]) -> list[str]:
    """Return what is to be installed here. Blocks: its module may be still to be imported."""
    with importing():
        return seldom.plugin_needs.to_install(dependencies)


@contextmanager
def importing() -> Iterator[None]:
    """Tell what may be still to be imported in this block, and cannot be, as a PluginError."""
    try:
        yield
    except ImportError as error:
        raise PluginError(
            f"a part of this worker cannot be imported ({error}): its files were changed, start "
            "the worker anew"
        ) from error


def _key(wanted: Sequence[str]) -> str:
    """Return the name of a site: of the dependencies, for this Python on this system."""
    mine = [sys.implementation.cache_tag, sysconfig.get_platform(), getattr(sys, "abiflags", "")]
    return hashlib.sha256(json.dumps([*mine, *wanted]).encode()).hexdigest()[:32]


def _sync_file(path: Path) -> None:
    """See that what is in a file is on disk, also if it may only be read."""
    if sys.platform == "win32":
        return  # Windows syncs no file that is open to be read
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _settle(beside: Path, site: Path) -> None:
    """See that all of a new site is on disk, and give it its name. Blocks."""
    for path in beside.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        elif path.is_file() and not path.is_symlink():
            _sync_file(path)
    sync_folder(beside)
    if site.exists():  # without its note: somebody has removed some of it
        remove_folder(site)
    beside.rename(site)
    sync_folder(site.parent)
