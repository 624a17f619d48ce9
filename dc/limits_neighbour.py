"""Limits of a worker on a computer that people use; each with its unit and its reason."""

from __future__ import annotations

from typing import Final

SENSE_SECONDS: Final = 0.25
"""Between two looks for a person: who comes back has the computer within a second, and a look at a
few small files costs next to nothing."""

SENSE_SECONDS_BY_PROGRAM: Final = 0.5
"""The same where each look runs a program (macOS), which takes some hundredths of a second."""

UNKNOWN_LOOKS: Final = 20
"""After which it is said what the computer does not tell: its load is known from the second on."""

METER_SECONDS: Final = 2.0
"""Between two looks at load, warmth and power: they take some milliseconds, and change slowly."""

IDLE_SECONDS: Final = 300.0
"""Without keyboard and mouse, after which nobody is there: people read for a while."""

GIVE_BACK_SECONDS: Final = 600.0
"""For which tasks stand still before others get them: many a person only looks something up."""

LOAD_MOST: Final = 0.5
"""Of all processors, that other programs may use while tasks run."""

CALM_SHARE: Final = 0.5
"""Of that, what they may use when tasks are to begin again: at one bound for both, tasks would stop
and go on all the time."""

COOLED_DEGREES: Final = 10.0
"""Below the bound of warmth, in degrees Celsius, at which tasks go on: for the same reason."""

HOT_DEGREES: Final = 85.0
"""Celsius, that `--neighbour` keeps below: fans are loud there, and no processor is in danger."""

LASTING_SECONDS: Final = 10.0
"""For which others must be busy, or the computer hot, before tasks stop: a page that loads and a
short peak are neither. The first seconds of tasks are hot, too."""

CALM_SECONDS: Final = 20.0
"""For which nothing may be in the way of tasks, before they go on after others were busy, the
computer was hot, or on battery."""

CAP_CPUS: Final = 0.75
"""Of the processors, that `--neighbour` uses: so who comes back finds one free."""

CAP_MEMORY: Final = 0.5
"""Of the memory, that `--neighbour` uses: tasks that stand still keep what they have."""

WINDOWS: Final = 21
"""Times of the week in one `--hours`: three a day."""

WORDS_BYTES: Final = 64 * 1024
"""That are read of a file or of a program's answer about the computer: they are a few lines."""

X11_SECONDS: Final = 0.5
"""For one answer of the X server: it is on this computer."""

X11_BYTES: Final = 1024 * 1024
"""Of the X server's first answer: a thousand times what it is."""

X11_AGAIN_SECONDS: Final = 30.0
"""Until the X server is asked again that was not there or did not answer."""
