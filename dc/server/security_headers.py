"""Headers that tell a browser what a page of this server may do, and who may use its answers."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

OF_ALL: Final = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Of every answer."""

OF_DOCUMENTS: Final = (
    ("X-Frame-Options", "DENY"),  # for browsers that do not know frame-ancestors
    ("Cross-Origin-Opener-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
)
"""Of what a browser shows as a page: of anything else they mean nothing."""

SECURITY_HEADERS: Final = (*OF_ALL, *OF_DOCUMENTS)
"""Of a page."""

HSTS_SECONDS: Final = 180 * 86400
"""That a browser uses TLS alone for a name, after it was shown a good certificate for it."""


def headers_of(address: str, kind: str) -> list[tuple[str, str]]:
    """Return the headers of answers that do not say otherwise.

    Strict-Transport-Security is for all ports of a name. So it is only said by a server that has
    the usual port of TLS, and thereby the name: on another port it would cut browsers off from
    whatever else the computer serves.

    Args:
        address: of the server, a URL.
        kind: the content type of the answer.
    """
    headers = [*OF_ALL, ("Cache-Control", "no-store")]
    if kind.startswith("text/html"):
        headers += OF_DOCUMENTS
    url = urlsplit(address)
    if url.scheme == "https" and url.port in (None, 443):
        headers.append(("Strict-Transport-Security", f"max-age={HSTS_SECONDS}"))
    return headers
