"""A worker that is killed, by kill -9, at a given step of joining.

    python -m tests.system.killed_joining STEP when ARGUMENTS...

`when` is `before` or `after` the step is done: after a question, the server has answered it.
"""

from __future__ import annotations

import os
import signal
import sys

from dc.worker import __main__ as program
from dc.worker.join_port import JoinPort
from dc.worker.joining import Action, Event


def main() -> int:
    step, when, *arguments = sys.argv[1:]
    left = int(step)
    perform = JoinPort._perform

    async def killed(self: JoinPort, action: Action) -> Event | None:
        nonlocal left
        left -= 1
        if left < 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        event = await perform(self, action)
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    JoinPort._perform = killed  # type: ignore[method-assign]
    return program.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
