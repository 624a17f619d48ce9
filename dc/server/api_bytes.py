"""Paths whose bytes the site moves itself, past the router, as the API's description has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dc import errors
from dc.roles import Role
from dc.server.routes import ADMIN, EVERYBODY, READERS, VIEWERS, Call, Route
from dc.view_jobs import BlobView

OCTETS: Final = "application/octet-stream"
TEXT: Final = "text/plain"

WRITERS: Final[tuple[Role, ...]] = ("submit", "work")
SOCKET: Final[tuple[Role, ...]] = ("submit", "work")
"""Who may open the socket; what each may say there is decided by its Hello."""

_PARTS: Final = (206, 304, 416)
"""Other answers to who wants a part, or what is new."""

_CODES: Final = ((), ("precondition",))


async def _by_the_site(call: Call[None, None]) -> object:
    raise NotImplementedError(f"{call.request.path} is answered by the site")


def byte_routes() -> list[Route]:
    """Return what there is of bytes."""
    routes = [*_blob_routes(), *_task_routes(), *_server_routes(), *_boot_routes()]
    return [
        replace(route, bare=True, codes=(*route.codes, *_CODES[304 in route.also]))
        for route in routes
    ]


def _blob_routes() -> list[Route]:
    blob, no = "/blobs/{sha256}", (errors.UnknownBlob,)
    full = (errors.QuotaExceeded, errors.StoreFull, errors.StoreError)
    put = (*full, *no, errors.BlobMismatch, errors.WrongOffset)
    site, tag = _by_the_site, "bytes"
    return [
        Route(
            "POST", "/blobs", site, BlobView, "Put bytes, and be told their SHA-256", tag,
            body=OCTETS, problems=full, status=201, also=(200,), roles=WRITERS,
        ),
        Route(
            "GET", blob, site, OCTETS, "The bytes of a blob", tag, problems=no, also=_PARTS,
            roles=READERS,
        ),
        Route(
            "PUT", blob, site, TEXT, "Put the bytes of a blob, or go on with them", tag,
            body=OCTETS, problems=put, status=201, also=(200,), roles=WRITERS,
        ),
        Route(
            "GET", "/plugins/{sha256}", site, OCTETS, "The archive of a plugin", tag,
            problems=no, also=_PARTS, roles=READERS,
        ),
    ]  # fmt: skip


def _task_routes() -> list[Route]:
    task, site, tag = "/jobs/{job}/tasks/{task}", _by_the_site, "bytes"
    none = errors.UnknownJob, errors.UnknownTask, errors.StoreError
    return [
        Route(
            "GET", f"{task}/payload", site, OCTETS, "The payload of a task", tag,
            problems=(*none, errors.UnknownBlob), also=_PARTS, roles=READERS,
        ),
        Route(
            "GET", f"{task}/result", site, OCTETS, "The result of a task", tag,
            problems=(*none, errors.UnknownBlob), also=_PARTS, roles=READERS,
        ),
        Route(
            "GET", f"{task}/output", site, TEXT, "All that is kept of what a task has written", tag,
            problems=none, also=_PARTS, roles=READERS,
        ),
    ]  # fmt: skip


def _server_routes() -> list[Route]:
    return [
        Route(
            "GET", "/api/backup", _by_the_site, "application/x-tar",
            "A copy of the database and of all blobs it names", "server",
            problems=(errors.StoreError, errors.StoreFull), roles=ADMIN,
        ),
        Route(
            "GET", "/metrics", _by_the_site, TEXT, "The server in numbers, for Prometheus",
            "server", roles=VIEWERS,
        ),
    ]  # fmt: skip


def _boot_routes() -> list[Route]:
    site, tag = _by_the_site, "bytes"
    wrong = errors.InviteRefused, errors.OptionsError, errors.NotPossible
    return [
        Route(
            "GET", f"/boot/{{secret}}/{where}{{file}}", site, OCTETS, text, tag, problems=wrong,
            also=(206, 416), codes=("not_found", "query"), roles=EVERYBODY,
        )
        for where, text in (
            ("", "What a computer boots from: the script for iPXE, kernel, initrd, or the ISO"),
            ("arm64/", "The same for computers with ARM processors of 64 bits"),
        )
    ]  # fmt: skip
