"""`os-image`, and the image that `invite` fetches: what they write, and what they say."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dc.cli.main import main
from dc.invites import Invite
from tests.browser import samples_access
from tests.client.test_events_cli import Asked
from tests.server.images import ISO, words_in

CODE = Invite(b"0123456789", bytes(16), [("192.0.2.7", 8220), ("2001:db8::1", 1)]).text


@pytest.fixture(name="image")
def make_image(tmp_path: Path) -> Path:
    path = tmp_path / "worker.iso"
    path.write_bytes(ISO)
    return path


def configure(image: Path, *said: str) -> int:
    return main(["os-image", "configure", str(image), *said])


def words(image: Path) -> dict[str, str]:
    return words_in(image.read_bytes())


def test_a_code_is_written_from_a_file(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lab.invite"
    file.write_text(f"dc.invite={CODE}\n")
    assert (
        configure(image, "--invite", str(file), "--slots", "2", "--label", "room=upper floor") == 0
    )
    assert words(image) == {"invite": CODE, "slots": "2", "label": "room=upper floor"}
    said = capsys.readouterr()
    assert "joins the server at 192.0.2.7:8220 or [2001:db8::1]:1 by a code" in said.err
    assert CODE not in said.out + said.err
    assert "could see" not in said.err


def test_a_code_is_written_from_standard_input(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CODE}\n"))
    assert configure(image, "--invite", "-") == 0
    assert words(image) == {"invite": CODE}


def test_who_gives_the_code_itself_is_told_who_sees_it(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configure(image, "--invite", CODE) == 0
    assert "other users of this computer could see" in capsys.readouterr().err
    assert words(image) == {"invite": CODE}


def test_what_is_not_said_stays(image: Path) -> None:
    assert configure(image, "--invite", CODE, "--label", "a=1", "--label", "b=2", "--shell") == 0
    assert configure(image, "--slots", "4") == 0
    assert words(image) == {"invite": CODE, "slots": "4", "label": "b=2", "shell": "1"}
    assert configure(image, "--labels", "c=3") == 0
    assert words(image)["label"] == "c=3"
    assert configure(image, "--empty", "--name", "attic") == 0
    assert words(image) == {"name": "attic"}
    assert configure(image, "--empty") == 0
    assert image.read_bytes() == ISO


def test_all_that_can_be_said(image: Path) -> None:
    said = ["--server", "desk:8220", "--ip", "192.168.1.50/24@eth0", "--gw", "192.168.1.1"]
    assert configure(image, *said, "--dns", "192.168.1.1", "--trust-network") == 0
    assert words(image) == {
        "server": "desk:8220", "ip": "192.168.1.50/24@eth0", "gw": "192.168.1.1",
        "dns": "192.168.1.1", "trust-network": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ([], "say what is to be written"),
        (["--slots", "0"], "no number from 1 to"),
        (["--invite", "dc1-abc"], "not whole"),
        (["--invite", "nowhere.txt"], "No such file"),
        (["--ip", "10.0.0.1"], "no ADDRESS/PREFIX"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    image: Path, said: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configure(image, *said) == 2
    err = capsys.readouterr().err.splitlines()
    assert text in err[-1]
    assert image.read_bytes() == ISO


def test_a_file_without_a_code(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_text("hello")
    assert configure(image, "--invite", str(tmp_path / "x")) == 2
    assert "there is no join code in it" in capsys.readouterr().err


def test_what_is_no_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.iso"
    other.write_bytes(b"x" * 100_000)
    assert configure(other, "--slots", "1") == 2
    assert "is it an image of dc?" in capsys.readouterr().err


def test_what_is_in_an_image_is_shown_without_its_secret(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configure(image, "--invite", CODE, "--slots", "2") == 0
    capsys.readouterr()
    assert main(["os-image", "show", str(image)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"dc.invite={CODE[:10]}...", "dc.slots=2"]
    assert main(["os-image", "show", str(image), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["addresses"] == ["192.0.2.7:8220", "[2001:db8::1]:1"]
    assert found["words"][1] == {"name": "slots", "value": "2"}
    assert CODE[12:] not in json.dumps(found)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ([], "looks for one in its network"),
        (["--server", "desk:1"], "asks to be let in at desk:1"),
    ],
)
def test_where_it_goes_is_said(
    image: Path, said: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configure(image, "--empty", *said) == 0
    assert main(["os-image", "show", str(image)]) == 0
    assert text in capsys.readouterr().err


# --- invite -------------------------------------------------------------------------------------


class Fetched(Asked):
    """A client that fetches files as well."""

    def download(self, path: str, to: Path) -> int:
        self.asked.append(("GET", path))
        return to.write_bytes(b"an image")


def made(**changes: Any) -> Any:
    return msgspec.to_builtins(samples_access.made_invite(**changes))


def test_the_image_with_the_code_is_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "lab.iso"
    place = "https://192.0.2.7:8220/boot/abc/worker.iso?address=a%3A1"
    asked = Fetched(made(iso=place))
    assert main(["invite", "--iso", str(to)], asked) == 0
    assert asked.asked[1] == ("GET", "/boot/abc/worker.iso?address=a%3A1")
    assert to.read_bytes() == b"an image"
    said = capsys.readouterr()
    assert said.out == ""
    assert f"with the code in it: {to}" in said.err
    again = Fetched()
    assert main(["invite", "--iso", str(to)], again) == 2
    assert again.asked == []


def test_there_is_one_for_arm(tmp_path: Path) -> None:
    asked = Fetched(made(iso="http://a/x.iso", iso_arm64="http://a/arm64/x.iso"))
    assert main(["invite", "--arm64", "--iso", str(tmp_path / "x.iso")], asked) == 0
    assert asked.asked[1] == ("GET", "/arm64/x.iso")


def test_a_server_without_an_image_has_none_to_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invite", "--iso", str(tmp_path / "x.iso")], Fetched(made(iso=""))) == 2
    assert "the server has no such image" in capsys.readouterr().err


def test_by_pxe_of_a_server_without_an_image_there_is_the_word_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["invite", "--pxe"], Asked(made(boot=""))) == 0
    assert capsys.readouterr().out == f"dc.invite={samples_access.CODE}\n"
