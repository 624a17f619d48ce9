"""The commands that move bytes: `put`, `get`, inputs, saved results, and their progress."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from dc import messages_parts
from dc.cli.progress import Bar, Lines
from dc.cli.screen import Screen
from dc.cli.transfers import Speed, size_text
from dc.client.records import JobStatus
from dc.client.transfers import Transfer
from tests.client.fake_server import pack
from tests.client.test_cli import Capture, Line, dctl

__all__ = ["dctl"]

BIG = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BIG).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(BIG)
    return path


def binary_out(capfdbinary: pytest.CaptureFixture[bytes]) -> bytes:
    return capfdbinary.readouterr().out


def test_put_prints_what_to_name_it_by(
    dctl: Line, capsys: Capture, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dctl("put", str(file)) == 0
    assert capsys.readouterr().out == f"{DIGEST}  {file}\n"
    assert dctl.server.blobs == {DIGEST: BIG}
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"piped")))
    assert dctl("put", "-", str(file), "--json") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    piped = hashlib.sha256(b"piped").hexdigest()
    assert first == {"digest": piped, "size": 5, "file": "-"}
    assert second == {"digest": DIGEST, "size": len(BIG), "file": str(file)}
    assert dctl("put", "/nowhere") == 2
    assert capsys.readouterr().err == "dc: /nowhere: No such file or directory\n"


def test_get_by_digest_and_by_task(dctl: Line, capsys: Capture, file: Path, tmp_path: Path) -> None:
    assert dctl("submit", "echo", f"@{file}", "few", "--no-wait") == 0
    to = tmp_path / "to"
    for what in (DIGEST, DIGEST.upper(), "1/0"):
        assert dctl("get", what, "-o", str(to)) == 0
        assert to.read_bytes() == BIG
        to.unlink()
    capsys.readouterr()
    assert dctl("get", "1/1", "--output", str(to), "--json") == 0
    assert to.read_bytes() == b"few"
    digest = hashlib.sha256(b"few").hexdigest()
    said = json.loads(capsys.readouterr().out)
    assert said == {"digest": digest, "size": 3, "file": str(to)}
    for wrong, why in [("3", "neither J/T"), ("00" * 32, "not here"), ("2/0", "no job 2")]:
        assert dctl("get", wrong, "-o", str(to)) == 2
        assert why in capsys.readouterr().err
    assert dctl("get", "1/0", "-o", str(tmp_path / "no" / "to")) == 2
    assert "No such file or directory" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["big.bin", "to"]  # noqa: PTH208


def test_get_to_standard_output(
    dctl: Line, capfdbinary: pytest.CaptureFixture[bytes], file: Path
) -> None:
    assert dctl("submit", "echo", f"@{file}", "--no-wait") == 0
    capfdbinary.readouterr()
    assert dctl("get", "1/0") == 0
    assert binary_out(capfdbinary) == BIG
    assert dctl("results", "1") == 0
    assert binary_out(capfdbinary) == BIG + b"\n"


def test_inputs_by_file_and_by_digest(dctl: Line, capsys: Capture, file: Path) -> None:
    assert dctl("put", str(file)) == 0
    puts = len(dctl.server.puts)
    words = ["--input", f"table={file}", "--input", f"again={DIGEST}", f"@{DIGEST}"]
    assert dctl("submit", "echo", "--no-wait", *words) == 0
    inputs = dctl.server.jobs[1].options["inputs"]
    assert {name: digest.hex() for name, (_, digest, _) in inputs.items()} == {
        "table": DIGEST,
        "again": DIGEST,
    }
    assert [one.digest.hex() for one in dctl.server.jobs[1].payloads] == [DIGEST]
    assert len(dctl.server.puts) <= puts + 1  # the fake server does not say what it has
    capsys.readouterr()
    for wrong in ("table", "=x", "table="):
        assert dctl("submit", "echo", "--input", wrong) == 2
        assert "is not NAME=FILE" in capsys.readouterr().err
    assert dctl("submit", "echo", "--input", "table=/nowhere") == 2
    assert capsys.readouterr().err == "dc: /nowhere: No such file or directory\n"


def test_options_between_inputs(dctl: Line, capsys: Capture) -> None:
    assert dctl("submit", "square", "--name", "n", "2", "--cpus", "2", "3", "-4") == 0
    assert capsys.readouterr().out == "4\n9\n16\n"
    assert dctl.server.jobs[1].options["name"] == "n"


def test_results_are_saved_and_passed_over_the_next_time(
    dctl: Line, capsys: Capture, file: Path, tmp_path: Path
) -> None:
    assert dctl("submit", "echo", f"@{file}", "few", "--no-wait") == 0
    folder = tmp_path / "new" / "results"
    assert dctl("results", "1", "--save", str(folder)) == 0
    assert sorted(os.listdir(folder)) == ["0", "1"]  # noqa: PTH208
    assert ((folder / "0").read_bytes(), (folder / "1").read_bytes()) == (BIG, b"few")
    assert f"results saved in {folder}: 2\n" in capsys.readouterr().err
    (folder / "0").write_bytes(BIG[:-1] + b"x")
    dctl.server.gets.clear()
    assert dctl("results", "1", "--save", str(folder), "--json") == 0
    out, err = capsys.readouterr()
    assert f"results saved in {folder}: 1, there already: 1\n" in err
    records = [json.loads(line) for line in out.splitlines()]
    assert records[0]["result"] == {"file": str(folder / "0")}
    assert (folder / "0").read_bytes() == BIG
    assert len(dctl.server.gets) == 1
    assert dctl("results", "1", "--save", str(file)) == 2
    assert "File exists" in capsys.readouterr().err


def test_values_are_saved_as_json_and_failures_told(
    dctl: Line, capsys: Capture, tmp_path: Path
) -> None:
    assert dctl("submit", "square", "5", "13", "--no-wait") == 0
    assert dctl("results", "1", "--save", str(tmp_path / "out")) == 1
    assert sorted(os.listdir(tmp_path / "out")) == ["0.json"]  # noqa: PTH208
    assert (tmp_path / "out" / "0.json").read_text() == "25\n"
    assert "ValueError: thirteen" in capsys.readouterr().err


def test_save_and_merge_exclude_each_other(
    dctl: Line, capsys: Capture, tmp_path: Path, file: Path
) -> None:
    (tmp_path / "p").mkdir()
    plugin = "import dc\n@dc.task_type\ndef echo(data: bytes) -> bytes: return data\n"
    plugin += "@echo.merge\ndef merge(results): return b''.join(results)\n"
    (tmp_path / "p" / "dc_echo.py").write_text(plugin)
    words = ["--plugins", str(tmp_path / "p")]
    assert dctl("submit", "echo", "a", f"@{file}", *words, "--output", str(tmp_path / "all")) == 0
    assert (tmp_path / "all").read_bytes() == b"a" + BIG  # large results are merged as values
    assert dctl("results", "1", "--merge", "--save", str(tmp_path), *words) == 2
    assert "leave out --save" in capsys.readouterr().err


def test_large_results_as_json_are_base64(dctl: Line, capsys: Capture, file: Path) -> None:
    assert dctl("submit", "echo", f"@{file}", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["result"]) == (len(BIG) + 2) // 3 * 4


# --- progress -------------------------------------------------------------------------------------


@pytest.fixture
def transfer() -> Transfer:
    made = Transfer("a\x1b[31mtable", 5_000_000_000, upwards=True)
    made.told(1_000_000_000)
    return made


def test_sizes() -> None:
    assert [size_text(n) for n in (0, 999, 1000, 2_500_000, 1.5e9)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "2.5 MB",
        "1.5 GB",
    ]


def test_speed(transfer: Transfer) -> None:
    speed = Speed(10.0, 1_000_000_000)
    assert speed.text(transfer, 10.0) == ""
    transfer.told(2_000_000_000)
    assert speed.text(transfer, 14.0) == "250 MB/s, 12 s left"


def test_lines_of_transfers(capsys: Capture, transfer: Transfer) -> None:
    now = 0.0
    lines = Lines(Screen(), lambda: now)
    lines.move([transfer])
    now = 4.9
    lines.move([transfer])
    assert capsys.readouterr().err == ""
    now = 5.0
    transfer.told(2_000_000_000)
    lines.move([transfer])
    lines.move([transfer])
    said = "a�[31mtable: 2 GB of 5 GB, 200 MB/s, 15 s left\n"
    assert capsys.readouterr().err == said
    lines.move([])
    lines.move([transfer])
    now = 9.0
    lines.move([transfer])
    assert capsys.readouterr().err == ""
    lines.close()


def test_rows_of_transfers_beside_the_job(transfer: Transfer) -> None:
    screen, now = Screen(), 0.0
    screen.error_console = Console(file=io.StringIO(), force_terminal=True, width=100)
    bar = Bar(screen, lambda: now)
    bar.move([])
    assert screen.error_console.file.getvalue() == ""  # type: ignore[attr-defined]
    bar.show(JobStatus(4, "echo", "1", "running", 10, 6, 0, 1, 3, 0, 0, ""))
    bar.move([transfer])
    now = 2.0
    transfer.told(3_000_000_000)
    bar.move([transfer])
    rows = [task.description for task in bar._progress.tasks]
    assert rows == ["job 4", "a�[31mtable"]
    row = bar._progress.tasks[1]
    assert (row.completed, row.total) == (3_000_000_000, 5_000_000_000)
    assert row.fields == {"count": "3 GB of 5 GB", "rest": "1 GB/s, 2 s left"}
    bar.move([])
    assert len(bar._progress.tasks) == 1
    bar.close()


def test_failures_are_no_results(dctl: Line, capsys: Capture, tmp_path: Path) -> None:
    failed = messages_parts.Failure("error", "oops")
    dctl.server.types["echo"].run = lambda number, data: failed if number else pack(1)
    assert dctl("submit", "echo", "a", "b", "--no-wait") == 0
    assert dctl("results", "1", "--save", str(tmp_path / "out"), "--json") == 1
    assert os.listdir(tmp_path / "out") == ["0"]  # noqa: PTH208
