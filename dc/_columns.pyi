"""What dc/_columns.pyx offers. The words about each name are beside its code."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

_Item = TypeVar("_Item")

class Weight(NamedTuple):
    bytes: int
    longest: int
    others: int

def weigh(column: list[Any]) -> Weight: ...
def total(column: list[_Item], each: int, size_of: Callable[[_Item], int]) -> int: ...
def cut(
    column: list[_Item], each: int, size_of: Callable[[_Item], int], most: int, most_bytes: int
) -> list[tuple[int, int]]: ...

class Tally(NamedTuple):
    total: int
    shortest: int
    longest: int
    others: list[int]

def tally(
    times: list[float], outcomes: list[Any], bounds: list[float], counts: list[int]
) -> Tally: ...
def spread(times: list[float], offset: int, step: int) -> list[int]: ...
def by_size(column: list[float], bounds: list[float], counts: list[int]) -> float: ...
