"""The process that fuzzes one target: `python -m tests.fuzz.one TARGET [options of libFuzzer]`.

What is to be looked into is imported under atheris' eyes: it then tells libFuzzer which branches an
input takes. Of what is compiled, the interpreted form is taken, which does the same.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["h11", "dc.http_head", "dc.http_messages", "dc.http"]):
    import h11  # noqa: F401

    import dc.http

with atheris.instrument_imports(
    include=[
        *("dc.discovery", "dc.invites", "dc.pins", "dc.tokens", "dc.worker_proof"),
        *("dc.server.gate", "dc.server.networks"),
    ]
):
    import dc.discovery
    import dc.invites
    import dc.pins
    import dc.server.gate
    import dc.server.networks
    import dc.tokens
    import dc.worker_proof  # noqa: F401

from tests.conftest import interpreted
from tests.fuzz import targets


def main() -> None:
    """Fuzz; does not return."""
    name, *options = sys.argv[1:]
    frames = interpreted("_frames")
    for thing in vars(frames.FrameDecoder).values():
        if hasattr(thing, "__code__"):
            atheris.instrument_func(thing)
    targets.decoder_of = frames.FrameDecoder
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
