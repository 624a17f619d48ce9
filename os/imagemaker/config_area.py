"""The configuration area: 4096 bytes in a finished medium that are rewritten in place.

On a medium it is the one file of a small cpio archive, which the boot loader gives the kernel
before the initrd. So the booted computer has it in its memory as /dc.conf, and changing those bytes
in an ISO file or on a stick needs neither a rebuild nor a mount.
"""

from __future__ import annotations

SIZE = 4096  # bytes: a join code is some 200, and a block of any medium holds it whole

# Made of two parts so that this program's own text is not taken for an area: who looks for the
# magic in an image must find it there once.
MAGIC = b"#dc-image-" + b"configuration-1\n"

NAME = "dc.conf"
BLOCK = 512  # bytes: archives end on such a border, as those of the cpio program do

READABLE_BY_ROOT = 0o100600  # a regular file: it may hold a join code


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
    made = _entry(NAME, READABLE_BY_ROOT, content, epoch) + _entry("TRAILER!!!", 0, b"", 0)
    return made.ljust(-(-len(made) // BLOCK) * BLOCK, b"\0")


def _entry(name: str, mode: int, content: bytes, epoch: int) -> bytes:
    ascii_name = name.encode("ascii") + b"\0"
    number = 1 if mode else 0
    numbers = (number, mode, 0, 0, 1, epoch, len(content), 0, 0, 0, 0, len(ascii_name), 0)
    head = b"070701" + b"".join(b"%08X" % one for one in numbers) + ascii_name
    return _padded(head) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part.ljust(-(-len(part) // 4) * 4, b"\0")
