"""The person who has started a worker: tells them something, and asks at a terminal."""

from __future__ import annotations

import sys

import trio


class Terminal:
    """Standard error to tell, standard input to ask."""

    @property
    def is_there(self) -> bool:
        """Whether somebody can read and answer."""
        return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Tell something."""
        print(text, file=sys.stderr, flush=True)

    def show_number(self, number: str, url: str) -> None:
        """Show six digits, and where they are to be compared."""
        self.say(box(number, url))

    async def ask(self, question: str) -> str:
        """Return the answer to a question, without spaces around it; empty at the end of input."""
        self.say(question)
        line: str = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        return line.strip()


def box(number: str, url: str) -> str:
    """Return the six digits in a box, and where to compare them."""
    digits = f"{number[:3]} {number[3:]}"
    edge = "+" + "-" * 15 + "+"
    return "\n".join(
        [
            "",
            edge,
            f"|{'':15}|",
            f"|{digits:^15}|",
            f"|{'':15}|",
            edge,
            "",
            f"compare it at {url}",
            "",
        ]
    )
