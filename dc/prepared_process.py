"""A prepared process that was taken, as Trio shows the processes that it starts itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import trio
from trio.abc import ReceiveStream, SendStream

from dc.errors import StartError
from dc.pipe import Begin
from dc.pipe_frames import encode_frame
from dc.prepared import Prepared


class PreparedProcess:
    """A process whose pipes are Trio's from now on.

    Args:
        prepared: it, which was taken.

    Raises:
        StartError: this is Windows, where there is none.

    Attributes:
        pid: its number.
        stdin: where it reads from.
        stdout: where its messages come from.
        stderr: where its output comes from.
    """

    pid: int
    stdin: SendStream
    stdout: ReceiveStream
    stderr: ReceiveStream

    def __init__(self, prepared: Prepared) -> None:
        if sys.platform == "win32":
            raise StartError("there is no such process on Windows")
        self._process: subprocess.Popen[bytes] = prepared.process
        self.pid = self._process.pid
        self.stdin = trio.lowlevel.FdStream(prepared.to)
        self.stdout = trio.lowlevel.FdStream(prepared.out)
        self.stderr = trio.lowlevel.FdStream(prepared.errors)

    async def begin(self, arguments: Sequence[str]) -> None:
        """Tell it its command line, and this process's environment.

        One that is dead already hears nothing: whoever receives from it finds out.
        """
        if sys.platform == "win32":
            return
        environment = [b"%b=%b" % pair for pair in os.environb.items()]
        frame = encode_frame(Begin([os.fsencode(word) for word in arguments], environment))
        try:
            await self.stdin.send_all(frame)
        except trio.BrokenResourceError:
            return
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._end()
            raise

    async def _end(self) -> None:
        """Kill it, and leave nothing of it."""
        self.kill()
        await self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            await stream.aclose()

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill it alone."""
        self._process.kill()

    async def wait(self) -> int:
        """Wait until it is gone, and return its exit status. Whoever calls has killed it before."""
        return await trio.to_thread.run_sync(self._process.wait)
