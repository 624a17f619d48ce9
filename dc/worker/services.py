"""A worker as a service of its computer, as text: what to write where, and what to run then.

One of these, by the system and by whom it is for:

    Linux     a unit of systemd, of the whole computer or of a user
    macOS     a property list of launchd, for a user or, as a user, from the computer's start on
    Windows   a task of the Task Scheduler, for a user or, as LOCAL SERVICE, from the start on

A service starts the worker again when it has failed, and leaves it be when it has ended by itself
(status 0): deleted or stopped by an operator, or at its own end. No secret is in any of these
texts: a join code is in a file of its own, which the worker is given the name of.
"""

from __future__ import annotations

import html
import plistlib
import re
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final

from msgspec import Struct

from dc.errors import StartError

NAME: Final = "dc-worker"
LABEL: Final = "dc.worker"
"""What launchd calls it."""

LINUX, MACOS, WINDOWS = "linux", "darwin", "win32"

STATE: Final = PurePosixPath("/var/lib", NAME)
"""The worker's folder, where systemd makes it for the whole computer."""

SETTLE_SECONDS: Final = 30
"""A worker that was told to end may take so long beside what --finish gives its tasks."""

AGAIN_SECONDS: Final = 15
"""From its failure to its next start: it reconnects by itself, so this is for what went wrong."""

_WATCHES: Final = ("--neighbour", "--when-idle")
_CREDENTIAL: Final = "join"
_NO_LOG: Final = "what it logs is kept nowhere; the server shows how it is"
_MADE: Final = "Made by `python -m dc.worker --install`, which makes it anew"


class Wanted(Struct, frozen=True):
    """The worker that is to be a service.

    Attributes:
        platform: what sys.platform says: linux, darwin or win32.
        python: the interpreter's path, absolute.
        options: the worker's command line, with absolute paths and without secrets.
        home: of the user.
        state: the folder in which this user's workers have theirs.
        system: whether it is for the whole computer, from its start on, or for this user.
        has_code: whether there is a join code to be kept in a file.
        stop_seconds: how long its tasks may go on when it is told to end.
        has_cards: whether tasks are to reach graphics cards.
        groups: of those to which cards are given, the ones that this computer has.
        user: on macOS, who the worker of a whole computer is.
        uid: on macOS, the user's number.
    """

    platform: str
    python: str
    options: list[str]
    home: PurePath
    state: PurePath
    system: bool = False
    has_code: bool = False
    stop_seconds: float = 0.0
    has_cards: bool = False
    groups: list[str] = []
    user: str = ""
    uid: int = 0


class Step(Struct, frozen=True):
    """A command to run; where it is not `needed`, its failure is of no matter."""

    command: list[str]
    needed: bool = True


class Service(Struct, frozen=True):
    """A service as text.

    Attributes:
        kind: what such a thing is called.
        path: where the text goes.
        text: all of it.
        join: where a join code goes, for the worker's eyes alone.
        start: what makes it run, once the text is there.
        stop: what ends it and makes it forgotten, before the text is removed.
        notes: what its user has to know.
        encoding: of the text.
    """

    kind: str
    path: PurePath
    text: str
    join: PurePath
    start: list[Step]
    stop: list[Step]
    notes: list[str]
    encoding: str = "utf-8"


def service_of(wanted: Wanted) -> Service:
    """Return the service for a computer.

    Raises:
        StartError: nothing is known of services of such a system, or a word cannot be in one.
    """
    for word in (wanted.python, *wanted.options):
        if not word.isprintable():
            raise StartError(f"{word!r} cannot be in a service: it has characters that do not show")
    if wanted.platform == LINUX:
        return _systemd(wanted)
    if wanted.platform == MACOS:
        return _launchd(wanted)
    if wanted.platform == WINDOWS:
        return _scheduled(wanted)
    text = "on this system dc knows no services: have your own start `python -m dc.worker`"
    raise StartError(text)


# --- systemd ------------------------------------------------------------------------------------

_ALWAYS: Final = """\
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
"""

_OF_A_COMPUTER: Final = """\
# Nothing but its own folder can be written to, and no home folder can be seen.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
KeyringMode=private
CapabilityBoundingSet=
AmbientCapabilities=
"""

_LEFT_OPEN: Final = """\
# Left open, for tasks need it: ProtectControlGroups (each task has a group), ProcSubset (how busy
# the computer is), MemoryDenyWriteExecute (compilers such as numba's), PrivateNetwork.
"""


def _systemd(wanted: Wanted) -> Service:
    system = wanted.system
    folder = PurePosixPath("/etc/systemd/system") if system else _units(wanted.home)
    control = ["systemctl"] if system else ["systemctl", "--user"]
    unit = f"{NAME}.service"
    join = PurePosixPath("/etc", NAME, "join") if system else wanted.state / "join"
    linger = [] if system else [Step(["loginctl", "enable-linger"], needed=False)]
    seen = " ".join(["journalctl", *control[1:], "-u", NAME])
    return Service(
        kind="systemd unit of this computer" if system else "systemd unit of this user",
        path=folder / unit,
        text=_unit(wanted, join),
        join=join,
        start=[
            *linger,
            Step([*control, "daemon-reload"]),
            Step([*control, "enable", unit]),
            Step([*control, "restart", unit]),
        ],
        stop=[Step([*control, "disable", "--now", unit], needed=False)],
        notes=[
            f"what it logs: {seen}",
            f"changes of your own, such as HTTPS_PROXY: {' '.join(control)} edit {NAME}",
        ],
    )


def _units(home: PurePath) -> PurePath:
    return home / ".config" / "systemd" / "user"


def _unit(wanted: Wanted, join: PurePath) -> str:
    words = [wanted.python, "-P", "-m", LABEL, *wanted.options]
    if wanted.system:
        words += ["--data", str(STATE)]
    line = " ".join(map(_unit_word, words))
    if wanted.has_code:  # the variable is systemd's, which fills it in
        file = f"${{CREDENTIALS_DIRECTORY}}/{_CREDENTIAL}" if wanted.system else None
        line += f" --join {file or _unit_word(str(join))}"
    network = "Wants=network-online.target\nAfter=network-online.target\n" if wanted.system else ""
    return (
        f"# {_MADE}.\n[Unit]\nDescription=dc worker\n{network}StartLimitIntervalSec=0\n\n"
        f"[Service]\nType=exec\nExecStart={line}\n"
        f"Restart=on-failure\nRestartSec={AGAIN_SECONDS}\n"
        f"KillMode=mixed\nTimeoutStopSec={wanted.stop_seconds + SETTLE_SECONDS:.0f}\n"
        "# Each task is in a control group of its own: one that uses too much memory dies alone.\n"
        f"Delegate=yes\nOOMPolicy=continue\n{_who(wanted, join)}\n{_ALWAYS}"
        f"{_OF_A_COMPUTER + _devices(wanted) if wanted.system else ''}{_LEFT_OPEN}\n"
        f"[Install]\nWantedBy={'multi-user' if wanted.system else 'default'}.target\n"
    )


def _who(wanted: Wanted, join: PurePath) -> str:
    """Return the lines that say who the worker is, where it has its files, what secret it gets."""
    if not wanted.system:
        return ""
    secret = f"LoadCredential={_CREDENTIAL}:{join}\n" if wanted.has_code else ""
    return (
        "# A user of its own, that is there only while it runs.\n"
        f"DynamicUser=yes\nStateDirectory={NAME}\nStateDirectoryMode=0700\n"
        f"Environment=HOME={STATE}\n{secret}"
    )


def _devices(wanted: Wanted) -> str:
    """Return the lines on devices: none; or those of cards; or that they can be looked at."""
    watches = any(word.partition("=")[0] in _WATCHES for word in wanted.options)
    if not (wanted.has_cards or watches):
        return "PrivateDevices=yes\n"
    lines = ["DevicePolicy=closed"]
    if wanted.has_cards:
        kinds = ("drm", "kfd", "nvidia", "nvidia-frontend", "nvidia-uvm", "nvidia-caps")
        lines += [f"DeviceAllow=char-{kind} rw" for kind in kinds]
        if wanted.groups:
            lines.append(f"SupplementaryGroups={' '.join(wanted.groups)}")
    return "\n".join(lines) + "\n"


def _unit_word(word: str) -> str:
    """Return a word as it stands in ExecStart=, where % and $ are more than themselves."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w./:=@%+,\[\]$~^-]+", plain, re.ASCII):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- launchd ------------------------------------------------------------------------------------


def _launchd(wanted: Wanted) -> Service:
    system = wanted.system
    if system and not wanted.user:
        raise StartError("--system: on macOS run it by sudo, as the user who the worker is to be")
    folder = PurePosixPath("/Library") if system else wanted.home / "Library"
    path = folder / ("LaunchDaemons" if system else "LaunchAgents") / f"{LABEL}.plist"
    domain = "system" if system else f"gui/{wanted.uid}"
    log = wanted.home / "Library" / "Logs" / f"{NAME}.log"
    join = wanted.state / "join"
    out = Step(["launchctl", "bootout", f"{domain}/{LABEL}"], needed=False)
    return Service(
        kind="launchd daemon" if system else "launchd agent",
        path=path,
        text=plistlib.dumps(_property_list(wanted, log, join), sort_keys=False).decode(),
        join=join,
        start=[out, Step(["launchctl", "bootstrap", domain, str(path)])],
        stop=[out],
        notes=[f"what it logs: {log}"],
    )


def _property_list(wanted: Wanted, log: PurePath, join: PurePath) -> dict[str, Any]:
    code = ["--join", str(join)] if wanted.has_code else []
    who = {"UserName": wanted.user} if wanted.system else {}
    return {
        "Label": LABEL,
        **who,
        "ProgramArguments": [wanted.python, "-P", "-m", LABEL, *wanted.options, *code],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": AGAIN_SECONDS,
        "ExitTimeOut": round(wanted.stop_seconds + SETTLE_SECONDS),
        "Umask": 0o077,
        "StandardErrorPath": str(log),
    }


# --- the Task Scheduler -------------------------------------------------------------------------

_LOCAL_SERVICE: Final = "S-1-5-19"
_LOCAL_STATE: Final = PureWindowsPath(
    r"C:\Windows\ServiceProfiles\LocalService\AppData\Local\dc",
)

_TASK: Final = """\
<?xml version="1.0" encoding="UTF-16"?>
<!-- {made}. -->
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>dc worker</Description></RegistrationInfo>
  <Triggers><{trigger}><Enabled>true</Enabled></{trigger}></Triggers>
  <Principals><Principal id="Worker">{who}</Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
    <Priority>7</Priority>
  </Settings>
  <Actions Context="Worker">
    <Exec><Command>{command}</Command><Arguments>{arguments}</Arguments></Exec>
  </Actions>
</Task>
"""


def _scheduled(wanted: Wanted) -> Service:
    system = wanted.system
    state = _LOCAL_STATE if system else wanted.state
    join = state / "join"
    path = wanted.state / f"{NAME}.xml"
    named = ["/tn", NAME]
    return Service(
        kind="scheduled task of this computer" if system else "scheduled task of this user",
        path=path,
        text=_task(wanted, join),
        join=join,
        start=[
            Step(["schtasks", "/end", *named], needed=False),
            Step(["schtasks", "/create", *named, "/xml", str(path), "/f"]),
            Step(["schtasks", "/run", *named]),
        ],
        stop=[
            Step(["schtasks", "/end", *named], needed=False),
            Step(["schtasks", "/delete", *named, "/f"]),
        ],
        notes=[_NO_LOG],
        encoding="utf-16",
    )


def _task(wanted: Wanted, join: PurePath) -> str:
    code = ["--join", str(join)] if wanted.has_code else []
    if wanted.system:
        trigger, who = "BootTrigger", f"<UserId>{_LOCAL_SERVICE}</UserId>"
        command = wanted.python
    else:  # a program with a window of its own to write to would show an empty one
        trigger, who = "LogonTrigger", "<LogonType>InteractiveToken</LogonType>"
        command = str(PureWindowsPath(wanted.python).with_name("pythonw.exe"))
    words = " ".join(map(_windows_word, ["-P", "-m", LABEL, *wanted.options, *code]))
    return _TASK.format(
        made=_MADE.replace("--", ""),  # which ends a comment
        trigger=trigger,
        who=f"{who}<RunLevel>LeastPrivilege</RunLevel>",
        command=html.escape(command, quote=False),
        arguments=html.escape(words, quote=False),
    )


def _windows_word(word: str) -> str:
    """Return a word as programs of Windows take it from their command line."""
    if re.fullmatch(r'[^\s"]+', word):
        return word
    inner = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)$", r"\1\1", inner) + '"'
