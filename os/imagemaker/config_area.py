"""The configuration area: 4096 bytes in a finished medium that are rewritten in place.

On a medium it is the one file of a small cpio archive, which the boot loader gives the kernel
before the initrd. So the booted computer has it in its memory as /dc.conf, and changing those bytes
in an ISO file or on a stick needs neither a rebuild nor a mount.
"""

from __future__ import annotations

from imagemaker import cpio

SIZE = 4096  # bytes: a join code is some 200, and a block of any medium holds it whole

# Made of two parts so that this program's own text is not taken for an area: who looks for the
# magic in an image must find it there once.
MAGIC = b"#dc-image-" + b"configuration-1\n"

NAME = "dc.conf"
READABLE_BY_ROOT = 0o600  # it may hold a join code


class AreaError(ValueError):
    """What should be in the area cannot be."""


def area(words: tuple[str, ...] = ()) -> bytes:
    """Return the bytes of an area.

    Args:
        words: What it says, each a word of the configuration such as dc.server=HOST:PORT.

    Raises:
        AreaError: They do not fit, or one has a line break in it.
    """
    for word in words:
        if "\n" in word or "\r" in word or "\0" in word:
            raise AreaError(f"a word of the configuration has a line break: {word!r}")
    text = MAGIC + b"".join(word.encode() + b"\n" for word in words)
    if len(text) > SIZE:
        raise AreaError(f"the configuration is {len(text)} bytes, {SIZE} fit")
    return text.ljust(SIZE, b"\n")


def archive(content: bytes, epoch: int) -> bytes:
    """Return the cpio archive (newc, uncompressed) that has an area as its one file.

    It comes first, before the initrd: after an archive that is compressed by LZ4 the kernel would
    not find it. It is ready-made since the loader's own way to wrap a file writes names that newer
    kernels refuse.

    Args:
        content: The area.
        epoch: The file's time, seconds since 1970.
    """
    return cpio.archive([cpio.file(NAME, content, READABLE_BY_ROOT)], epoch)
