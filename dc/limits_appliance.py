"""Limits of a computer that was booted from the image, and is a worker and nothing else."""

from __future__ import annotations

from typing import Final

SCREEN_LINES: Final = 24
"""Of the screen that is drawn: the smallest console has 25, and the last one stays free, for a
line end there would move all others up."""

SCREEN_COLUMNS: Final = 78
"""Of these lines: the smallest console has 80, and a full line would be wrapped by some."""

DRAW_SECONDS: Final = 1.0
"""Between two looks at what is to be drawn: nobody reads faster."""

REDRAW_SECONDS: Final = 20.0
"""After which the whole screen is drawn again: what the kernel wrote over it goes away."""

CONSOLE_BYTES: Final = 16 * 1024
"""That wait for a console which takes nothing; what does not fit is not written. A screen has 2 KB,
and a serial line without a reader must not hold the worker up."""

KEYS_BYTES: Final = 64
"""Of what was typed that is looked at in one piece: one key is a few bytes."""

RETRY_SECONDS: Final = 5.0
"""Before a computer that was not let in tries again, at first; doubled with each try."""

RETRY_SECONDS_MOST: Final = 60.0
"""The longest such pause: who has mended what was wrong waits a minute at most, and a server that
refuses a wrong code is asked 60 times in an hour."""

LOOK_SECONDS: Final = 2.0
"""Between two looks at the configuration while no server has let the worker in: an answer of DHCP
that names one may come at any time."""

DRIVERS_SECONDS: Final = 60.0
"""For which a worker waits until the drivers of network cards are loaded: most are before it has
started; some with firmware of their own take ten seconds each."""

NAME_SECONDS: Final = 8.0
"""For which it waits from then on for a first card, after which its computer is named."""

NAME_LOOK_SECONDS: Final = 0.1
"""Between two looks whether it is there."""

LOST_SECONDS: Final = 120.0
"""Without its server, and without a task, after which a worker heeds that it is told of another
one: a server that is started anew is back by then."""

COMPARE_SECONDS: Final = 300.0
"""For somebody to press a key at this computer: half of the time that the server waits."""

WATCHDOG_SECONDS: Final = 60
"""After which the hardware starts a computer anew whose worker's loop stands still. The longest
step of a sound one, an import on a slow computer, takes a tenth of that."""

FEED_SECONDS: Final = 10.0
"""Between two signs of life to the watchdog: five may be late."""

CLOCK_OFF_SECONDS: Final = 2.0
"""By which the clock may be off: the server's time is told in whole seconds, and takes a while."""

CLOCK_YEARS: Final = 20
"""After the build of an image, in which a server's time is believed."""

SYSTEM_BYTES: Final = 160 * 1024 * 1024
"""Of memory, for the image, its kernel and the worker's agent, which has 48 MB itself: a computer
of 256 MB has one slot."""

SLOT_BYTES: Final = 64 * 1024 * 1024
"""Of memory, for a slot at least: an executor has 27 MB before its task does anything."""

SPARE_BYTES: Final = 512 * 1024 * 1024
"""Of memory that a computer has which holds an executor ready, to take another's place."""

CONFIG_BYTES: Final = 16 * 1024
"""Of a kernel line or a configuration file that are read: they have 4,096 at most."""

FILE_BYTES: Final = 64 * 1024
"""Of any other small file that is read, as of /proc."""

INTERFACES: Final = 16
"""Network cards that are looked at."""

HINTS: Final = 16
"""Addresses that DHCP has told, which are asked for a server."""

REMARKS: Final = 4
"""Of what is wrong with a configuration that are told; more would not be read."""

REMARK_CHARS: Final = 2 * SCREEN_COLUMNS - 4
"""Of one sentence on the screen."""
