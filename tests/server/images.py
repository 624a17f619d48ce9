"""Folders that look as if an image had been made there: small files, with a place to configure."""

from __future__ import annotations

from pathlib import Path

from dc import boot_words

BEFORE = bytes(range(256)) * 300
BEHIND = b"the rest of the image" * 5000
ISO = BEFORE + boot_words.area([]) + BEHIND


def make_image(folder: Path, *, arm64: bool = True) -> Path:
    """Make such a folder; return it."""
    for part in (folder, *([folder / "arm64"] if arm64 else [])):
        part.mkdir(parents=True, exist_ok=True)
        (part / "vmlinuz").write_bytes(b"a kernel" * 1000)
        (part / "initrd.img").write_bytes(b"an initrd" * 9000)
        (part / "worker.iso").write_bytes(ISO)
    return folder


def words_in(iso: bytes) -> dict[str, str]:
    """Return the words in an image, of which nothing else may have changed."""
    size = len(boot_words.area([]))
    at = len(BEFORE)
    assert (iso[:at], iso[at + size :]) == (BEFORE, BEHIND)
    return dict(boot_words.read_area(iso[at : at + size]))
