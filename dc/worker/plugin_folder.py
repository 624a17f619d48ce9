"""The folder in which a computer's workers have plugins of the server, and what these depend on.

    plugins/DIGEST/     an unpacked archive
    sites/KEY/          dependencies that were installed, for one set of them and one Python
    locks/KEY/          held while a site is being made

All workers of a user share it, so nothing is ever changed in it: a folder gets its name once it is
whole. What no worker has used for UNUSED_PLUGIN_SECONDS is removed.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import trio

from dc import limits_plugins as limits
from dc.plugin_unpack import TEMPORARY
from dc.removal import remove_folder

INSTALLING = "installing-"
"""What the names of sites begin with that are not whole yet, or were left by a process killed."""


class PluginFolder:
    """Where plugins and sites are.

    Args:
        path: the folder, which is made when it is needed.
        clock: gives the Unix time.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._used: dict[Path, float] = {}  # since when, in Unix time

    def plugin(self, digest: bytes) -> Path:
        """Return where an archive of this digest is unpacked, or is to be."""
        return self._path / "plugins" / digest.hex()

    def site(self, key: str) -> Path:
        """Return where a set of dependencies is installed, or is to be."""
        return self._path / "sites" / key

    def new_site(self) -> Path:
        """Make a folder beside the sites, for one that is being made.

        Raises:
            OSError: it cannot be made.
        """
        folder = self.site(f"{INSTALLING}{secrets.token_hex(8)}")
        folder.mkdir(parents=True)
        return folder

    def lock(self, key: str) -> Path:
        """Return the folder to be locked while a site is being made; it is there.

        Raises:
            OSError: it cannot be made.
        """
        folder = self._path / "locks" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def use(self, *folders: Path) -> None:
        """Note that these are in use; to be said again before UNUSED_PLUGIN_SECONDS are over."""
        self._used.update(dict.fromkeys(folders, self._clock()))
        self._touch(folders)

    def tidy(self) -> None:
        """Say what is in use, and remove what nobody has used for long. Blocks.

        To be called from time to time, much more often than UNUSED_PLUGIN_SECONDS.
        """
        now = self._clock()
        for path, since in tuple(self._used.items()):
            if now - since > limits.UNUSED_PLUGIN_SECONDS:
                del self._used[path]
        self._touch(tuple(self._used))
        for path in self._folders():
            half = path.name.startswith((TEMPORARY, INSTALLING))
            keep = 2 * limits.INSTALL_SECONDS if half else limits.UNUSED_PLUGIN_SECONDS
            with suppress(OSError):
                if path not in self._used and now - path.stat().st_mtime > keep:
                    _remove(path, half=half)

    async def keep_tidy(self) -> None:
        """Remove what nobody has used for long, now and from time to time; until cancelled."""
        while True:
            await trio.to_thread.run_sync(self.tidy)
            await trio.sleep(limits.PLUGIN_TIDY_SECONDS)

    def _folders(self) -> Iterator[Path]:
        for kind in ("plugins", "sites"):
            with suppress(OSError):
                yield from list((self._path / kind).iterdir())

    def _touch(self, folders: tuple[Path, ...]) -> None:
        now = self._clock()
        for folder in folders:
            with suppress(OSError):
                os.utime(folder, (now, now))


def _remove(folder: Path, *, half: bool) -> None:
    """Remove a folder; whatever ends this process meanwhile, none that is half there has its name.

    Raises:
        OSError: it cannot be renamed.
    """
    if not half:
        folder = folder.rename(folder.with_name(f"{INSTALLING}{secrets.token_hex(8)}"))
    remove_folder(folder)
