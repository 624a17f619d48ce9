"""`--install` and `--uninstall`: asked, written, run; on a computer made of a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dc.errors import StartError
from dc.invites import Invite
from dc.worker import __main__ as program
from dc.worker import install
from dc.worker.surroundings import Around, here

CODE = Invite(b"s" * 10, b"p" * 16, [("192.0.2.1", 8220)]).text


class Computer:
    """A computer whose disk is a folder, whose user answers what a test says."""

    def __init__(self, root: Path, **fields: Any) -> None:
        self.said = ""
        self.ran: list[str] = []
        self.fails: set[str] = set()
        self.answers: list[str] = []
        self.around = Around(
            fields.pop("platform", "linux"),
            home=Path("/h/ada"),
            state=Path("/h/ada/.local/state/dc"),
            run=self._run,
            say=self._say,
            ask=self._ask,
            read=lambda: CODE + "\n",
            python="/opt/dc/bin/python",
            needed=[],
            root=root,
            **fields,
        )

    def _run(self, command: Sequence[str]) -> int:
        self.ran.append(" ".join(command))
        return int(any(one in self.ran[-1] for one in self.fails))

    def _say(self, text: str) -> None:
        self.said += text

    def _ask(self, question: str) -> str:
        self.said += question
        return self.answers.pop(0)

    def main(self, *words: str, check: Callable[[list[str]], Any] = program.parse) -> int:
        return install.main(words, check, self.around)


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


UNIT = "h/ada/.config/systemd/user/dc-worker.service"
JOIN = "h/ada/.local/state/dc/join"


def test_it_is_shown_asked_written_and_started(computer: Computer, tmp_path: Path) -> None:
    computer.answers = ["y"]
    assert computer.main("http://server", "--install", "--finish", "1m") == 0
    text = (tmp_path / UNIT).read_text("utf-8")
    assert "ExecStart=/opt/dc/bin/python -P -m dc.worker http://server --finish 1m\n" in text
    assert "TimeoutStopSec=90" in text
    asked = computer.said.index("[y/N]")
    assert computer.said.index(text) < asked
    assert computer.said.index("systemctl --user restart") < asked
    assert computer.ran[-1] == "systemctl --user restart dc-worker.service"
    assert not (tmp_path / JOIN).exists()


@pytest.mark.parametrize("answer", ["", "n", "yessir"])
def test_without_a_yes_nothing_is_done(answer: str, computer: Computer, tmp_path: Path) -> None:
    computer.answers = [answer]
    assert computer.main("--install") == 1
    assert "Nothing was done" in computer.said
    assert not computer.ran
    assert not list(tmp_path.iterdir())


def test_without_a_terminal_it_is_shown_only(computer: Computer, tmp_path: Path) -> None:
    computer.around = replace(computer.around, ask=None)
    assert computer.main("--install") == 1
    assert "ExecStart=" in computer.said
    assert "--yes" in computer.said
    assert not computer.ran
    assert computer.main("--install", "--yes") == 0
    assert (tmp_path / UNIT).exists()


@pytest.mark.parametrize("how", ["argument", "flag", "file", "boot", "=file", "input", "variable"])
def test_a_join_code_is_in_no_unit(how: str, computer: Computer, tmp_path: Path) -> None:
    file = tmp_path / "code"
    file.write_text(CODE.upper(), "ascii")
    boot = tmp_path / "invite"  # as `python -m dc invite --file` writes it
    boot.write_text(f"quiet dc.invite={CODE}\n", "ascii")
    words = {
        "argument": [CODE],
        "flag": ["--neighbour", CODE],
        "boot": ["--join", str(boot)],
        "file": ["--join", str(file)],
        "=file": [f"--join={file}"],
        "input": ["--join", "-"],
        "variable": [],
    }[how]
    if how == "variable":
        computer.around = replace(computer.around, variables={"DC_JOIN": CODE})
    assert computer.main("--install", "--yes", "--name", "x", *words) == 0
    text = (tmp_path / UNIT).read_text("utf-8")
    assert text.count("--join /h/ada/.local/state/dc/join\n") == 1
    assert CODE not in text + computer.said + " ".join(computer.ran)
    join = tmp_path / JOIN
    assert join.read_text("ascii") == CODE + "\n"
    assert stat.S_IMODE(join.stat().st_mode) == 0o600


def test_a_code_that_is_not_whole_is_found_before_anything_is_done(
    computer: Computer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert computer.main("--install", "--yes", CODE[:-3]) == 2
    assert "not whole" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    # A name may look like the beginning of one.
    assert computer.main("--install", "--yes", "--name", "dc1-lab") == 0
    assert "--name dc1-lab" in (tmp_path / UNIT).read_text("utf-8")


def test_wrong_options_are_found_first(
    computer: Computer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        computer.main("--install", "--slots", "0")
    assert "--slots 0" in capsys.readouterr().err
    assert computer.main("--install", "--new-key") == 2
    assert computer.main("--install", "--show") == 2
    assert computer.main("--yes") == 2
    if hasattr(os, "geteuid"):
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert computer.main("--install", "--task-user", "nobody") == 2
        assert "a service has a user of its own" in capsys.readouterr().err
    assert not computer.ran
    assert not computer.said


def test_its_options_are_given_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.parse(["--inst"])
    assert "give --install in full" in capsys.readouterr().err


def test_the_program_leads_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--system"]) == 2
    assert "of use with --install" in capsys.readouterr().err


def test_files_and_folders_are_named_wholly(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trusted").touch()
    words = ["--plugins", "p", "--data=d", "--trust", "trusted", "--trust", "dc-key-x", "url"]
    assert install.with_whole_paths(words) == [
        *("--plugins", str(tmp_path / "p"), f"--data={tmp_path / 'd'}"),
        *("--trust", str(tmp_path / "trusted"), "--trust", "dc-key-x", "url"),
    ]
    assert install.with_whole_paths(["--plug", "p"]) == ["--plug", str(tmp_path / "p")]
    assert install.with_whole_paths(["--cache-size", "4"]) == ["--cache-size", "4"]
    assert install.with_whole_paths(["--data"]) == ["--data"]


def test_a_step_that_fails_is_said(computer: Computer, capsys: pytest.CaptureFixture[str]) -> None:
    computer.fails = {"enable-linger"}
    assert computer.main("--install", "--yes") == 0
    computer.fails = {"daemon-reload"}
    assert computer.main("--install", "--yes") == 2
    assert "daemon-reload failed" in capsys.readouterr().err
    assert "daemon-reload" in computer.ran[-1]


def test_a_disk_that_cannot_be_written_is_said(
    computer: Computer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "h").touch()
    assert computer.main("--install", "--yes") == 2
    assert "nothing else was done" in capsys.readouterr().err
    assert not computer.ran


def test_it_is_undone(computer: Computer, tmp_path: Path) -> None:
    assert computer.main("--uninstall") == 0
    assert "There is no" in computer.said
    computer.main("--install", "--yes", CODE)
    computer.answers = ["n", "y"]
    assert computer.main("--uninstall") == 1
    assert (tmp_path / UNIT).exists()
    computer.fails = {"disable"}  # it was forgotten by hand
    assert computer.main("--uninstall") == 0
    assert computer.ran[-1] == "systemctl --user disable --now dc-worker.service"
    assert not (tmp_path / UNIT).exists()
    assert not (tmp_path / JOIN).exists()


# --- of the whole computer ----------------------------------------------------------------------


def test_a_whole_computer_is_for_root(
    computer: Computer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert computer.main("--install", "--system", "--yes") == 2
    assert "for the administrator" in capsys.readouterr().err
    root = Computer(tmp_path, is_root=True)
    assert root.main("--install", "--yes", CODE) == 0  # root has none of its own
    text = (tmp_path / "etc/systemd/system/dc-worker.service").read_text("utf-8")
    assert "LoadCredential=join:/etc/dc-worker/join\n" in text
    assert "--data /var/lib/dc-worker --join ${CREDENTIALS_DIRECTORY}/join\n" in text
    assert stat.S_IMODE((tmp_path / "etc/dc-worker/join").stat().st_mode) == 0o600


@pytest.mark.parametrize("option", ["--data", "--scratch=/big", "--cach"])
def test_it_has_its_folder_from_systemd(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Computer(tmp_path, is_root=True)
    words = [option] if "=" in option else [option, "/big"]
    with pytest.raises(StartError, match=f"{option.partition('=')[0]}: with --system"):
        install.check_system(words, root.around)


def test_it_has_to_be_able_to_read_dc(tmp_path: Path) -> None:
    for folder in ("open", "closed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "python").touch(mode=0o755)
    (tmp_path / "closed").chmod(0o700)
    assert not install.is_open(tmp_path / "closed" / "python")
    assert not install.is_open(tmp_path / "closed")
    assert install.is_open(Path("/usr/bin"))
    assert install.is_open(tmp_path / "not" / "there")
    for needed in (tmp_path / "closed" / "python", Path("/", "root", "dc", "python")):
        root = Computer(tmp_path, is_root=True)
        around = replace(root.around, needed=[needed])
        with pytest.raises(StartError, match="cannot read"):
            install.check_system([], around)
        install.check_system([], replace(around, platform="win32"))
    with pytest.raises(StartError, match="cannot read"):
        install.check_system(["--plugins", str(tmp_path / "closed")], root.around)


def test_without_systemd_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Computer(tmp_path, has_services=False).main("--install", "--yes") == 2
    assert "no systemd" in capsys.readouterr().err


def test_windows_is_given_its_task_in_its_own_letters(tmp_path: Path) -> None:
    computer = Computer(tmp_path, platform="win32", is_root=True)
    assert computer.main("--install", "--yes") == 0  # its administrator is a user as well
    text = (tmp_path / "h/ada/.local/state/dc/dc-worker.xml").read_text("utf-16")
    assert "<LogonTrigger>" in text
    assert computer.ran[1].startswith("schtasks /create /tn dc-worker /xml ")


# --- files, this computer -----------------------------------------------------------------------


def test_a_file_is_replaced_and_never_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "join"
    install.write(path, b"1", 0o600)
    path.chmod(0o644)
    path.with_name("join.new").touch()  # of one that was killed
    install.write(path, b"2", 0o600)
    assert path.read_bytes() == b"2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["join"]


def test_this_computer_is_looked_at() -> None:
    around = here()
    assert around.needed[0] == Path(around.python)
    assert (around.needed[-1] / "worker").is_dir()
    assert around.root is None
    assert around.place(Path("/x")) == Path("/x")
