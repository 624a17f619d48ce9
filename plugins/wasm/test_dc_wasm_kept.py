"""Compiled code that is kept in files: found again, and never run once it was changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dc_wasm import Call, running, wasm
from dc_wasm.kept import Kept, is_ours
from dc_wasm.modules import Modules
from test_dc_wasm_texts import ECHO

import dc.testing


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that keeps all compiled code."""
    monkeypatch.setattr("dc_wasm.modules.KEPT_SECONDS", 0.0)
    return tmp_path / "kept"


def again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run a module in a new process, as it were; return whether it was compiled."""
    compiled = []
    compile_one = Modules._compile

    def noted(self: Any, *args: Any) -> Any:
        compiled.append(args)
        return compile_one(self, *args)

    with monkeypatch.context() as patches:
        patches.setattr(running, "WORKSHOP", running.Workshop(Kept(folder)))
        patches.setattr(Modules, "_compile", noted)
        for data in (b"x", b"y"):
            assert dc.testing.run(wasm, Call(module=ECHO, input=data)) == data
    assert len(compiled) <= 1
    return bool(compiled)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="kept where owners are told apart")
def test_compiled_code_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert again(folder, monkeypatch)
    assert not again(folder, monkeypatch)
    [file] = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="kept where owners are told apart")
def test_changed_code_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again(folder, monkeypatch)
    [file] = folder.iterdir()
    data = file.read_bytes()
    for changed in (data[:-1], data[:40], b"", data[:500] + b"\0" + data[501:]):
        file.write_bytes(changed)
        assert again(folder, monkeypatch)
        assert file.read_bytes() == data
    file.chmod(0o666)
    assert again(folder, monkeypatch)
    folder.chmod(0o777)
    assert again(folder, monkeypatch)
    folder.chmod(0o700)
    assert not again(folder, monkeypatch)
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.with_name("moved"))
    assert not is_ours(folder)
    assert again(folder, monkeypatch)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="kept where owners are told apart")
def test_the_oldest_files_leave(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dc_wasm.kept.MOST_BYTES", 3 * 132)
    kept = Kept(folder)
    for at, name in enumerate("abc"):
        kept.write(name, bytes(100))
        os.utime(folder / f"{name}.compiled", ns=(at, at))
    assert kept.read("a") is not None  # was used
    kept.write("d", bytes(100))
    assert [name for name in "abcd" if kept.read(name) is not None] == ["a", "c", "d"]
    kept.write("e", bytes(400))
    assert kept.read("e") is None


def test_a_place_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    assert again(file / "folder", monkeypatch)
