"""Looks for patterns in a large text: `python search.py TEXT PATTERN…`, with a server's --url.

The text is put once. A second run with the same file sends nothing, and a worker that has it in its
cache fetches nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dc

HERE = Path(__file__).parent


def main() -> None:
    """Submit a task for each pattern, and print what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("patterns", nargs="+")
    parser.add_argument("--url", default="http://127.0.0.1:8220")
    options = parser.parse_args()
    with dc.Client(options.url, plugins=[HERE]) as client:
        text = client.put(options.text)
        job = client.submit("occurrences", options.patterns, inputs={"text": text})
        for pattern, (count, first) in zip(options.patterns, job.results(), strict=True):
            places = ", ".join(f"{place:,}" for place in first)
            print(f"{pattern}: {count:,}" + (f", first at {places}" if first else ""))


if __name__ == "__main__":
    main()
