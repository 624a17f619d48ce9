"""`/boot/…`: what a computer boots from to become a worker, for who has an invite.

The secret of the invite is a part of the path, as a boot loader can show it nowhere else. Reading
uses up nothing. An invite that is used up still gives all of it, as the computers that joined by it
boot again; one that has ended or was taken back gives nothing.
"""

from __future__ import annotations

from typing import Final, cast

import trio

from dc import boot_words, invites
from dc.boot_words import Word
from dc.errors import InviteRefused, NotPossible, StartError
from dc.http import Request, Response
from dc.http_patched import Patched
from dc.server.access_invites import REFUSED, state_of
from dc.server.app import ServerApp
from dc.server.boot_files import INITRD, ISO, KERNEL, Arch, BootFiles
from dc.server.boot_script import SCRIPT, script
from dc.server.commands_access import Audit
from dc.server.doorkeeper import Doorkeeper
from dc.server.events import Asked
from dc.server.made_invites import code_of
from dc.server.own_addresses import OwnAddresses, own_addresses
from dc.server.problems import BadRequest, not_allowed
from dc.server.reaching import place_for

OCTETS: Final = "application/octet-stream"
NO_IMAGE: Final = (
    "this server has no image: make it by `make os-image` in the folder os of dc's source, and "
    "start the server with --os-image DIR"
)
FILES: Final = (SCRIPT, KERNEL, INITRD, ISO)
SAID: Final = ("slots", "name", "label")
"""Words that may stand in the query."""


class BootAnswers:
    """Answers requests for what a computer boots from.

    Args:
        app: the server.
        doorkeeper: who is let in.
        files: that there are.
        own: gives the addresses of this computer.
    """

    def __init__(
        self,
        app: ServerApp,
        doorkeeper: Doorkeeper,
        files: BootFiles,
        own: OwnAddresses = own_addresses,
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._files = files
        self._own = own

    async def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer a request.

        Args:
            request: it.
            parts: of its path, behind `/boot/`.

        Raises:
            InviteRefused: the secret is that of no invite that still lets anybody in.
            TooManyTries: too many wrong ones came from there.
            BadRequest: there is no such file.
            OptionsError: the query has what cannot be put into an image.
            NotPossible: nothing can be put into this image.
        """
        request.shown = "/boot/" + "/".join(["*", *parts[1:]])
        if request.method not in ("GET", "HEAD"):
            return not_allowed(["GET", "HEAD"])
        secret = self._secret(request, parts[0] if parts else "")
        arch, name = _file(request, parts[1:])
        if name == SCRIPT:
            return await self._script(request, secret)
        path = self._files.path(name, arch)
        if path is None:
            raise BadRequest("not_found", self._missing(name, arch))
        if name != ISO:
            return Response(200, path, OCTETS, _sent_as(name))
        words = await self._words(request, secret)
        try:
            body = await self._files.stamped(path, boot_words.area(words))
        except StartError as error:
            raise NotPossible(f"the server's image: {error}") from None
        return _iso(body, arch)

    def _missing(self, name: str, arch: Arch) -> str:
        return f"there is no {name} for {arch}" if self._files.has(KERNEL) else NO_IMAGE

    async def _script(self, request: Request, secret: bytes) -> Response:
        if not self._files.has(KERNEL):
            raise BadRequest("not_found", NO_IMAGE)
        line = boot_words.kernel_line(await self._words(request, secret))
        text = script(line, arm64=self._files.has(KERNEL, "arm64"))
        return Response.text(200, text)

    def _secret(self, request: Request, text: str) -> bytes:
        """Return the secret of an invite; note it if it is none, so that nobody can try many."""
        access, tries, now = (
            self._app.reactor.board.access,
            self._doorkeeper.tries,
            trio.current_time(),
        )
        tries.check_try(request.address, now)
        secret = invites.read_secret(text)
        row = access.invites.of_secret(secret, "worker")
        if row is None or secret is None:
            tries.failed(request.address, now)
        elif state_of(row, self._app.wall()) in ("valid", "used"):
            return secret
        what = Audit("boot.refused", "what a computer boots from, by a code")
        self._app.feed(Asked(what, _nobody, request.principal, request.address))
        raise InviteRefused(REFUSED)

    async def _words(self, request: Request, secret: bytes) -> list[Word]:
        """Return what the computer is to be told: the join code, and what the query says."""
        texts, words, public = [], [], False
        for name, text in request.pairs:
            if name == "address":
                texts.append(text)
            elif name == "public":
                public = text == "1"
            elif name not in SAID:
                raise BadRequest("query", f"the query has {name[:80]!r}: there is no such field")
            elif text:
                words.append((name, text))
        settings = self._app.settings
        place = await place_for(request, settings, texts, self._own, public=public)
        return [("invite", code_of(secret, place)), *words]


def _file(request: Request, parts: list[str]) -> tuple[Arch, str]:
    """Return which file of which processors a path names; BadRequest if it names none."""
    arch: Arch = "amd64"
    if len(parts) == 2 and parts[0] in ("amd64", "arm64"):
        arch = cast("Arch", parts.pop(0))
    if len(parts) != 1 or parts[0] not in FILES:
        raise BadRequest("not_found", f"there is no path {request.shown[:200]!r}")
    return arch, parts[0]


def _iso(body: Patched, arch: Arch) -> Response:
    name = "dc-worker.iso" if arch == "amd64" else f"dc-worker-{arch}.iso"
    return Response(200, body, OCTETS, _sent_as(name))


def _sent_as(name: str) -> list[tuple[str, str]]:
    return [
        ("Content-Disposition", f'attachment; filename="{name}"'),
        ("Cache-Control", "no-store"),
    ]


def _nobody(_: object) -> None:
    """Stand in for who is not there."""
