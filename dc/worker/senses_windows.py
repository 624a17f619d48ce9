"""Since when nobody has used a computer with Windows, and whether it is on mains power.

A service sees its own session alone, in which nobody ever is: there, it is not known.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any, Final

_MS: Final = 2**32
"""At which the clocks of both begin anew, in milliseconds: after 49 days."""

_ON_MAINS: Final = {0: False, 1: True}


class LastInput(ctypes.Structure):
    """LASTINPUTINFO."""

    _fields_ = (("size", ctypes.c_uint32), ("time", ctypes.c_uint32))


class PowerStatus(ctypes.Structure):
    """SYSTEM_POWER_STATUS."""

    _fields_ = (
        ("line", ctypes.c_ubyte),
        ("flag", ctypes.c_ubyte),
        ("percent", ctypes.c_ubyte),
        ("saver", ctypes.c_ubyte),
        ("left", ctypes.c_uint32),
        ("whole", ctypes.c_uint32),
    )


class WindowsSenses:
    """Asks the system.

    Args:
        user: the library user32.
        kernel: the library kernel32.
    """

    name = "keyboard and mouse"

    def __init__(self, user: Any, kernel: Any) -> None:
        self._user = user
        self._kernel = kernel

    def idle(self) -> float | None:
        """Return the seconds since the last input of this session; None if it does not tell."""
        last = LastInput(ctypes.sizeof(LastInput), 0)
        with suppress(OSError, AttributeError):
            session = ctypes.c_uint32(0)
            mine = self._kernel.GetCurrentProcessId()
            known = self._kernel.ProcessIdToSessionId(mine, ctypes.byref(session))
            if not known or session.value == 0:  # of services
                return None
            if self._user.GetLastInputInfo(ctypes.byref(last)):
                now = self._kernel.GetTickCount() % _MS
                return float((now - int(last.time)) % _MS) / 1000.0
        return None

    def on_mains(self) -> bool | None:
        """Return whether there is mains power; None if it does not tell."""
        status = PowerStatus()
        with suppress(OSError, AttributeError):
            if self._kernel.GetSystemPowerStatus(ctypes.byref(status)):
                return _ON_MAINS.get(int(status.line))
        return None


def windows_senses() -> WindowsSenses:
    """Return what the system tells, on Windows."""
    load: Any = getattr(ctypes, "WinDLL", None)
    assert load is not None, "there is no such library here"
    return WindowsSenses(load("user32"), load("kernel32"))
