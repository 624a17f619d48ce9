"""What pages of other sites may have a browser ask for: to show a page of this one, no more."""

from __future__ import annotations

from dc import link_open
from dc.errors import ProtocolError
from dc.http import Request


def check_site(request: Request) -> None:
    """Refuse what a page of another site has a browser ask for, unless it is a link to a page here.

    Such a page cannot read the answer, but it could have a backup made, again and again. The
    upgrade to the socket is checked where it is answered. Programs that are no browsers, and old
    browsers, do not say what a request is from: there, Origin alone guards changes.

    Raises:
        ProtocolError: with status 403.
    """
    headers = request.headers
    if request.method not in ("GET", "HEAD"):
        link_open.check_origin(headers)
    elif headers.get("sec-fetch-site") == "cross-site":
        is_link = headers.get("sec-fetch-mode") == "navigate"
        if not is_link or headers.get("sec-fetch-dest") != "document":
            raise ProtocolError("a page of another site may not use what is here", status=403)
        if request.segments[0] in ("api", "metrics"):
            raise ProtocolError("a page of another site may not link to this", status=403)
