"""What bounds plugins as archives, with units and reasons."""

from __future__ import annotations

from typing import Final

from dc.limits import KIB, MIB

ARCHIVE_BYTES: Final = 256 * MIB
"""Bytes of a plugin's archive: code, and small data beside it. What is larger is an input."""

UNPACKED_BYTES: Final = 1024 * MIB
"""Bytes of all files in an archive together, and ARCHIVE_FILES of them: what a bomb stops at."""

ARCHIVE_FILES: Final = 20_000
"""Files in a plugin's archive; large projects with their dependencies have some thousands."""

MANIFEST_BYTES: Final = 256 * KIB
"""Bytes of the manifest in an archive: a thousand plugins and dependencies fit."""

PLUGIN_DEPENDENCIES: Final = 256
"""Dependencies that a plugin may have, those that are carried and those to be installed."""

SIGNATURE_FILE_BYTES: Final = 4 * KIB
"""Of a file with a key or a signature: they have some hundreds, and who names another file by
mistake is told so."""

ARCHIVE_LIST_BYTES: Final = 8 * MIB
"""Bytes of the list of files in an archive, which is read as a whole: ARCHIVE_FILES of them, with
names of 300 bytes."""

ARCHIVE_NAME_CHARS: Final = 200
"""Characters in the name of a file in an archive: with the folder before it, Windows takes 260."""

ARCHIVE_PART_BYTES: Final = 200
"""Bytes in the name of one file or folder in an archive: file systems take 255, and a little is
added to it for what is compiled."""

ARCHIVE_RATIO: Final = 100
"""Bytes that one byte of an archive may become on the whole, once it is ARCHIVE_RATIO_FROM_BYTES:
code becomes four, tables twenty, what was made to fill a disk a thousand."""

ARCHIVE_RATIO_FROM_BYTES: Final = 16 * MIB
"""Bytes of an unpacked archive from which on ARCHIVE_RATIO holds: what is smaller does no harm."""

TRUSTED_KEYS: Final = 64
"""Keys that a worker may be told to trust: it says all of them when it joins."""

HELD_PLUGINS: Final = 1000
"""Plugins of the server that a worker remembers, each with where it is, or why it cannot be had."""

PLUGIN_RETRY_SECONDS: Final = 300.0
"""That a worker remembers why a plugin cannot be had, before it tries again: somebody may have
installed what was missing."""

PLUGIN_LOAD_SECONDS: Final = 300.0
"""That the import of a plugin may take: large libraries from a slow disk take a minute."""

EXECUTOR_PLUGINS: Final = 20
"""Plugins of the server, or versions of one, that an executor imports before it is replaced: what
was imported cannot be given back."""

PLUGIN_AGAIN_SECONDS: Final = 86400.0
"""After which a worker looks again at a plugin that it has, once tasks of it come: it notes so that
the plugin is in use, and finds out if it is gone."""

UNUSED_PLUGIN_SECONDS: Final = 14 * 86400.0
"""That a worker keeps a plugin, and what was installed for it, after its last use: a holiday."""

PLUGIN_TIDY_SECONDS: Final = 3600.0
"""Between two looks of a worker for plugins that nobody has used for long."""

PLUGINS_AT_ONCE: Final = 4
"""Plugins that a worker fetches, unpacks and installs for at one time."""

INSTALL_SECONDS: Final = 1800.0
"""That the installation of dependencies may take: large ones, over a slow line, or compiled."""

INSTALL_LINES: Final = 30
"""The last lines of what installs that are told of when it fails."""

INSTALL_LINE_CHARS: Final = 500
"""Of each such line."""

SITE_LOCK_SECONDS: Final = 0.25
"""Between two looks whether another worker of this computer has made a site."""

PLUGINS_LOOK_SECONDS: Final = 1.0
"""Between two looks at whether plugins have changed: who edits one tries it a few seconds later."""

PLUGINS_LOOK_SHARE: Final = 20.0
"""Times what a look has taken: so looks at many files take a twentieth of a processor at most."""

PLUGINS_AGAIN_SECONDS: Final = 30.0
"""After which a plugin is packed again that the disk did not take: somebody may have made room."""

UNUSABLE_NOTED: Final = 16
"""Archives of which is noted why a worker could not use them, the newest; for people."""
