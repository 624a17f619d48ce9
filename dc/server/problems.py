"""Problems: how the API says why nothing was done (RFC 9457), and with which status."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from dc import errors
from dc.errors import DcError
from dc.http import Response
from dc.view_server import Problem

PROBLEM_JSON: Final = "application/problem+json"

STATUSES: Final[Mapping[type[DcError], int]] = MappingProxyType(
    {
        errors.UnknownBlob: 404,
        errors.UnknownJob: 404,
        errors.UnknownTask: 404,
        errors.UnknownTaskType: 404,
        errors.UnknownWorker: 404,
        errors.UnknownToken: 404,
        errors.UnknownInvite: 404,
        errors.UnknownKey: 404,
        errors.UnknownGroup: 404,
        errors.NotSignedIn: 401,
        errors.NotPermitted: 403,
        errors.InviteRefused: 403,
        errors.WorkerDeleted: 403,
        errors.TooManyTries: 429,
        errors.BlobMismatch: 400,
        errors.WrongOffset: 409,
        errors.OptionsError: 400,
        errors.NotPossible: 409,
        errors.PayloadError: 400,
        errors.UnknownTopic: 400,
        errors.TooManyWatchers: 429,
        errors.DuplicateName: 409,
        errors.QuotaExceeded: 413,
        errors.StoreFull: 507,
        errors.StoreError: 503,
    }
)
"""Which status answers a request for which nothing was done."""

OF_REQUESTS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "query": (400, "The query has a field that cannot be taken"),
        "cursor": (400, "The cursor is damaged, or of another list"),
        "body": (400, "The body is not what this path takes"),
        "request": (400, "The request is malformed"),
        "cross_site": (403, "A page of another site may not do this here"),
        "not_found": (404, "There is no such path"),
        "not_allowed": (405, "The path does not have this method"),
        "timeout": (408, "The body came too slowly"),
        "in_progress": (409, "A request with this Idempotency-Key is being answered"),
        "precondition": (412, "What is there is not what If-Match names"),
        "too_large": (413, "The body is too large"),
        "too_long": (414, "The path and the query are too long"),
        "media_type": (415, "The body is of a type that this path does not take"),
        "wrong_host": (421, "The request is meant for another server"),
        "key_reused": (422, "The Idempotency-Key was used for another request"),
        "busy": (429, "Too many such requests are under way"),
        "upgrade": (426, "The path is for WebSockets"),
        "unavailable": (503, "The server takes no more connections"),
    }
)
"""Codes of what is wrong with a request itself, each with its status and its title."""

OF_PROTOCOL: Final[Mapping[int, str]] = MappingProxyType(
    {403: "cross_site", 415: "media_type", 421: "wrong_host", 426: "upgrade"}
)
"""Statuses of errors in requests whose bodies were not begun, and their codes."""


class BadRequest(DcError):
    """A request cannot be taken as it is: the caller's fault.

    Args:
        code: one of `OF_REQUESTS`.
        text: what is wrong, for the caller.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code  # type: ignore[misc]
        self.status = OF_REQUESTS[code][0]


ANSWERED: Final[tuple[type[DcError], ...]] = (BadRequest, *STATUSES)
"""Errors that are answered with a problem; any other one is a mistake in dc."""


def status_of(error: type[DcError]) -> int:
    """Return the status that answers a request which ended in this error; 500 if it is none."""
    return next((STATUSES[kind] for kind in error.__mro__ if kind in STATUSES), 500)


def title_of(error: type[DcError]) -> str:
    """Return what the problems of an error have in common: the first sentence of its words."""
    words = " ".join((error.__doc__ or error.__name__).partition("\n\n")[0].split())
    return words.partition(": ")[0].partition(". ")[0].rstrip(".")


def problem(error: DcError) -> Response:
    """Return the answer to a request that ended in an error which has a status."""
    if isinstance(error, BadRequest):
        status, title = OF_REQUESTS[error.code]
    else:
        status, title = status_of(type(error)), title_of(type(error))
    answer = problem_of(error.code, status, title, str(error))
    if isinstance(error, errors.WrongOffset) and error.offset is not None:
        answer.headers.append(("Upload-Offset", str(error.offset)))
    if isinstance(error, errors.TooManyTries):
        answer.headers.append(("Retry-After", str(error.seconds)))
    return answer


def problem_of(code: str, status: int, title: str, detail: str) -> Response:
    """Return the answer that says what is wrong, as in `dc.view_server.Problem`."""
    said = Problem(
        type=f"/api/problems/{code}", title=title, status=status, detail=detail, code=code
    )
    return Response(status, msgspec.json.encode(said), PROBLEM_JSON)


def not_allowed(methods: list[str]) -> Response:
    """Return the answer to a method that the path does not have, naming those it has."""
    allow = ", ".join(methods)
    answer = problem(BadRequest("not_allowed", f"this path takes {allow}"))
    answer.headers.append(("Allow", allow))
    return answer
