"""Where a worker's cache is: a folder of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dc.errors import StartError
from dc.worker.cache_place import CachePlace, open_cache
from dc.worker.executor_variables import CACHE_VARIABLE


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "")


def test_a_new_folder_is_for_this_user_alone_and_can_be_shared(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = open_cache(CachePlace(folder, 1000), tmp_path)
    second = open_cache(CachePlace(folder, 1000), tmp_path)
    assert os.environ[CACHE_VARIABLE] == f"1000:{folder}"
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o777 == 0o700
    first.close()
    second.close()
    open_cache(CachePlace(folder, 1000), tmp_path).close()


def test_a_folder_of_something_else_is_not_taken(tmp_path: Path) -> None:
    """Such as a server's blobs, which are named as a cache names them, and would be evicted."""
    blob = tmp_path / "ab" / ("0" * 62)
    blob.parent.mkdir()
    blob.write_bytes(b"a server's")
    with pytest.raises(StartError, match="there is something else in it"):
        open_cache(CachePlace(tmp_path, 0), tmp_path)
    assert list(tmp_path.rglob("*")) == [blob.parent, blob]
