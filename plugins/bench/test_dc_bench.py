"""The bench plugin: what goes in comes out, in a real executor too."""

from __future__ import annotations

from pathlib import Path

from dc_bench import noop

import dc.testing


def test_it_gives_the_payload_back_untouched() -> None:
    assert noop.payload_codec == noop.result_codec == "bytes"
    assert dc.testing.run(noop, b"\xff\x00") == b"\xff\x00"
    assert dc.testing.run_in_executor(Path(__file__).parent, "noop", [b"a", b""]) == [b"a", b""]
