"""The render plugin: a picture that is right wherever that can be told, and a file that is one."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import msgspec
import pytest
from dc_render import Drawn, Picture, Tile, file_of, render, tiles_of
from dc_render.png import png_of
from dc_render.scene import LIGHT, SPHERES, sky
from dc_render.tracer import Camera, pixel, trace

import dc
import dc.testing

HERE = Path(__file__).parent
SMALL = Picture(40, 24, samples=1, tile=16)


def rows_of(png: bytes) -> list[bytes]:
    """Return the rows of a PNG file, by another way than it was written."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, width = 8, b"", 0
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        data, checksum = png[at + 8 : at + 8 + size], png[at + 8 + size : at + 12 + size]
        assert zlib.crc32(kind + data) == int.from_bytes(checksum, "big")
        if kind == b"IHDR":
            width = struct.unpack_from(">I", data)[0]
        packed += data if kind == b"IDAT" else b""
        at += 12 + size
    assert kind == b"IEND"
    return unfiltered(zlib.decompress(packed), 3 * width)


def unfiltered(data: bytes, size: int) -> list[bytes]:
    above, rows = bytes(size), []
    for first in range(0, len(data), size + 1):
        form, row = data[first], bytearray(data[first + 1 : first + 1 + size])
        for at in range(size):
            left = row[at - 3] if at >= 3 else 0
            row[at] = (row[at] + (0, left, above[at])[form]) & 255
        above = bytes(row)
        rows.append(above)
    return rows


def test_png_of_every_kind_of_row() -> None:
    width = 30
    rows = [
        bytes(3 * width),
        bytes(range(3 * width)),
        bytes(range(1, 3 * width + 1)),
        bytes((at * at * 7) % 256 for at in range(3 * width)),
        b"\xff" * 3 * width,
    ]
    png = b"".join(png_of(width, len(rows), rows))
    assert struct.unpack_from(">II", png, 16) == (width, len(rows))
    assert rows_of(png) == rows


def test_tiles_cover_the_picture_once() -> None:
    tiles = list(tiles_of(Picture(100, 50, tile=32)))
    places = [
        (tile.left + column, tile.top + row)
        for tile in tiles
        for row in range(tile.height)
        for column in range(tile.width)
    ]
    assert sorted(places) == [(column, row) for column in range(100) for row in range(50)]
    assert [(tile.left, tile.top) for tile in tiles[:5]] == [
        (0, 0),
        (32, 0),
        (64, 0),
        (96, 0),
        (0, 32),
    ]


def test_a_picture_is_the_same_however_it_is_cut() -> None:
    whole = dc.testing.run_all(render, Picture(40, 24, samples=1, tile=64))
    assert dc.testing.run_all(render, SMALL) == whole
    assert len(rows_of(whole)) == 24
    assert dc.testing.run_all(render, Picture(40, 24, samples=1, tile=16, turn=90)) != whole


def test_tiles_are_merged_as_they_are_drawn() -> None:
    tiles = list(tiles_of(Picture(20, 18, tile=8)))
    drawn = [
        Drawn(
            tile,
            bytes(tile.top + at // (3 * tile.width) for at in range(3 * tile.width * tile.height)),
        )
        for tile in tiles
    ]
    assert rows_of(file_of(drawn)) == [bytes([row]) * 60 for row in range(18)]


def test_words_of_the_command_line() -> None:
    assert next(tiles_of()).picture == Picture()
    expected = Picture(30, 20, samples=2, tile=8, turn=-4.5)
    assert next(tiles_of("30x20", "samples=2", "turn=-4.5", "tile=8")).picture == expected
    for words in (["0x5"], ["samples=0"], ["samples=x"], ["colour=red"], ["30 x 20"], ["tile=1"]):
        with pytest.raises(dc.PayloadError, match="write it as 1280x720"):
            list(tiles_of(*words))
    with pytest.raises(dc.PayloadError, match="one picture is one job"):
        list(tiles_of("30x20", Picture()))
    with pytest.raises(dc.PayloadError, match="Expected `object`, got `int`"):
        list(tiles_of(3))  # type: ignore[arg-type]


def test_a_picture_of_this_module_under_another_name() -> None:
    class Another(msgspec.Struct):
        width: int = 8
        height: int = 4

    assert next(tiles_of(Another())).picture == Picture(8, 4)  # type: ignore[arg-type]


def test_progress_is_told() -> None:
    told = dc.testing.Told()
    dc.testing.run(render, Tile(SMALL, 0, 0, 8, 4), told=told)
    assert [fraction for fraction, _ in told.progressed] == [0.25, 0.5, 0.75, 1.0]


def test_sky_floor_and_shadow() -> None:
    assert trace(0, 3, -9, 0, 0.6, -0.8, LIGHT, 1.0) == sky(0, 0.6, -0.8)
    in_the_open = trace(4.5, 3, -8.2, 0, -1, 0, LIGHT, 1.0)
    first = SPHERES[0]
    # The place of the floor that the middle of the largest sphere hides from the light
    part = first.y / (LIGHT[1] - first.y)
    x, z = first.x - part * (LIGHT[0] - first.x), first.z - part * (LIGHT[2] - first.z)
    hidden = trace(x, 0.01, z, 0, -1, 0, LIGHT, 1.0)
    assert sum(hidden) < 0.6 * sum(in_the_open)


def test_a_mirror_shows_what_is_behind_the_eye() -> None:
    first = SPHERES[0]
    up = trace(0, 9, 0, 0, -1, 0, LIGHT, 1.0)
    assert first.mirror > 0.5
    zenith = sky(0, 1, 0)
    for seen, light, colour in zip(up, zenith, first.colour, strict=True):
        assert seen >= 0.9 * first.mirror * light * colour


@pytest.mark.parametrize("turn", [0, 90, 213.5])
def test_directions_have_length_one_and_meet_the_middle(turn: float) -> None:
    camera = Camera(200, 100, turn)
    for column, row in ((0, 0), (100, 50), (199, 99), (13, 77)):
        assert math.hypot(*camera.direction(column, row)) == pytest.approx(1)
    x, y, z = camera.direction(100, 50)
    far = -math.hypot(camera.x, camera.z)
    assert (camera.x + x * -far / math.hypot(x, z), camera.z + z * -far / math.hypot(x, z)) == (
        pytest.approx((0, 0), abs=1e-9)
    )
    assert y < 0


def test_more_samples_are_nearer_to_the_mean() -> None:
    camera = Camera(64, 36, 0)
    places = [(column, 20) for column in range(20, 44)]
    best = {place: pixel(camera, *place, 256) for place in places}

    def error(samples: int) -> float:
        return sum(math.dist(pixel(camera, *place, samples), best[place]) for place in places)

    assert error(36) < 0.5 * error(1)


def test_in_a_real_executor() -> None:
    tile = Tile(SMALL, 0, 0, 4, 2)
    [drawn] = dc.testing.run_in_executor(HERE, "render", [tile])
    assert drawn.pixels == dc.testing.run(render, tile).pixels
