"""Draws a picture by following rays of light, in tiles, on all computers at once.

    python -m dc submit render 1280x720 samples=16 > picture.png

It is an example: a split that cuts, a task in plain Python that takes its time, and a merge that
puts a file together as the tiles come.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

import dc

from .png import CHANNELS, png_of
from .tracer import Camera, pixel

SIZE: Final = re.compile(r"(\d+)x(\d+)")
MOST_PIXELS: Final = 32_768
"""Along a side: some gigabytes of picture."""


class Picture(Struct, forbid_unknown_fields=True):
    """A picture to draw.

    Attributes:
        width: in pixels.
        height: in pixels.
        samples: rays for each pixel; 4 for a quick look, 16 for a good one, 64 for a fine one.
        tile: side of the squares that it is cut into, in pixels: each is a task.
        turn: by how many degrees one goes around the scene.
    """

    width: Annotated[int, Meta(ge=1, le=MOST_PIXELS)] = 640
    height: Annotated[int, Meta(ge=1, le=MOST_PIXELS)] = 360
    samples: Annotated[int, Meta(ge=1, le=4096)] = 9
    tile: Annotated[int, Meta(ge=8, le=1024)] = 64
    turn: Annotated[float, Meta(ge=-360, le=360)] = 0.0


class Tile(Struct):
    """A part of a picture: its place, and how large it is, in pixels."""

    picture: Picture
    left: int
    top: int
    width: int
    height: int


class Drawn(Struct):
    """A tile that is drawn: three bytes for each pixel, row by row."""

    tile: Tile
    pixels: bytes


@dc.task_type
def render(tile: Tile, context: dc.Context) -> Drawn:
    """Draw one tile of a picture."""
    picture = tile.picture
    camera = Camera(picture.width, picture.height, picture.turn)
    pixels = bytearray()
    for row in range(tile.height):
        for column in range(tile.width):
            light = pixel(camera, tile.left + column, tile.top + row, picture.samples)
            pixels += bytes(map(_shade, light))
        context.progress((row + 1) / tile.height)
    return Drawn(tile, bytes(pixels))


@render.split
def tiles_of(*words: str | Picture) -> Iterator[Tile]:
    """Yield the tiles of one picture, row by row.

    From the command line it is described in words: `1280x720 samples=16 turn=30 tile=64`.
    """
    picture = _picture_of(words)
    for top in range(0, picture.height, picture.tile):
        for left in range(0, picture.width, picture.tile):
            width = min(picture.tile, picture.width - left)
            height = min(picture.tile, picture.height - top)
            yield Tile(picture, left, top, width, height)


@render.merge
def file_of(results: Iterable[Drawn]) -> bytes:
    """Return the picture as a PNG file."""
    drawn = iter(results)
    first = next(drawn)
    picture = first.tile.picture
    return b"".join(png_of(picture.width, picture.height, _rows(first, drawn)))


def _picture_of(words: tuple[str | Picture, ...]) -> Picture:
    said: Any = {}
    if len(words) > 1 and not all(isinstance(word, str) for word in words):
        raise dc.PayloadError("one picture is one job: give a Picture alone, or words")
    for word in words:
        if not isinstance(word, str):  # by its fields: this module may be imported twice
            said = word
        elif size := SIZE.fullmatch(word):
            said["width"], said["height"] = size.groups()
        else:
            name, _, value = word.partition("=")
            said[name] = value
    try:
        return msgspec.convert(said, Picture, strict=False, from_attributes=True)
    except msgspec.ValidationError as error:
        raise dc.PayloadError(f"{error}; write it as 1280x720 samples=16 turn=30 tile=64") from None


def _rows(first: Drawn, drawn: Iterator[Drawn]) -> Iterator[bytes]:
    """Yield the rows of a picture; of the tiles, those side by side are held."""
    beside = [first]
    for one in drawn:
        if one.tile.top != beside[0].tile.top:
            yield from _rows_of(beside)
            beside = []
        beside.append(one)
    yield from _rows_of(beside)


def _rows_of(beside: list[Drawn]) -> Iterator[bytes]:
    for row in range(beside[0].tile.height):
        yield b"".join(_row_of(one, row) for one in beside)


def _row_of(drawn: Drawn, row: int) -> bytes:
    size = CHANNELS * drawn.tile.width
    return drawn.pixels[row * size : (row + 1) * size]


def _shade(light: float) -> int:
    """Return how bright a pixel is to be: what is bright fades into white, as on film."""
    film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return round(255 * math.pow(min(1.0, max(0.0, film)), 1 / 2.2))
