"""Brings plugins of the server here: trusted, fetched, verified, unpacked, provided for.

None of a plugin's code runs here. Whether a worker trusts it is looked at before it is fetched, for
what is signed is the digest, and what is unpacked has that digest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from dc import limits_plugins, limits_worker, signing
from dc.errors import BlobMismatch, DcError, HttpError, PluginError
from dc.http_blobs import BlobTransport
from dc.http_client import HttpClient
from dc.log_fields import about
from dc.messages_parts import Blob, Plugin
from dc.plugin_manifest import SUFFIX, Manifest
from dc.plugin_unpack import unpack
from dc.plugin_unpacked import carries, manifest_of
from dc.worker import seldom
from dc.worker.carrying import text_of
from dc.worker.code import Code
from dc.worker.events import Event, FetchPlugin, PluginFailed, PluginReady
from dc.worker.installing import InstallError
from dc.worker.plugin_folder import PluginFolder
from dc.worker.sites import Sites, importing

log: Final = logging.getLogger("dc.worker")


class PluginFetcher:
    """Brings plugins of one server here.

    Args:
        http: the way to the server, of its own: large payloads do not hold it up.
        folder: where plugins are.
        sites: what installs dependencies.
        scratch: a folder of this process, for archives on their way.
        trusts: public keys of 32 bytes; without any, everybody is trusted.
        tell: takes the end of each, an event.
    """

    def __init__(
        self,
        http: HttpClient,
        folder: PluginFolder,
        sites: Sites,
        scratch: Path,
        trusts: Sequence[bytes],
        tell: Callable[[Event], None],
    ) -> None:
        self._http = http
        self._transport = BlobTransport(http)
        self._folder = folder
        self._sites = sites
        self._scratch = scratch
        self._trusts = trusts
        self._tell = tell
        self._under_way = 0
        self._at_once = trio.Semaphore(limits_plugins.PLUGINS_AT_ONCE)

    async def fetch(self, action: FetchPlugin) -> None:
        """Bring one plugin here, and tell how that ended."""
        plugin = action.plugin
        self._under_way += 1
        try:
            async with self._at_once:
                code = await self._bring(plugin)
        except InstallError as error:
            self._tell(PluginFailed(plugin, str(error), final=True, detail=error.detail))
        except PluginError as error:
            self._tell(PluginFailed(plugin, str(error), final=True))
        except BlobMismatch:
            text = "what came is not what the server has named: it was changed on the way, or there"
            self._tell(PluginFailed(plugin, text, refused=True))
        except (OSError, DcError, trio.TooSlowError) as error:
            text = f"it could not be fetched: {text_of(error)}"
            self._tell(PluginFailed(plugin, text, refused=_is_refused(error)))
        else:
            self._tell(PluginReady(plugin, code))
        finally:
            self._under_way -= 1
            if not self._under_way:  # the next plugin may be long in coming
                await self._http.aclose()

    async def _bring(self, plugin: Plugin) -> Code:
        """Bring one plugin here.

        Raises:
            PluginError: it will not do, whoever sends it.
            BlobMismatch: what came is something else.
            OSError, DcError: it did not come.
        """
        self._check_trust(plugin)
        to = self._folder.plugin(plugin.digest)
        manifest = await trio.to_thread.run_sync(_manifest, to)
        if manifest is None:
            manifest = await self._fetch(plugin, to)
        if manifest.python:
            await trio.to_thread.run_sync(_check_python, manifest.python)
        site = await self._sites.site(manifest.dependencies)
        self._folder.use(to, *([] if site is None else [site]))
        return Code(str(to), str(site or ""), carries(to))

    def _check_trust(self, plugin: Plugin) -> None:
        if not self._trusts:
            return
        if not plugin.signer:
            raise PluginError("nobody has signed it, and this worker was started with --trust")
        signer = signing.public_text(plugin.signer)
        if plugin.signer not in self._trusts:
            raise PluginError(f"{signer} has signed it, and this worker does not --trust that key")
        if not signing.verify(plugin.signer, plugin.digest, plugin.signature):
            raise PluginError(f"its signature by {signer} is wrong: sign it again")

    async def _fetch(self, plugin: Plugin, to: Path) -> Manifest:
        if plugin.size > limits_plugins.ARCHIVE_BYTES:
            text = (
                f"its archive has {plugin.size} bytes; {limits_plugins.ARCHIVE_BYTES} are the most"
            )
            raise PluginError(text)
        name = plugin.digest.hex()
        archive = self._scratch / f"{name}{SUFFIX}"
        blob = Blob(plugin.digest, plugin.size)
        try:
            with trio.fail_after(_seconds(plugin.size)):
                await self._transport.download(f"/plugins/{name}", blob, archive)
        except OSError:  # of a full disk, most often
            archive.with_name(f"{archive.name}.part").unlink(missing_ok=True)
            raise
        try:
            manifest = await trio.to_thread.run_sync(unpack, archive, to)
        finally:
            with suppress(OSError):
                archive.unlink()
        where = about(plugin=manifest.name, blob=name)
        log.info("plugin %s %s is here", manifest.name, name[:12], extra=where)
        return manifest


def _manifest(folder: Path) -> Manifest | None:
    """Return the manifest of what is unpacked already; None if it is to be fetched."""
    with suppress(OSError, PluginError):
        return manifest_of(folder)
    return None


def _check_python(wanted: str) -> None:
    """See that a plugin is for this Python. Blocks: its module may be still to be imported."""
    with importing():
        seldom.plugin_needs.check_python(wanted)


def _seconds(size: int) -> float:
    return limits_worker.TRANSFER_SECONDS + size / limits_worker.TRANSFER_BYTES_PER_SECOND


def _is_refused(error: BaseException) -> bool:
    """Whether trying again hardly helps: the server will not, or the disk here will not."""
    if isinstance(error, HttpError):
        return 400 <= error.status < 500
    return isinstance(error, OSError)
