"""Counts the words of all text files of a folder: the smallest complete plugin of dc."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import dc

ENDINGS = {".md", ".py", ".rst", ".txt"}


@dc.task_type(version="1")
def wordcount(text: str) -> dict[str, int]:
    """Count the words of one text."""
    return Counter(re.findall(r"\w+", text.lower()))


@wordcount.split
def texts_of(*places: str) -> Iterator[str]:
    """Yield one payload, the text itself, for each file: a worker may be another computer."""
    for place in map(Path, places):
        for path in [place, *sorted(place.rglob("*"))]:
            if path.suffix in ENDINGS and path.is_file():
                yield path.read_text("utf-8", errors="replace")


@wordcount.merge
def table_of(results: Iterable[dict[str, int]]) -> dict[str, int]:
    """Add all counts up; the most frequent words come first."""
    total: Counter[str] = Counter()
    for counts in results:
        total.update(counts)
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))
