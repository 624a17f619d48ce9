"""Where the code of a job's tasks is, that came from the server."""

from __future__ import annotations

from msgspec import Struct


class Code(Struct, frozen=True):
    """A plugin's code as it is on this computer.

    Attributes:
        folder: of its unpacked archive.
        site: of what was installed for it; empty for nothing.
        carries: whether dependencies have travelled with it.
    """

    folder: str
    site: str = ""
    carries: bool = False

    @property
    def adopts(self) -> str:
        """What an executor that runs it takes into itself for good; empty for nothing.

        Dependencies have the names that they have everywhere, so one process can have one set.
        """
        carried = self.folder if self.carries else ""
        return f"{carried}:{self.site}" if carried or self.site else ""
