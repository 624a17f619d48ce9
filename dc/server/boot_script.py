"""The script by which iPXE loads the image from a server and starts it.

Names of files are relative to the script's own address, so it works however that was reached.
"""

from __future__ import annotations

from typing import Final

SCRIPT: Final = "boot.ipxe"

QUIET: Final = "initrd=initrd.img quiet panic=30 cryptomgr.notests"
"""Of the kernel's line: the name of the initrd is needed where UEFI starts the kernel.
The kernel does not test its cryptography, which nothing here uses: half of its start is that."""

CONSOLES: Final = "console=ttyS0,115200 console=tty0"
ARM_CONSOLES: Final = "console=ttyS0,115200 console=ttyAMA0 console=tty0"
"""Where the kernel writes; the last one counts as the computer's own screen."""

_TEXT: Final = """\
#!ipxe
# Boots this computer as a worker of dc. What stands behind dc.invite= is a secret.
:again
{arm}kernel vmlinuz {quiet} {consoles} {line} || goto failed
initrd initrd.img || goto failed
boot || goto failed
{arm64}
:failed
echo The image could not be loaded from the server: trying again in 10 seconds
imgfree
sleep 10
goto again
"""

_ARM64: Final = """
:arm64
kernel arm64/vmlinuz {quiet} {consoles} {line} || goto failed
initrd arm64/initrd.img || goto failed
boot || goto failed
"""


def script(line: str, *, arm64: bool) -> str:
    """Return the script.

    Args:
        line: words for the kernel's line, as `boot_words.kernel_line` gives them.
        arm64: whether there is an image for such computers as well.
    """
    arm = "iseq ${buildarch} arm64 && goto arm64 ||\n" if arm64 else ""
    more = _ARM64.format(quiet=QUIET, consoles=ARM_CONSOLES, line=line) if arm64 else ""
    return _TEXT.format(arm=arm, arm64=more, quiet=QUIET, consoles=CONSOLES, line=line)
