"""How a computer is, shown other computers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dc.messages import Codec, FromWorker
from dc.messages_worker import Vitals
from dc.process_tree import Process
from dc.worker.vitals import Meter, load_of_system

MEMINFO = "MemTotal:       8000 kB\nMemFree:  1 kB\nMemAvailable:   6000 kB\nOdd\n"


class Computer:
    """A computer in a folder, with a clock and a table of processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 100.0
        self.load = -1.0
        self.processes: list[Process] = []

    def put(self, **files: str) -> Computer:
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        return self

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def meter(self) -> Meter:
        how = self.root, self.root, 7, lambda: self.processes, lambda: self.now, lambda: self.load
        return Meter(*how)

    def used(self, pid: int, *ticks: int) -> None:
        """Have a process say what it has used: itself, and what it has waited for."""
        fields = ["S", *["0"] * 10, *map(str, ticks), *["0"] * 20]
        self.write(f"proc/{pid}/stat", f"{pid} (a ) b) {' '.join(fields)}")


@pytest.fixture
def box(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_a_computer_that_tells_nothing(box: Computer) -> None:
    seen = box.meter().read()
    assert seen == Vitals(disk_free=seen.disk_free)
    assert seen.disk_free > 0, "the test's own disk"


def test_processors_are_busy_for_a_share_of_the_time_since_the_last_look(box: Computer) -> None:
    box.put(proc__stat="cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1\n")
    meter = box.meter()
    box.put(proc__stat="cpu  125 5 110 735 115 5 5 0 90 0\n")
    assert meter.read().processors == pytest.approx(0.5), "idle and waiting for disks is not busy"
    assert meter.read().processors == -1, "no time has passed"
    box.put(proc__stat="cpu  1 0 0 1 0 0 0 0 0 0\n")
    assert meter.read().processors == -1, "it has gone back"
    box.put(proc__stat="cpu  ? 0 0 1")
    meter.read()
    assert meter.read().processors == -1


def test_the_load_stands_in_where_the_processors_say_nothing(
    box: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dc.worker.computer.processors", lambda: 4)
    meter = box.meter()
    box.load = 1.0
    assert meter.read().processors == 0.25
    box.load = 40.0
    assert meter.read().processors == 1.0
    assert load_of_system() >= -1


def test_memory(box: Computer) -> None:
    box.put(proc__meminfo=MEMINFO)
    seen = box.meter().read()
    assert (seen.memory_used, seen.memory_total) == (2000 * 1024, 8000 * 1024)
    for nonsense in ("MemTotal: 1 kB\nMemAvailable: 2 kB", "MemTotal: x kB", "MemTotal:\n"):
        box.put(proc__meminfo=nonsense)
        assert box.meter().read().memory_total == -1


def test_the_warmest_processor_counts(box: Computer) -> None:
    zone = "sys/class/thermal/thermal_zone"
    box.write(f"{zone}0/type", "acpitz\n")
    box.write(f"{zone}0/temp", "90000\n")
    assert box.meter().read().temperature == 90, "better than nothing"
    box.write(f"{zone}1/type", "x86_pkg_temp\n")
    box.write(f"{zone}1/temp", "61500\n")
    assert box.meter().read().temperature == 61.5
    chip = "sys/class/hwmon/hwmon3"
    box.write(f"{chip}/name", "coretemp\n")
    for number, text in enumerate(("40000", "4000000", "55000", "-5", "", "hot", "nan", "inf")):
        box.write(f"{chip}/temp{number}_input", text)
    box.write("sys/class/hwmon/hwmon1/name", "nvme\n")
    box.write("sys/class/hwmon/hwmon1/temp1_input", "70000\n")
    assert box.meter().read().temperature == 55, "what makes no sense is passed over"


@pytest.mark.parametrize(
    ("supplies", "battery", "mains"),
    [
        ([], -1, -1),
        ([("Mains", {"online": "1"})], -1, 1),
        ([("Battery", {"capacity": "80", "status": "Discharging"})], 0.8, 0),
        ([("Battery", {"capacity": "80", "status": "Full"})], 0.8, 1),
        ([("Battery", {"capacity": "80"}), ("Mains", {"online": "0"})], 0.8, 0),
        ([("Battery", {"capacity": "50"}), ("Battery", {"capacity": "100"})], 0.75, 1),
        ([("Battery", {"capacity": "9000"})], -1, 1),
        ([("Battery", {"capacity": "20", "scope": "Device"})], -1, -1),
    ],
)
def test_power(
    box: Computer, supplies: list[tuple[str, dict[str, str]]], battery: float, mains: float
) -> None:
    for number, (kind, files) in enumerate(supplies):
        for name, text in {"type": kind, **files}.items():
            box.write(f"sys/class/power_supply/S{number}/{name}", f"{text}\n")
    seen = box.meter().read()
    assert (seen.battery, seen.mains) == (battery, mains)


def test_what_dc_uses_is_what_its_processes_use(box: Computer) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    box.used(7, ticks, 0, 0, 0)
    meter = box.meter()
    box.processes = [
        Process(1, 0, 1, "S", 10**9),
        Process(7, 1, 7, "S", 100),
        Process(8, 7, 8, "R", 20),
        Process(9, 8, 8, "Z", 0),
    ]
    box.used(8, 5 * ticks, 3 * ticks, 0, 0)
    box.now += 4.0
    seen = meter.read()
    assert seen.dc_memory == 120
    assert seen.dc_processors == 2.0, "8 seconds of processor time in 4"
    box.used(7, ticks, 0, 8 * ticks, 4 * ticks)  # the other has ended, and is accounted to it
    box.processes = box.processes[:2]
    box.now += 4.0
    assert meter.read().dc_processors == 1.0
    box.used(7, 0, 0, 0, 0)
    box.now += 4.0
    assert meter.read().dc_processors == 0.0


def test_this_computer(tmp_path: Path) -> None:
    seen = Meter(tmp_path).read()
    codec = Codec(FromWorker)
    assert codec.decode(codec.encode([seen])) == [seen], "what it says can be sent"
