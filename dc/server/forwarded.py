"""Whose request it is that a proxy on this computer has passed on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

_FOR: Final = re.compile(r'(?:^|[;,\s])for="?\[?([0-9A-Fa-f:.]{2,45})', re.IGNORECASE)


def origin(address: str, headers: Mapping[str, str]) -> str:
    """Return where a request is from, for lists and the audit log.

    The last one is believed of all that the headers name: the proxy itself has added it. What was
    there before, anybody can have written.

    Args:
        address: of the connection, as HOST:PORT.
        headers: of the request, names in lower case.

    Returns:
        What the proxy says, without a port; the address of the connection if it says nothing, or
        if that is not from this computer.
    """
    host = address.rpartition(":")[0].strip("[]")
    if not _is_loopback(host):
        return address
    said = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if not said:
        found = _FOR.findall(headers.get("forwarded", "").rpartition(",")[2])
        said = found[-1] if found else ""
    said = said.strip("[]")
    return said if _is_address(said) else address


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
