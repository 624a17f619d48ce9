"""Blobs between files and a server: whole, and gone on with after a cut."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from dc.errors import BlobMismatch, HttpError
from dc.http_blobs import BlobTransport, blob_of
from dc.messages import Blob
from tests.test_http_client import folder, names, site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DATA = bytes(range(256)) * 8192  # 2 MiB


@asynccontextmanager
async def files(path: Path) -> AsyncIterator[BlobTransport]:
    async with site(folder(path)) as (client, _):
        yield BlobTransport(client)


async def test_a_file_comes_down_whole(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(DATA)
    told: list[int] = []
    async with files(tmp_path) as transport:
        await transport.download("/there", await blob_of(DATA), tmp_path / "here", told.append)
    assert (tmp_path / "here").read_bytes() == DATA
    assert told[-1] == len(DATA)
    assert names(tmp_path) == ["here", "there"]


async def test_other_bytes_leave_no_file(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(DATA)
    async with files(tmp_path) as transport:
        for blob in (await blob_of(DATA[:-1] + b"x"), Blob((await blob_of(DATA)).digest, 7)):
            with pytest.raises(BlobMismatch):
                await transport.download("/there", blob, tmp_path / "here")
        with pytest.raises(HttpError):
            await transport.download("/where", await blob_of(DATA), tmp_path / "here")
    assert names(tmp_path) == ["there"]
