"""A worker as a service, as text; and what systemd says of it, where there is systemd."""

from __future__ import annotations

import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.errors import StartError
from dc.worker.services import Service, Wanted, service_of

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
SYSTEMD = shutil.which("systemd-analyze")
with_systemd = pytest.mark.skipif(SYSTEMD is None, reason="there is no systemd-analyze")


def wanted(platform: str = "linux", **fields: Any) -> Wanted:
    python, home, state = {
        "linux": ("/opt/dc/bin/python", "/h/ada", "/h/ada/.local/state/dc"),
        "darwin": ("/opt/dc/bin/python", "/Users/ada", "/Users/ada/Library/Application Support/dc"),
        "win32": (r"C:\dc\Scripts\python.exe", r"C:\h\ada", r"C:\h\ada\AppData\Local\dc"),
    }.get(platform, ("", "", ""))
    flavour: type[PurePath] = PureWindowsPath if platform == "win32" else PurePosixPath
    options = fields.pop("options", ["https://server:8220"])
    return Wanted(platform, python, options, flavour(home), flavour(state), **fields)


def commands(service: Service) -> list[str]:
    return [shlex.join(step.command) for step in service.start]


# --- systemd ------------------------------------------------------------------------------------

USER_UNIT = r"""# Made by `python -m dc.worker --install`, which makes it anew.
[Unit]
Description=dc worker
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/opt/dc/bin/python -P -m dc.worker --name "the fast one" --label 100%%=$$5 --join /h/ada/.local/state/dc/join
Restart=on-failure
RestartSec=15
KillMode=mixed
TimeoutStopSec=90
# Each task is in a control group of its own: one that uses too much memory dies alone.
Delegate=yes
OOMPolicy=continue

NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
# Left open, for tasks need it: ProtectControlGroups (each task has a group), ProcSubset (how busy
# the computer is), MemoryDenyWriteExecute (compilers such as numba's), PrivateNetwork.

[Install]
WantedBy=default.target
"""  # noqa: E501  a line is one


def test_the_unit_of_a_user() -> None:
    options = ["--name", "the fast one", "--label", "100%=$5"]
    service = service_of(wanted(options=options, has_code=True, stop_seconds=60.0))
    assert service.text == USER_UNIT
    assert service.path == PurePosixPath("/h/ada/.config/systemd/user/dc-worker.service")
    assert service.join == PurePosixPath("/h/ada/.local/state/dc/join")
    assert commands(service) == [
        "loginctl enable-linger",
        "systemctl --user daemon-reload",
        "systemctl --user enable dc-worker.service",
        "systemctl --user restart dc-worker.service",
    ]
    assert not service.start[0].needed  # without it, it runs while the user is here


def test_the_unit_of_a_computer_is_the_example() -> None:
    service = service_of(wanted(system=True, has_code=True))
    assert service.text == (EXAMPLES / "dc-worker.service").read_text("utf-8")
    assert service.path == PurePosixPath("/etc/systemd/system/dc-worker.service")
    assert service.join == PurePosixPath("/etc/dc-worker/join")
    assert commands(service)[0] == "systemctl daemon-reload"


def test_a_worker_of_a_computer_sees_devices_only_where_it_needs_them() -> None:
    def lines(**fields: Any) -> list[str]:
        text = service_of(wanted(system=True, **fields)).text
        return [line for line in text.splitlines() if re.match("Private?Dev|Device|Suppl", line)]

    assert lines() == ["PrivateDevices=yes"]
    assert lines(options=["--neighbour"]) == lines(options=["--when-idle=5m"])
    assert lines(options=["--neighbour"]) == ["DevicePolicy=closed"]
    cards = lines(has_cards=True, groups=["video"])
    assert "DeviceAllow=char-nvidia rw" in cards
    assert cards[-1] == "SupplementaryGroups=video"


def words_of(line: str) -> list[str]:
    """Return the words of a line as systemd has them, after its own variables and specifiers."""
    plain = re.sub(r"%%", "%", re.sub(r"\$\$", "$", line))
    return shlex.split(plain)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))).filter(
            str.isprintable
        ),
        max_size=4,
    )
)
def test_whatever_the_options_are_they_are_one_word_each(options: list[str]) -> None:
    text = service_of(wanted(options=options)).text
    (line,) = [one for one in text.splitlines() if one.startswith("ExecStart=")]
    assert words_of(line.removeprefix("ExecStart="))[4:] == options


def test_words_that_would_be_more_than_one_line_are_refused() -> None:
    with pytest.raises(StartError, match="do not show"):
        service_of(wanted(options=["--name", "x\nExecStartPre=/bin/evil"]))


def analyze(unit: str, tmp_path: Path, *how: str) -> subprocess.CompletedProcess[str]:
    # Its own interpreter is surely there; what the unit needs beside it, systemd makes.
    text = re.sub(r"(?<=^ExecStart=)\S+", sys.executable, unit, flags=re.MULTILINE)
    path = tmp_path / "dc-tested.service"
    path.write_text(text, "utf-8")
    command = [str(SYSTEMD), *how, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def every_unit() -> list[tuple[str, str, float]]:
    """Return each unit, and how exposed systemd may find it at most: 10 is wholly."""
    server = (EXAMPLES / "dc-server.service").read_text("utf-8")
    return [
        ("computer", service_of(wanted(system=True, has_code=True)).text, 2.2),
        ("cards", service_of(wanted(system=True, has_cards=True)).text, 2.4),
        ("user", service_of(wanted(has_code=True)).text, 6.8),
        ("server", server, 1.9),
    ]


@with_systemd
@pytest.mark.parametrize(("name", "unit", "most"), every_unit(), ids=lambda one: str(one)[:8])
def test_systemd_takes_the_units(name: str, unit: str, most: float, tmp_path: Path) -> None:
    done = analyze(unit, tmp_path, "verify", "--man=no")
    about_it = [line for line in done.stderr.splitlines() if "dc-tested" in line]
    assert done.returncode == 0, done.stderr
    assert not about_it


@with_systemd
@pytest.mark.parametrize(("name", "unit", "most"), every_unit(), ids=lambda one: str(one)[:8])
def test_systemd_finds_the_units_closed(name: str, unit: str, most: float, tmp_path: Path) -> None:
    done = analyze(unit, tmp_path, "security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= most, done.stdout


# --- launchd ------------------------------------------------------------------------------------


def test_an_agent_of_launchd() -> None:
    service = service_of(
        wanted("darwin", options=["--name", "<A&B>"], has_code=True, uid=501, stop_seconds=5.0)
    )
    assert service.path == PurePosixPath("/Users/ada/Library/LaunchAgents/dc.worker.plist")
    assert plistlib.loads(service.text.encode()) == {
        "Label": "dc.worker",
        "ProgramArguments": [
            *("/opt/dc/bin/python", "-P", "-m", "dc.worker", "--name", "<A&B>"),
            *("--join", "/Users/ada/Library/Application Support/dc/join"),
        ],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 15,
        "ExitTimeOut": 35,
        "Umask": 0o077,
        "StandardErrorPath": "/Users/ada/Library/Logs/dc-worker.log",
    }
    assert commands(service) == [
        "launchctl bootout gui/501/dc.worker",
        "launchctl bootstrap gui/501 /Users/ada/Library/LaunchAgents/dc.worker.plist",
    ]


def test_the_example_for_launchd() -> None:
    service = service_of(wanted("darwin", system=True, user="ada"))
    assert service.text == (EXAMPLES / "dc.worker.plist").read_text("utf-8")
    assert service.path == PurePosixPath("/Library/LaunchDaemons/dc.worker.plist")
    assert plistlib.loads(service.text.encode())["UserName"] == "ada"


def test_a_daemon_of_launchd_is_somebody() -> None:
    with pytest.raises(StartError, match="by sudo"):
        service_of(wanted("darwin", system=True))


# --- the Task Scheduler -------------------------------------------------------------------------

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def test_a_task_of_a_user() -> None:
    options = ["--name", 'a "b" & c\\', "--data", "C:\\d d\\"]
    service = service_of(wanted("win32", options=options, has_code=True))
    root = ET.fromstring(service.text.encode(service.encoding))
    assert root.findtext(f".//{TASK}Command") == r"C:\dc\Scripts\pythonw.exe"
    assert root.findtext(f".//{TASK}Arguments") == (
        r'-P -m dc.worker --name "a \"b\" & c\\" --data "C:\d d\\" '
        r"--join C:\h\ada\AppData\Local\dc\join"
    )
    assert root.find(f".//{TASK}LogonTrigger") is not None
    assert service.path == PureWindowsPath(r"C:\h\ada\AppData\Local\dc\dc-worker.xml")
    assert [step.command[:2] for step in service.start] == [
        ["schtasks", "/end"],
        ["schtasks", "/create"],
        ["schtasks", "/run"],
    ]


def test_the_example_for_windows() -> None:
    service = service_of(wanted("win32", system=True, has_code=True))
    assert service.text == (EXAMPLES / "dc-worker.xml").read_text("utf-16")
    root = ET.fromstring(service.text.encode(service.encoding))
    assert root.findtext(f".//{TASK}UserId") == "S-1-5-19"
    assert root.findtext(f".//{TASK}RunLevel") == "LeastPrivilege"
    assert "LocalService" in str(service.join)


@given(st.lists(st.text(st.sampled_from('ab "\\'))))
def test_words_on_the_command_line_of_windows(options: list[str]) -> None:
    """As Python itself quotes them, which knows the rules of the C library there."""
    service = service_of(wanted("win32", options=options))
    root = ET.fromstring(service.text.encode(service.encoding))
    found = root.findtext(f".//{TASK}Arguments") or ""
    assert taken_by_windows(found)[3:] == options


def taken_by_windows(line: str) -> list[str]:
    """Return words of a line as CommandLineToArgvW does."""
    words: list[str] = []
    word, is_open, is_quoted, at = "", False, False, 0
    while at < len(line):
        one = line[at]
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        if slashes:
            at += slashes
            is_open = True
            if line[at : at + 1] == '"':
                word += "\\" * (slashes // 2)
                if slashes % 2:
                    word += '"'
                    at += 1
            else:
                word += "\\" * slashes
            continue
        if one == '"':
            is_open, is_quoted = True, not is_quoted
        elif one == " " and not is_quoted:
            if is_open:
                words.append(word)
            word, is_open = "", False
        else:
            word, is_open = word + one, True
        at += 1
    return [*words, word] if is_open else words


# --- all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("system", [False, True])
def test_what_is_undone_needs_no_options(platform: str, system: bool) -> None:
    made = service_of(wanted(platform, system=system, user="ada", has_code=True))
    undone = service_of(wanted(platform, system=system, user="ada", options=[]))
    assert (made.path, made.stop) == (undone.path, undone.stop)


def test_elsewhere_there_are_no_services() -> None:
    with pytest.raises(StartError, match="knows no services"):
        service_of(Wanted("sunos5", "/python", [], PurePosixPath("/"), PurePosixPath("/")))
