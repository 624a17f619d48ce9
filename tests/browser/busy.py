"""A server at work: jobs that run, fail, wait and write, as an operator would find them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

import dc
from tests.system.processes import Machine, Server

PLUGIN: Final = '''\
"""Task types that have something to show."""
import struct
import time
import zlib

import dc


def png(width: int, height: int, shade: int) -> bytes:
    """Return a picture: a slope of grey."""
    line = range(width)
    rows = b"".join(b"\\\\0" + bytes((x + y * shade) % 256 for x in line) for y in range(height))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    made = b"\\\\x89PNG\\\\r\\\\n\\\\x1a\\\\n"
    for name, data in parts:
        made += struct.pack(">I", len(data)) + name + data
        made += struct.pack(">I", zlib.crc32(name + data))
    return made


@dc.task_type
def render_frame(number: int) -> bytes:
    """Draw one frame of a film."""
    time.sleep(0.004 + 0.00013 * (number * 7919 % 97))
    if number % 53 == 17:
        raise ValueError(f"no light in scene {number}")
    if number % 211 == 5:
        raise FileNotFoundError(f"texture-{number}.exr")
    return png(320, 180, number % 7 + 1)


@dc.task_type
def count_words(text: str) -> dict[str, int]:
    """Count the words of a text."""
    counts: dict[str, int] = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


@dc.task_type
def train(rounds: int, context: dc.Context) -> float:
    """Go on for a while, and say how far it is."""
    for turn in range(rounds):
        print(f"round {turn}: loss {2.5 / (turn + 1):.4f}", flush=True)
        context.progress((turn + 1) / rounds, f"round {turn + 1} of {rounds}")
        time.sleep(0.4)
    return 2.5 / rounds
'''

TEXT: Final = "the more one looks the more one sees and the less one knows of what one sees"


@dataclass(frozen=True)
class Busy:
    """A server at work: its machine, its plugin, and the numbers of its jobs by what they are."""

    machine: Machine
    server: Server
    plugins: Path
    jobs: dict[str, int]


def write_plugin(folder: Path) -> Path:
    """Write the plugin to a folder of its own and return that."""
    place = folder / "shown"
    place.mkdir()
    (place / "shown.py").write_text(PLUGIN.replace("\\\\", "\\"))
    return place


async def started(machine: Machine, more: Sequence[Path] = ()) -> tuple[Server, Path]:
    """Start a server with three workers that know these types, and those of more plugins."""
    plugins = write_plugin(machine.folder)
    all_of_them = [plugins, *more]
    server = await machine.server(plugins=all_of_them)
    for name, slots in (("lab-01", 2), ("lab-02", 2), ("old-laptop", 1)):
        await machine.worker(server, name, slots, plugins=all_of_them)
    return server, plugins


async def filled(server: Server, plugins: Path, frames: int = 4000) -> dict[str, int]:
    """Submit jobs of all kinds; return their numbers by what they are."""
    jobs: dict[str, int] = {}
    async with dc.AsyncClient(server.address, plugins=[plugins]) as client:

        async def submit(what: str, kind: str, payloads: list[object], **options: Any) -> None:
            with warnings.catch_warnings():  # one of them is to wait
                warnings.simplefilter("ignore", dc.NoWorkerWarning)
                job = await client.submit(kind, payloads, **options)
            jobs[what] = job.number

        texts: list[object] = [f"{TEXT} {number}" for number in range(40)]
        await submit("words", "count_words", texts, name="Words of the archive")
        await submit("films", "render_frame", list(range(120)), name="Winter film, reel 1")
        await server.is_done(jobs["words"], 40)
        # Longer than all tests of pages take, on any machine.
        await submit("train", "train", [9000, 9000], name="Train the detector")
        await submit("film", "render_frame", list(range(frames)), name="Winter film, reel 2")
        gpu = {"gpu": 2.0}
        await submit("gpu", "render_frame", list(range(60)), name="Denoise", resources=gpu)
        after = [jobs["film"]]
        await submit("after", "count_words", texts, name="Subtitles", after=after)
    return jobs


def submitted(busy: Busy, kind: str, payloads: list[Any], **options: Any) -> int:
    """Submit a job; return its number."""
    plugins = [busy.plugins, busy.machine.plugins]

    async def submit() -> int:
        async with dc.AsyncClient(busy.server.address, plugins=plugins) as client:
            return (await client.submit(kind, payloads, **options)).number

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dc.NoWorkerWarning)
        return trio.run(submit)
