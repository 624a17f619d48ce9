"""The commands that say who is let in: what they ask, and what they print."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dc.cli.approve import named
from dc.cli.main import main
from dc.cli.qr import OFF, ON, qr_text
from dc.errors import UnknownKey
from dc.view_access import AuditPage
from tests.browser import samples_access
from tests.client.test_events_cli import Asked

CODE = samples_access.CODE


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def made(**changes: Any) -> Any:
    return plain(samples_access.made_invite(**changes))


# --- invite -------------------------------------------------------------------------------------


def test_the_line_for_the_other_computer_is_all_of_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = Asked(made())
    assert main(["invite"], asked) == 0
    assert asked.asked == [("POST", "/api/invites", {
        "name": "", "uses": 1, "lifetime": 86400.0, "approve": False, "group": "",
        "addresses": [], "public": False,
    })]  # fmt: skip
    said = capsys.readouterr()
    assert said.out == f"python -m dc.worker {CODE}\n"
    assert said.err.startswith("for one computer, until ")
    assert "python -m dc invite revoke a1b2c3d4" in said.err


def test_an_invite_says_all_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(made(invite=samples_access.invite(uses=30, approve=True)))
    said = ["--uses", "30", "--days", "0.5", "--approve", "--group", "farm", "--name", "lab"]
    places = ["--address", "desk:8220", "--address", "10.0.0.5:1", "--public"]
    assert main(["invite", *said, *places], asked) == 0
    assert asked.asked[0][2] == {
        "name": "lab", "uses": 30, "lifetime": 43200.0, "approve": True, "group": "farm",
        "addresses": ["desk:8220", "10.0.0.5:1"], "public": True,
    }  # fmt: skip
    assert "for 30 computers, until " in (told := capsys.readouterr().err)
    assert "each waits for: python -m dc approve" in told


def test_any_number_of_computers_by_pxe(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(made(invite=samples_access.invite(uses=None)))
    assert main(["invite", "--any", "--pxe"], asked) == 0
    assert asked.asked[0][2]["uses"] is None
    said = capsys.readouterr()
    place = f"http://192.168.1.5:8220{samples_access.BOOT}/boot.ipxe"
    assert said.out == f"{place}\ndc.invite={CODE}\n"
    assert said.err.startswith("for any number of computers")


def test_an_invite_goes_into_a_file_of_its_users_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "invite.txt"
    assert main(["invite", "--file", str(path)], Asked(made())) == 0
    assert path.read_text() == f"dc.invite={CODE}\n"
    assert capsys.readouterr().out == ""
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked = Asked()
    assert main(["invite", "--file", str(path)], asked) == 2
    assert asked.asked == []  # nothing is made that would then be lost
    assert "is there already" in capsys.readouterr().err


def test_a_qr_code_stands_below_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invite", "--qr"], Asked(made())) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"python -m dc.worker {CODE}"
    assert len(lines) == 1 + (37 + 8 + 1) // 2
    assert {len(line) for line in lines[1:]} == {37 + 8}


def test_invites_are_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(plain(samples_access.invites()), None)
    assert main(["invite", "list"], asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "a1b2c3d4", "b1b2c3d4", "c1b2c3d4", "d1b2c3d4", "e1b2c3d4",
    ]  # fmt: skip
    assert "sign-in: admin" in lines[3]
    assert main(["invite", "revoke", "a1b2c3d4"], asked) == 0
    assert asked.asked[1] == ("DELETE", "/api/invites/a1b2c3d4", None)
    assert capsys.readouterr().out == "a1b2c3d4 is revoked\n"


@pytest.mark.parametrize(
    ("said", "text"),
    [(["revoke"], "say which invite"), (["list", "a1b2c3d4"], "takes no ID: it lists all")],
)
def test_which_invite_is_revoked_is_to_be_said(
    said: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked()
    assert main(["invite", *said], asked) == 2
    assert asked.asked == []
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    "said",
    [
        ["--uses", "0"], ["--uses", "1000001"], ["--uses", "x"], ["--days", "0"],
        ["--days", "-1"], ["--days", "nan"], ["--days", "9999"], ["--uses", "2", "--any"],
        ["everything"],
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_wrong_usage(said: list[str]) -> None:
    assert main(["invite", *said], Asked()) == 2


# --- approve ------------------------------------------------------------------------------------


def keys(*several: Any) -> Any:
    return {"keys": [plain(one) for one in several]}


def test_who_waits_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["approve"], Asked(plain(samples_access.keys()))) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 3  # those that have joined do not wait
    assert lines[1].startswith("123 456")
    assert "attic" in lines[1]
    assert "5f5f5f5f5f5f" in lines[1]
    assert "python -m dc approve NUMBER" in said.err


def test_nobody_waits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["approve"], Asked(keys(*samples_access.joined()))) == 0
    assert capsys.readouterr().err == "nobody waits to be let in\n"


@pytest.mark.parametrize("which", ["123456", "123 456", "5f5f5f5f", "5F5F"])
def test_one_is_let_in_by_its_number_or_its_key(
    which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(plain(samples_access.keys()), {})
    assert main(["approve", which, "--group", "farm"], asked) == 0
    path = f"/api/worker-keys/{'5f' * 32}/approve"
    assert asked.asked[1:] == [("POST", path, {"group": "farm"})]
    assert capsys.readouterr().out == "attic is let in\n"


def test_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(plain(samples_access.keys()), {})
    assert main(["approve", "--refuse", "6a6a"], asked) == 0
    assert asked.asked[1:] == [("DELETE", f"/api/worker-keys/{'6a' * 32}", None)]
    assert capsys.readouterr().out == "phone is refused\n"


def test_nobody_is_let_in_if_one_of_several_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(plain(samples_access.keys()))
    assert main(["approve", "123456", "654321"], asked) == 2
    assert len(asked.asked) == 1
    assert "nobody waits with the number 654321" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", " ", "5f5", "7b7b7b7b", "123457", "zz", "12345"])
def test_what_names_nobody(text: str) -> None:
    waiting = [plain(samples_access.key())]
    with pytest.raises(UnknownKey, match="nobody waits"):
        named(text, waiting)


def test_six_digits_are_never_the_beginning_of_a_key() -> None:
    """Whoever is in between knows the number of a worker's screen, and can make a key like it."""
    waiting = [plain(samples_access.key(key="123457" + "0" * 58, number=""))]
    with pytest.raises(UnknownKey, match="nobody waits with the number"):
        named("123457", waiting)
    assert named("1234570", waiting)


def test_a_number_may_be_typed_as_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(plain(samples_access.keys()), {})
    assert main(["approve", "123", "456"], asked) == 0
    assert len(asked.asked) == 2
    assert capsys.readouterr().out == "attic is let in\n"


def test_who_is_named_twice_is_let_in_once() -> None:
    asked = Asked(plain(samples_access.keys()), {})
    assert main(["approve", "123456", "5f5f"], asked) == 0
    assert len(asked.asked) == 2


@pytest.mark.parametrize(
    "said", [["--refuse"], ["--group", "farm"], ["123456", "--refuse", "--group", "farm"]]
)
def test_what_would_be_passed_over_is_refused(said: list[str]) -> None:
    asked = Asked()
    assert main(["approve", *said], asked) == 2
    assert asked.asked == []


def test_what_names_several_names_none() -> None:
    same = [plain(samples_access.key(key=f"5f5f{one}" + "0" * 59)) for one in "12"]
    with pytest.raises(UnknownKey, match="2 computers are meant"):
        named("123456", same)
    with pytest.raises(UnknownKey, match="2 computers are meant"):
        named("5f5f", same)
    assert named("5f5f2", same)["key"].startswith("5f5f2")


def test_a_number_goes_before_a_key_that_begins_so() -> None:
    waiting = [plain(samples_access.key(key="123456" + "0" * 58, number="999999")),
               plain(samples_access.key())]  # fmt: skip
    assert named("123456", waiting)["number"] == "123456"


def test_names_of_others_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = samples_access.key(name="attic\x1b[2J\nroot is let in")
    assert main(["approve", "123456"], Asked(keys(bad), {})) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("\n") == 1


# --- token, group, audit ------------------------------------------------------------------------


def test_a_token_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"secret": samples_access.SECRET, "token": plain(samples_access.token())}
    asked = Asked(answer)
    said = ["--role", "submit", "--role", "view", "--role", "submit", "--name", "ci", "--days", "2"]
    assert main(["token", "create", *said], asked) == 0
    assert asked.asked == [
        ("POST", "/api/tokens", {"roles": ["submit", "view"], "name": "ci", "lifetime": 172800.0})
    ]
    said_now = capsys.readouterr()
    assert said_now.out == f"{samples_access.SECRET}\n"
    assert samples_access.SECRET not in said_now.err


def test_a_token_in_a_file_is_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ci.token"
    answer = {"secret": samples_access.SECRET, "token": plain(samples_access.token())}
    said = ["token", "create", "--role", "submit", "--name", "ci", "--file", str(path)]
    assert main([*said, "--json"], Asked(answer)) == 0
    told = capsys.readouterr()
    assert samples_access.SECRET not in told.out + told.err
    assert json.loads(told.out)["file"] == str(path)
    assert path.read_text() == f"{samples_access.SECRET}\n"
    assert main(said, Asked()) == 2  # it is not written over


def test_no_token_is_made_that_could_not_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nowhere" / "ci.token"
    asked = Asked()
    said = ["token", "create", "--role", "submit", "--name", "ci", "--file", str(path)]
    assert main(said, asked) == 2
    assert asked.asked == []
    assert f"there is no folder {path.parent}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said", [["--name", "x"], ["--role", "view"], ["--role", "root", "--name", "x"]]
)
def test_a_token_has_roles_and_a_name(said: list[str]) -> None:
    assert main(["token", "create", *said], Asked()) == 2


def test_tokens_are_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(plain(samples_access.tokens()), None, None)
    assert main(["token", "list"], asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert "submit, view" in lines[1]
    assert "session" in lines[5]
    assert main(["token", "revoke", "a/b", "c"], asked) == 0
    assert [one[1] for one in asked.asked[1:]] == ["/api/tokens/a%2Fb", "/api/tokens/c"]


def test_groups_are_listed_set_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(plain(samples_access.groups()), {}, {}, None)
    assert main(["group", "list"], asked) == 0
    assert "render.*, shrink" in capsys.readouterr().out
    assert main(["group", "set", "a b", "--type", "x", "--type", "y.*", "--note", "n"], asked) == 0
    assert main(["group", "set", "all"], asked) == 0
    assert main(["group", "remove", "a b"], asked) == 0
    assert asked.asked[1:] == [
        ("PUT", "/api/groups/a%20b", {"types": ["x", "y.*"], "note": "n"}),
        ("PUT", "/api/groups/all", {"types": [], "note": ""}),
        ("DELETE", "/api/groups/a%20b", None),
    ]
    assert capsys.readouterr().out.splitlines() == [
        "workers of a b run x, y.*", "workers of all run all task types", "a b is removed",
    ]  # fmt: skip


def test_the_audit_log_is_listed_with_the_newest_last(capsys: pytest.CaptureFixture[str]) -> None:
    first = plain(samples_access.audit())
    last = {"entries": [plain(samples_access.entry(6, what="a\x1b[2J\nb"))], "next": None}
    asked = Asked(first, last)
    said = ["--limit", "4", "--kind", "token", "--refused", "--address", "10.0.0.1"]
    assert main(["audit", *said], asked) == 0
    assert asked.asked == [
        "/api/audit?kind=token&address=10.0.0.1&ok=false&limit=4",
        "/api/audit?kind=token&address=10.0.0.1&ok=false&cursor=7&limit=1",
    ]
    lines = [line.partition("  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "token.created  operator (192.168.1.5)  a\ufffd[2J b",
        "token.created  operator (192.168.1.5)  token ci (submit, view)",
        "worker.joined  nobody (192.168.1.5)  lab-02, by invite a1b2c3d4",
        "sign_in.failed  nobody (203.0.113.9)  refused: 41 times in a minute",
    ]


@pytest.mark.parametrize(
    "command",
    [["invite", "list"], ["token", "list"], ["group", "list"], ["approve"], ["audit"]],
    ids=lambda command: command[0],
)
def test_lists_are_json_for_programs(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    views = {
        "invite": samples_access.invites(), "token": samples_access.tokens(),
        "group": samples_access.groups(), "approve": samples_access.keys(),
        "audit": AuditPage(samples_access.audit().entries, None),
    }  # fmt: skip
    assert main([*command, "--json"], Asked(plain(views[command[0]]))) == 0
    rows = next(iter(json.loads(capsys.readouterr().out).values()))
    assert rows
    assert isinstance(rows, list)


# --- QR codes -----------------------------------------------------------------------------------


def read_back(text: str) -> list[str]:
    """Return the rows that a reader sees; a block is what is drawn in the text's colour."""
    upper, lower = {"█": "1", "▀": "1"}, {"█": "1", "▄": "1"}
    rows = []
    for line in text.splitlines():
        bare = line.removeprefix(ON).removesuffix(OFF)
        rows += ["".join(half.get(one, "0") for one in bare) for half in (upper, lower)]
    return rows


@pytest.mark.parametrize("size", [20, 21, 37])
@pytest.mark.parametrize("colours", [True, False], ids=["colours", "plain"])
def test_a_qr_code_is_what_a_camera_wants(size: int, colours: bool) -> None:
    rows = ["".join("01"[(x * 7 + y * 3) % 2] for x in range(size)) for y in range(size)]
    text = qr_text(rows, colours=colours)
    seen = read_back(text)
    if not colours:  # what is light is drawn
        seen = ["".join("10"[int(one)] for one in row) for row in seen]
    inner = [row[4:-4] for row in seen[4 : 4 + size]]
    assert inner == rows
    around = [*seen[:4], *seen[4 + size :], *(row[:4] + row[-4:] for row in seen)]
    assert {one for row in around for one in row} == {"0"}
    assert all(line.startswith(ON) == colours for line in text.splitlines())


def test_no_code_is_no_picture() -> None:
    assert qr_text([], colours=True) == ""
