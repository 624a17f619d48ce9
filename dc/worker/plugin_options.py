"""What the command line of a worker says of plugins: its own, and those of the server."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from dc import limits_plugins as limits
from dc import signing
from dc.errors import SignatureError
from dc.http_client import HttpClient
from dc.worker.events import Event
from dc.worker.installing import find_tool
from dc.worker.plugin_fetch import PluginFetcher
from dc.worker.plugin_folder import PluginFolder
from dc.worker.sites import Sites

MakeFetcher: TypeAlias = Callable[[Callable[[Event], None]], PluginFetcher]


class PluginOptions(Struct, frozen=True):
    """What was asked for.

    Attributes:
        trusts: public keys, one of which has to have signed a plugin; none for anybody.
        takes: whether plugins of the server are taken at all.
        installs: whether what they depend on is installed.
    """

    trusts: list[bytes] = []
    takes: bool = True
    installs: bool = True

    def fetcher(
        self, http: HttpClient, code: PluginFolder, scratch: Path, *, built: bool = False
    ) -> MakeFetcher | None:
        """Return what makes the part that brings plugins here; None if none are taken.

        Args:
            http: a client of the server, for this alone.
            code: where plugins go.
            scratch: a folder of this process.
            built: whether only what is built already is installed, see `find_tool`.
        """
        if not self.takes:
            return None
        find = partial(find_tool, built=built)
        sites = Sites(code, installs=self.installs, find=find)
        return partial(PluginFetcher, http, code, sites, scratch, self.trusts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add(
        "--plugins",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a folder of plugins of its own, beside the installed ones; may be given again",
    )
    add(
        "--trust",
        metavar="KEY",
        action="append",
        default=[],
        help="run plugins of the server only if this public key, dc-key-… or a file of one, has "
        "signed them; may be given again",
    )
    add("--no-plugins", action="store_true", help="run plugins of its own, and none of the server")
    add(
        "--no-installs",
        action="store_true",
        help="install nothing that plugins of the server depend on (by uv, or else by pip)",
    )


def read(values: argparse.Namespace) -> PluginOptions:
    """Return what was asked for.

    Raises:
        SignatureError: a key is none, or there are too many.
    """
    if len(values.trust) > limits.TRUSTED_KEYS:
        raise SignatureError(f"--trust: {limits.TRUSTED_KEYS} keys at most")
    trusts = [signing.public_from(said) for said in values.trust]
    return PluginOptions(trusts, not values.no_plugins, not values.no_installs)
