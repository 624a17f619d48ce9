"""Measure the codec of WebSocket frames: nanoseconds of processor time a frame.

    python -m benchmarks.frames

Each case is run several times; the figure is the least. `masked` is what a client sends. The
calls from Python are part of the figure: one to encode; to decode, one for each chunk and one for
each event, and one more that finds the chunk used up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.figures import least_cpu, show
from dc import _frames

MASK = b"\x37\xfa\x21\x3d"
LIMIT = 4 * 1024 * 1024
RECEIVE_BYTES = 64 * 1024
SIZES = {"64 B": (64, 16_384), "1 MB": (1_000_000, 64)}


def measure(case: str, size: str, frames: int, run: Callable[[], None]) -> None:
    show(f"{case}, {size}", least_cpu(run) / frames * 1e9, "ns")


def encode(payload: bytes, mask: bytes | None, frames: int) -> None:
    encode_frame = _frames.encode_frame
    for _ in range(frames):
        encode_frame(2, payload, mask)


def decode(chunks: list[bytes], client: bool, frames: int) -> None:
    decoder = _frames.FrameDecoder(client=client, limit=LIMIT)
    found = 0
    for chunk in chunks:
        decoder.receive_data(chunk)
        while decoder.next_event() is not None:
            found += 1
    if found != frames:
        raise AssertionError(f"{found} frames were decoded, not {frames}")


def main() -> None:
    for size, (length, frames) in SIZES.items():
        payload = (bytes(range(256)) * (length // 256 + 1))[:length]
        for name, mask in (("masked", MASK), ("plain", None)):
            frame = _frames.encode_frame(2, payload, mask)
            stream = frame * frames
            cuts = range(0, len(stream), RECEIVE_BYTES)
            pieces = [stream[at : at + RECEIVE_BYTES] for at in cuts]
            client = mask is None
            measure(f"encode {name}", size, frames, partial(encode, payload, mask, frames))
            whole = partial(decode, [frame] * frames, client, frames)
            measure(f"decode {name}, a frame in a chunk", size, frames, whole)
            cut = partial(decode, pieces, client, frames)
            measure(f"decode {name}, 64 KiB chunks", size, frames, cut)


if __name__ == "__main__":
    main()
