"""What is sensed of the use of a computer, on computers that are folders and fake libraries."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from ctypes import c_uint32
from pathlib import Path
from typing import Any

import pytest

from dc.messages_worker import Vitals
from dc.worker import senses as s
from dc.worker.neighbour import Policy
from dc.worker.senses import ComputerSenses, computer_senses
from dc.worker.senses_linux import DeviceIdle, TerminalIdle
from dc.worker.senses_macos import IOREG, PMSET, MacSenses
from dc.worker.senses_windows import LastInput, PowerStatus, WindowsSenses

MONDAY = time.struct_time((2026, 11, 30, 18, 5, 0, 0, 334, 0))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- Linux ----------------------------------------------------------------------------------------


def a_laptop(root: Path) -> dict[str, Path]:
    irq = root / "sys/kernel/irq"
    names = {"1": "i8042", "9": "acpi", "55": "SYNA7DB5:00", "56": "INT34C5:00"}
    for number, name in names.items():
        write(irq / number / "actions", f"{name}\n")
        write(irq / number / "per_cpu_count", "0,7\n")
    usb = root / "sys/bus/usb/devices"
    for device, kind, how in [("1-2", "03", "01"), ("1-3", "03", "00"), ("1-4", "08", "02")]:
        write(usb / f"{device}:1.0" / "bInterfaceClass", f"{kind}\n")
        write(usb / f"{device}:1.0" / "bInterfaceProtocol", f"{how}\n")
        write(usb / device / "urbnum", "100\n")
    return {
        "keyboard": irq / "1/per_cpu_count",
        "touchpad": irq / "55/per_cpu_count",
        "usb keyboard": usb / "1-2/urbnum",
        "acpi": irq / "9/per_cpu_count",
        "bus": irq / "56/per_cpu_count",
        "other human device": usb / "1-3/urbnum",
        "disk": usb / "1-4/urbnum",
    }


@pytest.mark.parametrize("device", ["keyboard", "touchpad", "usb keyboard"])
def test_what_a_device_says_is_a_use(tmp_path: Path, device: str) -> None:
    files, clock = a_laptop(tmp_path), Clock()
    idle = DeviceIdle(tmp_path, clock)
    assert idle.idle() == 0.0, "what was before is not known"
    clock.now += 600
    assert idle.idle() == 600.0
    files[device].write_text("0,8\n")
    assert idle.idle() == 0.0
    clock.now += 5
    assert idle.idle() == 5.0


@pytest.mark.parametrize("device", ["acpi", "bus", "other human device", "disk"])
def test_what_others_say_is_none(tmp_path: Path, device: str) -> None:
    files, clock = a_laptop(tmp_path), Clock()
    idle = DeviceIdle(tmp_path, clock)
    clock.now += 600
    files[device].write_text("99\n")
    assert idle.idle() == 600.0


def test_a_device_that_comes_or_goes_is_a_use(tmp_path: Path) -> None:
    files, clock = a_laptop(tmp_path), Clock()
    idle = DeviceIdle(tmp_path, clock)
    clock.now += 600
    files["usb keyboard"].with_name("urbnum").unlink()
    assert idle.idle() == 0.0, "it was pulled out"
    clock.now += 600
    (tmp_path / "sys/bus/usb/devices/1-3:1.0/bInterfaceProtocol").write_text("02\n")
    assert idle.idle() == 0.0


def test_without_devices_it_is_not_known(tmp_path: Path) -> None:
    assert DeviceIdle(tmp_path).idle() is None
    assert TerminalIdle(tmp_path).idle() is None


def test_terminals_tell_when_something_was_typed(tmp_path: Path) -> None:
    for name, used in [("tty1", 500), ("pts/0", 900), ("pts/1", 700), ("ttyS0", 990)]:
        path = write(tmp_path / "dev" / name, "")
        os.utime(path, (used, 999))
    (tmp_path / "dev/pts/ptmx").touch()
    assert TerminalIdle(tmp_path, lambda: 1000.0).idle() == 100.0
    assert TerminalIdle(tmp_path, lambda: 800.0).idle() == 0.0, "the clock was set back"


# --- Windows, macOS -------------------------------------------------------------------------------


class FakeKernel:
    """kernel32."""

    def __init__(self, ticks: int = 0, session: int = 1, line: int = 1, ok: bool = True) -> None:
        self.ticks, self.session, self.line, self.ok = ticks, session, line, ok

    def GetCurrentProcessId(self) -> int:  # noqa: N802
        return 7

    def ProcessIdToSessionId(self, pid: int, place: Any) -> int:  # noqa: N802
        assert pid == 7
        found: c_uint32 = place._obj
        found.value = self.session
        return 1

    def GetTickCount(self) -> int:  # noqa: N802
        return self.ticks

    def GetSystemPowerStatus(self, place: Any) -> int:  # noqa: N802
        status: PowerStatus = place._obj
        status.line = self.line
        return int(self.ok)


class FakeUser:
    """user32."""

    def __init__(self, time: int, ok: bool = True) -> None:
        self.time, self.ok = time, ok

    def GetLastInputInfo(self, place: Any) -> int:  # noqa: N802
        last: LastInput = place._obj
        assert last.size == 8
        last.time = self.time
        return int(self.ok)


@pytest.mark.parametrize(
    ("last", "ticks", "seconds"), [(1000, 6500, 5.5), (2**32 - 1000, 500, 1.5), (9, 9, 0.0)]
)
def test_windows_tells_since_when(last: int, ticks: int, seconds: float) -> None:
    assert WindowsSenses(FakeUser(last), FakeKernel(ticks)).idle() == seconds


def test_what_windows_does_not_tell_is_not_known() -> None:
    assert WindowsSenses(FakeUser(1, ok=False), FakeKernel(2)).idle() is None
    assert WindowsSenses(FakeUser(1), FakeKernel(2, session=0)).idle() is None, "a service"
    assert WindowsSenses(object(), object()).idle() is None
    assert WindowsSenses(object(), object()).on_mains() is None


@pytest.mark.parametrize(("line", "mains"), [(0, False), (1, True), (255, None)])
def test_windows_tells_of_mains(line: int, mains: bool | None) -> None:
    assert WindowsSenses(FakeUser(0), FakeKernel(line=line)).on_mains() is mains
    assert WindowsSenses(FakeUser(0), FakeKernel(line=line, ok=False)).on_mains() is None


def mac(idle: str, power: str) -> MacSenses:
    def ask(command: Sequence[str]) -> str:
        return {IOREG: idle, PMSET: power}[tuple(command)]

    return MacSenses(ask)


def test_a_mac_tells() -> None:
    ioreg = '+-o IOHIDSystem\n  {\n    "HIDIdleTime" = 2500000000\n    "HIDClickTime" = 1\n  }\n'
    assert mac(ioreg, "").idle() == 2.5
    assert mac("", "Now drawing from 'AC Power'\n").on_mains() is True
    assert mac("", "Now drawing from 'Battery Power'\n -Internal 80%").on_mains() is False
    assert mac("", "").idle() is None
    assert mac("", "what?").on_mains() is None


# --- all together ---------------------------------------------------------------------------------


class FakeIdle:
    def __init__(self, name: str, seconds: float | None) -> None:
        self.name, self.seconds = name, seconds

    def idle(self) -> float | None:
        return self.seconds


def together(vitals: Vitals, *idles: FakeIdle, mains: bool | None = None) -> ComputerSenses:
    return ComputerSenses(
        idles, lambda: vitals, lambda: mains, processors=4, clock=Clock(), local=lambda: MONDAY
    )


ALL = Policy(idle=1, load=0.5, on_mains=True, below=85)
VITALS = Vitals(processors=0.75, dc_processors=2.0, temperature=61.0, mains=1.0)


def test_a_look_brings_all_that_is_asked_for() -> None:
    found = together(VITALS, FakeIdle("a", 9.0), FakeIdle("b", None), FakeIdle("c", 5.0)).look(ALL)
    assert found.idle == 5.0, "whoever was last there"
    assert found.load == 0.25, "without what is ours"
    assert (found.on_mains, found.temperature) == (True, 61.0)
    assert (found.day, found.minute) == (0, 18 * 60 + 5)


def test_what_is_not_told_is_not_known() -> None:
    found = together(Vitals(), FakeIdle("a", None)).look(ALL)
    assert (found.idle, found.load, found.on_mains, found.temperature) == (None,) * 4
    assert together(Vitals(processors=0.5)).look(ALL).load is None, "ours is not known"
    assert together(Vitals(), mains=False).look(ALL).on_mains is False, "another one tells"


def test_nothing_is_measured_that_is_not_asked_for_and_seldom_what_is() -> None:
    measured, clock = [], Clock()

    def meter() -> Vitals:
        measured.append(clock.now)
        return VITALS

    senses = ComputerSenses([], meter, processors=4, clock=clock, local=lambda: MONDAY)
    senses.look(Policy(idle=1))
    assert measured == []
    for _ in range(20):
        assert senses.look(Policy(below=60)).temperature == 61.0
        clock.now += 0.25
    assert measured == [1000.0, 1002.0, 1004.0]


def test_people_are_told_what_can_be_sensed() -> None:
    rows = together(VITALS, FakeIdle("the X server", 9.0), FakeIdle("b", None)).lines()
    assert rows == [
        ("idle", "9 s by the X server"),
        ("mains", "yes"),
        ("heat", "61 °C"),
        ("others", "25% of the processors"),
    ]
    assert {text for _, text in together(Vitals()).lines()} == {s.UNKNOWN}
    assert ("mains", "no") in together(Vitals(mains=0.0)).lines()


def test_this_computer_is_looked_at_without_harm(tmp_path: Path) -> None:
    senses = computer_senses(tmp_path)
    for _ in range(2):
        found = senses.look(ALL)
        assert found.idle is None or found.idle >= 0
    assert [title for title, _ in senses.lines()] == ["idle", "mains", "heat", "others"]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_each_system_has_its_own(
    platform: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(s, "windows_senses", lambda: WindowsSenses(FakeUser(0), FakeKernel(9000)))
    monkeypatch.setattr(s, "MacSenses", lambda: mac('"HIDIdleTime" = 9000000000', ""))
    assert computer_senses(tmp_path).look(Policy(idle=1)).idle == 9.0
