"""The worker's command line: until when it lives, and with what it starts anew."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

import pytest

from dc.errors import StartError
from dc.worker import __main__ as program
from dc.worker import ending
from dc.worker.folder import open_folder
from dc.worker.keeping import journal_path
from dc.worker.lifetime import end_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1d12h", 129600), ("1.5h", 5400), ("1h30m", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of("--x", text) == seconds
    assert end_of("--x", text, 1000.0) == 1000.0 + seconds


@pytest.mark.parametrize(
    "text", ["", "2", "h", "-2h", "0s", "2y", "9999d", "24:00", "12:60", "1:2", "@", "@x"]
)
def test_no_times(text: str) -> None:
    with pytest.raises(StartError, match="--lifetime"):
        end_of("--lifetime", text, 1000.0)


def test_a_time_of_day_is_the_next_one() -> None:
    noon = datetime(2026, 3, 5, 12, 0, 30).astimezone().timestamp()
    assert end_of("--x", "17:30", noon) == datetime(2026, 3, 5, 17, 30).astimezone().timestamp()
    assert end_of("--x", "9:05", noon) == datetime(2026, 3, 6, 9, 5).astimezone().timestamp()
    assert end_of("--x", "12:00", noon) == datetime(2026, 3, 6, 12, 0).astimezone().timestamp()
    assert end_of("--x", "@1763800000.5", noon) == 1763800000.5


def test_times_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    plain = program.parse([])
    assert (plain.until, plain.idle_exit, plain.finish, plain.new_key) == (
        math.inf, math.inf, 0.0, False,
    )  # fmt: skip
    said = program.parse(["--lifetime", "@5", "--idle-exit", "10m", "--finish", "1m", "--new-key"])
    assert (said.until, said.idle_exit, said.finish, said.new_key) == (5.0, 600.0, 60.0, True)
    with pytest.raises(SystemExit):
        program.parse(["--idle-exit", "soon"])
    assert "--idle-exit soon: give a duration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["-m", "dc.worker", "URL"], ["-m", "dc.worker", "URL"]),
        (["-m", "dc.worker", "--new-key", "URL", "--name", "x"], ["-m", "dc.worker", "URL",
                                                                 "--name", "x"]),
        (["prog", "--lifetime", "2h", "URL"], ["prog", "URL"]),
        (["prog", "--life=2h", "--label", "a=b"], ["prog", "--label", "a=b"]),
    ],
)  # fmt: skip
def test_it_starts_anew_as_the_same_worker_with_the_same_end(
    before: list[str], after: list[str]
) -> None:
    assert ending.again(before, math.inf) == after
    assert ending.again(before, 12.5) == [*after, "--lifetime", "@12.500"]


def test_with_a_new_key_it_is_another_worker(tmp_path: Path) -> None:
    with open_folder(tmp_path / "w") as one:
        key = one.key
        journal = journal_path(one.path, "server")
        journal.write_bytes(b"")
    with open_folder(tmp_path / "w", new_key=True) as one:
        assert one.key != key
        assert not journal.exists()
        new = one.key
    with open_folder(tmp_path / "w") as one:
        assert one.key == new
