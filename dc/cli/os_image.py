"""`os-image`: what a computer does that boots from an image, written into the image itself."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from dc import invites, limits_join, os_image
from dc.boot_words import NAMES, Word
from dc.cli.screen import Screen
from dc.errors import OptionsError, StartError

INVITE: Final = "dc.invite="
SHOWN_CHARS: Final = len(invites.PREFIX) + 6
"""Of a join code: enough to tell two apart, and far too little to join by."""


def configure(args: Namespace, screen: Screen) -> int:
    """Write a configuration into an image; say what is in it now."""
    said = _said(args, screen)
    if not said and not args.empty:
        raise OptionsError("say what is to be written, as --invite FILE, or --empty")
    new = {name for name, _ in said}
    kept = [] if args.empty else [one for one in os_image.show(args.image) if one[0] not in new]
    words = sorted([*kept, *said], key=lambda one: NAMES.index(one[0]) if one[0] in NAMES else 0)
    os_image.configure(args.image, words)
    screen.note(f"{args.image}: {_summary(words)}")
    return 0


def show(args: Namespace, screen: Screen) -> int:
    """Say what is in an image; of the join code no more than its beginning."""
    words = os_image.show(args.image)
    shown = [(name, _cut(text) if name == "invite" else text) for name, text in words]
    server = _server_of(words)
    if args.json:
        screen.json({"words": [{"name": one, "value": text} for one, text in shown]} | server)
        return 0
    screen.write("".join(f"dc.{name}={text}\n" for name, text in shown))
    screen.note(f"{args.image}: {_summary(words)}")
    return 0


def _said(args: Namespace, screen: Screen) -> list[Word]:
    """Return the words that were given."""
    texts = {name: getattr(args, name) for name in ("server", "slots", "name", "ip", "gw", "dns")}
    words = [(name, text) for name, text in texts.items() if text is not None]
    if args.invite is not None:
        words.append(("invite", _invite(args.invite, screen)))
    words += [("label", text) for text in args.label or ()]
    flags = {"shell": args.shell, "trust-network": args.trust_network}
    return words + [(name, "1") for name, is_set in flags.items() if is_set]


def _invite(said: str, screen: Screen) -> str:
    """Return the code that is meant: it is one itself, or in a file.

    Raises:
        StartError: the file cannot be read, or there is no code in it.
    """
    if invites.is_code(said):
        screen.note(
            "other users of this computer could see the join code: better give it in a file"
        )
        return said
    try:
        if said == "-":
            text = sys.stdin.read(limits_join.CODE_BYTES)
        else:
            with Path(said).open(encoding="ascii", errors="replace") as file:
                text = file.read(limits_join.CODE_BYTES)
    except OSError as error:
        raise StartError(f"--invite {said}: {error.strerror or error}") from None
    for word in text.split():
        if invites.is_code(word.removeprefix(INVITE)):
            return word.removeprefix(INVITE)
    raise StartError(f"--invite {said}: there is no join code in it, which begins with dc1-")


def _cut(code: str) -> str:
    return f"{code[:SHOWN_CHARS]}..."


def _server_of(words: list[Word]) -> dict[str, str | list[str]]:
    """Return where the server is, by the code: its addresses, and the pin of its key."""
    code = dict(words).get("invite", "")
    try:
        found = invites.read(code)
    except StartError:
        return {}
    return {
        "addresses": [f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in found.addresses],
        "pin": found.pin.hex(),
    }


def _summary(words: list[Word]) -> str:
    """Return in a line what a computer does that boots from an image with these words."""
    said, server = dict(words), _server_of(words)
    if addresses := server.get("addresses"):
        return f"it joins the server at {' or '.join(addresses)} by a code"
    if "invite" in said:
        return "the join code in it is not whole: give it anew by --invite"
    if "server" in said:
        return f"it asks to be let in at {said['server']}"
    return "it is not said for which server; it looks for one in its network"
