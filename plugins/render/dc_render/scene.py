"""What is in the picture, and where light comes from."""

from __future__ import annotations

import math
from typing import Final, NamedTuple, TypeAlias

Colour: TypeAlias = tuple[float, float, float]
"""Red, green and blue: light, 1 for as much as paper sends back in the sun."""


class Sphere(NamedTuple):
    """A sphere that rests above or on the floor.

    `mirror` is how much it reflects when looked at straight; `glass` is whether light passes.
    """

    x: float
    y: float
    z: float
    radius: float
    colour: Colour
    mirror: float
    glass: bool = False


def _hue(turn: float) -> Colour:
    """Return a colour of the rainbow, from 0 to 1."""
    red, green, blue = (
        0.5 + 0.5 * math.cos(2 * math.pi * (turn - third / 3)) for third in range(3)
    )
    return 0.05 + 0.85 * red**1.5, 0.05 + 0.75 * green**1.5, 0.05 + 0.85 * blue**1.5


def _ring(count: int, distance: float, radius: float, first: float) -> list[Sphere]:
    """Return spheres around the middle, in the colours of the rainbow."""
    found = []
    for at in range(count):
        angle = 2 * math.pi * (at + first) / count
        x, z = distance * math.cos(angle), distance * math.sin(angle)
        found.append(Sphere(x, radius, z, radius, _hue(at / count), 0.06))
    return found


SPHERES: Final = (
    Sphere(0.0, 1.05, 0.0, 1.05, (0.92, 0.92, 0.95), 0.88),
    *_ring(11, 1.95, 0.40, 0.25),
    Sphere(1.20, 0.55, -2.75, 0.55, (0.97, 1.0, 0.98), 0.05, glass=True),
    Sphere(-1.75, 0.30, -2.45, 0.30, (0.95, 0.75, 0.35), 0.60),
    Sphere(-0.35, 0.18, -2.75, 0.18, (0.90, 0.25, 0.20), 0.06),
)

LIGHT: Final = (-5.2, 5.0, 0.4)
LIGHT_SIZE: Final = 1.0
"""Half the side of the square from which light comes: it makes shadows soft."""

LIGHT_COLOUR: Final[Colour] = (1.22, 1.10, 0.92)

TILES: Final[tuple[Colour, Colour]] = (0.52, 0.50, 0.46), (0.055, 0.06, 0.075)
"""Of the floor, light and dark."""

TILES_MIRROR: Final = 0.04


def sky(x: float, y: float, z: float) -> Colour:
    """Return the light that comes from a direction, of length 1, in which nothing is."""
    height = max(0.0, y) ** 0.55
    red, green, blue = 0.66 - 0.58 * height, 0.72 - 0.50 * height, 0.80 - 0.26 * height
    lx, ly, lz = LIGHT
    length = math.sqrt(lx * lx + ly * ly + lz * lz)
    glow = max(0.0, (x * lx + y * ly + z * lz) / length)
    near = 0.35 * glow**10 + 4.0 * glow**900
    return red + near, green + 0.9 * near, blue + 0.7 * near
