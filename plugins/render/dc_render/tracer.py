"""Follows rays of light backwards, from the eye to where the light comes from.

In plain Python, a sample takes some 50 us: what makes it worth many computers. Points and
directions are three numbers each and not objects, as those would double the time.

Samples are no random numbers. Those of a pixel are spread evenly over the pixel and the light (a
sequence of steps by powers of one number, each modulo 1), from where a hash of its place begins. So
a picture is the same however it is cut into tiles.
"""

from __future__ import annotations

import math
from typing import Final

from .scene import (
    LIGHT,
    LIGHT_COLOUR,
    LIGHT_SIZE,
    SPHERES,
    TILES,
    TILES_MIRROR,
    Colour,
    Sphere,
    sky,
)

LEAST: Final = 0.02
"""Of a ray's light that reaches the eye: what is less is not followed on."""

NEAR: Final = 1e-4
FAR: Final = 1e9
REFRACTION: Final = 1.5
GLASS: Final = 0.8
"""Of a ray's weight, after each time that it meets glass: it could go on within for ever."""

GLASS_SHADOW: Final = 0.72
"""Of the light that goes through glass."""

FIELD: Final = math.tan(math.radians(17.0))
"""Half of the picture's height, seen from a distance of 1."""

EYE_DISTANCE, EYE_HEIGHT, LOOKS_AT = 7.4, 3.2, 0.62

_ROOT: Final = 1.1673039782614187  # of x**5 = x + 1: its powers spread best in four dimensions
STEPS: Final = tuple(_ROOT**-power for power in (1, 2, 3, 4))

_BALLS: Final = [(one.x, one.y, one.z, one.radius**2, one) for one in SPHERES]


class Camera:
    """Where the picture is seen from.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        turn: by how many degrees the eye goes around the scene.
    """

    def __init__(self, width: int, height: int, turn: float) -> None:
        angle = math.radians(turn)
        self.x, self.y, self.z = (
            EYE_DISTANCE * math.sin(angle),
            EYE_HEIGHT,
            -EYE_DISTANCE * math.cos(angle),
        )
        self._middle = width / 2, height / 2
        self._unit = FIELD / (height / 2)
        down = math.atan2(EYE_HEIGHT - LOOKS_AT, EYE_DISTANCE)
        self._sin, self._cos = math.sin(angle), math.cos(angle)
        self._down = math.sin(down), math.cos(down)

    def direction(self, column: float, row: float) -> tuple[float, float, float]:
        """Return the direction, of length 1, in which a place of the picture is seen."""
        across = (column - self._middle[0]) * self._unit
        up = (self._middle[1] - row) * self._unit
        sin, cos = self._down
        y, ahead = up * cos - sin, up * sin + cos
        x = across * self._cos - ahead * self._sin
        z = across * self._sin + ahead * self._cos
        length = math.sqrt(x * x + y * y + z * z)
        return x / length, y / length, z / length


def pixel(camera: Camera, column: int, row: int, samples: int) -> Colour:
    """Return the light that comes through a pixel, as the mean of so many samples."""
    a, b, c, d = _beginnings(column, row)
    red = green = blue = 0.0
    for _ in range(samples):
        a, b, c, d = (
            (a + STEPS[0]) % 1.0,
            (b + STEPS[1]) % 1.0,
            (c + STEPS[2]) % 1.0,
            (d + STEPS[3]) % 1.0,
        )
        light = (
            LIGHT[0] + LIGHT_SIZE * (2 * c - 1),
            LIGHT[1],
            LIGHT[2] + LIGHT_SIZE * (2 * d - 1),
        )
        x, y, z = camera.direction(column + a, row + b)
        one = trace(camera.x, camera.y, camera.z, x, y, z, light, 1.0)
        # What is very bright is bounded before the mean is taken: else its edges have steps.
        red, green, blue = (
            red + min(one[0], 2.0),
            green + min(one[1], 2.0),
            blue + min(one[2], 2.0),
        )
    return red / samples, green / samples, blue / samples


def _beginnings(column: int, row: int) -> tuple[float, float, float, float]:
    """Return four numbers from 0 to 1 that look random."""
    mixed = (column * 0x9E3779B97F4A7C15 + row * 0xC2B2AE3D27D4EB4F) & 0xFFFFFFFFFFFFFFFF
    for _ in range(2):
        mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    one, two, three, four = ((mixed >> shift & 0xFFFF) / 0x10000 for shift in (0, 16, 32, 48))
    return one, two, three, four


def trace(
    x: float, y: float, z: float, dx: float, dy: float, dz: float, light: Colour, weight: float
) -> Colour:
    """Return the light that comes to a point.

    Args:
        x, y, z: the point.
        dx, dy, dz: the direction to look in, of length 1.
        light: the place that light comes from.
        weight: how much of it reaches the eye, from 0 to 1.
    """
    far, ball = _nearest(x, y, z, dx, dy, dz)
    if ball is None:
        if dy >= -1e-6:
            return sky(dx, dy, dz)
        far = -y / dy
        return _floor(x + far * dx, z + far * dz, dx, dy, dz, far, light, weight)
    x, y, z = x + far * dx, y + far * dy, z + far * dz
    nx, ny, nz = (x - ball.x) / ball.radius, (y - ball.y) / ball.radius, (z - ball.z) / ball.radius
    facing = dx * nx + dy * ny + dz * nz
    if ball.glass:
        return _glass(x, y, z, dx, dy, dz, nx, ny, nz, facing, ball, light, weight)
    mirror = ball.mirror + (1 - ball.mirror) * (1 + facing) ** 5
    return _surface(
        x, y, z, dx, dy, dz, nx, ny, nz, facing, ball.colour, mirror, ball.mirror, light, weight
    )


def _nearest(
    x: float, y: float, z: float, dx: float, dy: float, dz: float
) -> tuple[float, Sphere | None]:
    """Return how far away the first sphere in a direction is, and which."""
    least, found = FAR, None
    for cx, cy, cz, square, ball in _BALLS:
        ox, oy, oz = x - cx, y - cy, z - cz
        toward = ox * dx + oy * dy + oz * dz
        away = ox * ox + oy * oy + oz * oz - square
        if toward > 0 and away > 0:
            continue  # behind
        inner = toward * toward - away
        if inner <= 0:
            continue
        root = math.sqrt(inner)
        far = -toward - root
        if far < NEAR:
            far = root - toward
        if NEAR < far < least:
            least, found = far, ball
    return least, found


def _floor(
    x: float, z: float, dx: float, dy: float, dz: float, far: float, light: Colour, weight: float
) -> Colour:
    """Return the light from a place of the floor."""
    colour = TILES[(math.floor(x * 0.8) + math.floor(z * 0.8)) & 1]
    mirror = TILES_MIRROR + (1 - TILES_MIRROR) * (1 + dy) ** 5 * 0.8
    found = _surface(x, 0.0, z, dx, dy, dz, 0.0, 1.0, 0.0, dy, colour, mirror, 0.0, light, weight)
    haze = 1 - math.exp(-((far / 55.0) ** 2))
    fog = sky(dx, 0.0, dz)
    return _mixed(found, fog, haze)


def _surface(
    x: float, y: float, z: float, dx: float, dy: float, dz: float,
    nx: float, ny: float, nz: float, facing: float,
    colour: Colour, mirror: float, metal: float, light: Colour, weight: float,
) -> Colour:  # fmt: skip
    """Return the light from a surface: what it scatters, and what it reflects."""
    found = _scattered(x, y, z, dx, dy, dz, nx, ny, nz, facing, colour, mirror, light)
    weight *= mirror
    if weight < LEAST:
        return found
    twice = 2 * facing
    seen = trace(
        x + NEAR * nx, y + NEAR * ny, z + NEAR * nz,
        dx - twice * nx, dy - twice * ny, dz - twice * nz, light, weight,
    )  # fmt: skip
    if metal > 0.2:  # metal colours what it reflects
        seen = seen[0] * colour[0], seen[1] * colour[1], seen[2] * colour[2]
    return found[0] + mirror * seen[0], found[1] + mirror * seen[1], found[2] + mirror * seen[2]


def _scattered(
    x: float, y: float, z: float, dx: float, dy: float, dz: float,
    nx: float, ny: float, nz: float, facing: float,
    colour: Colour, mirror: float, light: Colour,
) -> Colour:  # fmt: skip
    """Return the light of the lamp and of the sky that a surface sends on, with a highlight."""
    lx, ly, lz = light[0] - x, light[1] - y, light[2] - z
    length = math.sqrt(lx * lx + ly * ly + lz * lz)
    lx, ly, lz = lx / length, ly / length, lz / length
    slope = nx * lx + ny * ly + nz * lz
    lit = shine = 0.0
    if slope > 0:
        lit = _passes(x + NEAR * nx, y + NEAR * ny, z + NEAR * nz, lx, ly, lz, length)
        back = (dx - 2 * facing * nx) * lx + (dy - 2 * facing * ny) * ly
        back += (dz - 2 * facing * nz) * lz
        shine = lit * 0.35 * back**60 if back > 0 else 0.0
        lit *= slope
    around = _openness(x, y, z, nx, ny, nz) * (0.16 + 0.11 * ny)
    part = 1 - mirror
    return (
        part * colour[0] * (lit * LIGHT_COLOUR[0] + around * 0.90) + shine,
        part * colour[1] * (lit * LIGHT_COLOUR[1] + around * 0.98) + shine,
        part * colour[2] * (lit * LIGHT_COLOUR[2] + around * 1.12) + shine,
    )


def _passes(x: float, y: float, z: float, dx: float, dy: float, dz: float, length: float) -> float:
    """Return how much of the lamp's light comes through to a point, from 0 to 1."""
    light = 1.0
    for cx, cy, cz, square, ball in _BALLS:
        ox, oy, oz = x - cx, y - cy, z - cz
        toward = ox * dx + oy * dy + oz * dz
        if toward > 0:
            continue
        away = ox * ox + oy * oy + oz * oz - square
        if toward * toward > away and (away > 0 or ball.glass) and -toward < length:
            if not ball.glass:
                return 0.0
            light *= GLASS_SHADOW
    return light


def _openness(x: float, y: float, z: float, nx: float, ny: float, nz: float) -> float:
    """Return how much of the sky a point sees, from 0 to 1: spheres near to it hide some."""
    seen = 1.0 if ny >= 0 else 1 + 0.35 * ny / (1 + 4 * y)
    for cx, cy, cz, square, _ in _BALLS:
        ox, oy, oz = cx - x, cy - y, cz - z
        distance = ox * ox + oy * oy + oz * oz
        if square < distance < 12 * square:
            slope = nx * ox + ny * oy + nz * oz
            if slope > 0:
                seen *= 1 - slope / math.sqrt(distance) * square / distance
    return seen


def _glass(
    x: float, y: float, z: float, dx: float, dy: float, dz: float,
    nx: float, ny: float, nz: float, facing: float,
    ball: Sphere, light: Colour, weight: float,
) -> Colour:  # fmt: skip
    """Return the light from glass: what it reflects, and what comes through."""
    weight *= GLASS
    if weight < LEAST:
        return sky(dx, dy, dz)
    ratio = 1 / REFRACTION
    if facing > 0:  # from within
        nx, ny, nz, facing, ratio = -nx, -ny, -nz, -facing, REFRACTION
    inner = 1 - ratio * ratio * (1 - facing * facing)
    twice = 2 * facing
    mirrored = dx - twice * nx, dy - twice * ny, dz - twice * nz
    place = x + NEAR * nx, y + NEAR * ny, z + NEAR * nz
    if inner <= 0:
        return trace(*place, *mirrored, light, weight)
    along = -ratio * facing - math.sqrt(inner)
    seen = trace(
        x - NEAR * nx, y - NEAR * ny, z - NEAR * nz,
        ratio * dx + along * nx, ratio * dy + along * ny, ratio * dz + along * nz,
        light, weight,
    )  # fmt: skip
    through = seen[0] * ball.colour[0], seen[1] * ball.colour[1], seen[2] * ball.colour[2]
    slanted = facing if ratio < 1 else -math.sqrt(inner)
    part = ball.mirror + (1 - ball.mirror) * (1 + slanted) ** 5
    if part * weight < LEAST:
        return through
    return _mixed(through, trace(*place, *mirrored, light, weight), part)


def _mixed(one: Colour, two: Colour, part: float) -> Colour:
    return (
        one[0] + part * (two[0] - one[0]),
        one[1] + part * (two[1] - one[1]),
        one[2] + part * (two[2] - one[2]),
    )
