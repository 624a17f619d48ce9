"""What a booted computer has in files; any of them may be missing, or anything."""

from __future__ import annotations

import array
import errno
import sys
from pathlib import Path

import pytest
import trio

from dc import limits_appliance
from dc.worker import appliance_watchdog
from dc.worker.appliance_place import Place
from dc.worker.appliance_watchdog import Watchdog


def put(root: Path, path: str, text: str | bytes) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_where_nothing_is_there(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert (place.kernel_line(), place.file(), place.leases(), place.links()) == (b"", b"", [], [])
    assert (place.uuid(), place.macs(), place.memory(), place.built()) == ("", [], (0, 0), 0.0)
    assert (place.image().version, place.unknown_cards(), place.serial_consoles()) == ("", [], [])


def test_where_it_is_there(tmp_path: Path) -> None:
    put(tmp_path, "proc/cmdline", "quiet")
    lease = "ip=10.0.0.9\nopt224='3031'\nnothing\nserverid=1.2.3.4\n"
    put(tmp_path, "run/dc/net/eth0.lease", lease)
    put(tmp_path, "run/dc/net/eth0.state", "10.0.0.9/24\n")
    put(tmp_path, "run/dc/net/a b.state", "no")
    put(tmp_path, "run/dc/net/cards", "10ec:8125\n8086:1234\n")
    put(tmp_path, "etc/dc/image.json", '{"version":"1","arch":"amd64","built":17,"kernel":"6.1"}')
    put(tmp_path, "etc/dc/built", "1700000000\n")
    put(tmp_path, "proc/meminfo", "MemTotal:  500 kB\nMemFree: 1 kB\nMemAvailable:    300 kB\n")
    put(tmp_path, "sys/class/net/eth0/address", "52:54:00:12:34:56\n")
    put(tmp_path, "sys/class/net/eth0/device/x", "")
    put(tmp_path, "sys/class/net/lo/address", "00:00:00:00:00:00\n")
    put(tmp_path, "sys/class/tty/console/active", "tty0 ttyS0 hvc0 ../x\n")
    place = Place(tmp_path)
    assert place.kernel_line() == b"quiet"
    put(tmp_path, "run/dc/cmdline", "dc.invite=x")
    assert place.kernel_line() == b"dc.invite=x"
    assert place.leases() == [{"ip": "10.0.0.9", "opt224": "3031", "serverid": "1.2.3.4"}]
    assert place.links() == [("eth0", "10.0.0.9/24")]
    assert place.unknown_cards() == ["10ec:8125", "8086:1234"]
    assert (place.image().version, place.image().arch) == ("1", "amd64")
    assert (place.built(), place.memory()) == (1.7e9, (300 * 1024, 500 * 1024))
    assert place.macs() == place.own_macs() == ["52:54:00:12:34:56"]
    assert [one.name for one in place.serial_consoles()] == ["ttyS0", "hvc0"]


@pytest.mark.parametrize("said", ["named", "devices-done"])
def test_whether_it_has_its_name(tmp_path: Path, said: str) -> None:
    place = Place(tmp_path)
    assert not place.has_name()
    assert not place.has_drivers()
    put(tmp_path, f"run/dc/{said}", "")
    assert place.has_name()
    assert place.has_drivers()


def test_whether_its_cards_were_looked_for(tmp_path: Path) -> None:
    put(tmp_path, "run/dc/early-done", "")
    assert Place(tmp_path).has_drivers()
    assert not Place(tmp_path).has_name()


def test_an_adapter_belongs_to_no_computer_that_has_another_card(tmp_path: Path) -> None:
    cards = {"eth0": "pci0000:00/0000:00:03.0", "eth1": "pci0000:00/0000:00:04.0/usb2/2-1/2-1:1.0"}
    for name, device in cards.items():
        put(tmp_path, f"sys/class/net/{name}/address", f"52:54:00:00:00:{name[-1]}f\n")
        put(tmp_path, f"sys/class/net/{name}/addr_assign_type", "0\n")
        folder = tmp_path / "sys/devices" / device
        folder.mkdir(parents=True)
        (tmp_path / f"sys/class/net/{name}/device").symlink_to(folder)
    place = Place(tmp_path)
    assert place.macs() == ["52:54:00:00:00:0f", "52:54:00:00:00:1f"]
    assert place.own_macs() == ["52:54:00:00:00:0f"]
    put(tmp_path, "sys/class/net/eth0/addr_assign_type", "1\n")  # by chance
    assert place.own_macs() == ["52:54:00:00:00:1f"]
    put(tmp_path, "sys/class/net/eth1/addr_assign_type", "1\n")
    assert place.own_macs() == []


def test_where_it_is_anything(tmp_path: Path) -> None:
    garbage = bytes(range(256)) * 1000
    for path in ("run/dc/net/eth0.lease", "run/dc/net/eth0.state", "run/dc/net/cards",
                 "etc/dc/image.json", "etc/dc/built", "proc/meminfo", "run/dc/cmdline",
                 "sys/class/tty/console/active", "run/dc/dc.conf"):  # fmt: skip
        put(tmp_path, path, garbage)
    place = Place(tmp_path)
    assert len(place.kernel_line()) == limits_appliance.FILE_BYTES
    place.leases(), place.links(), place.unknown_cards(), place.serial_consoles()
    assert (place.image().version, place.built(), place.memory()) == ("", 0.0, (0, 0))


async def test_a_watchdog_is_fed_and_stays_armed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "watchdog"
    with trio.move_on_after(35):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Watchdog(path).feed)
            await trio.sleep(5)
            path.touch()  # its driver came late
    assert path.read_bytes() == b"\0\0\0"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no ioctl")
async def test_a_watchdog_whose_time_is_fixed_is_fed_in_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ioctl(number: int, what: int, seconds: array.array[int], change: bool) -> int:
        if what != appliance_watchdog.GET_TIMEOUT:
            raise OSError(errno.EOPNOTSUPP, "it is fixed")
        seconds[0] = 6
        return 0

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    path = tmp_path / "watchdog"
    path.touch()
    with trio.move_on_after(9):
        await Watchdog(path).feed()
    assert len(path.read_bytes()) == 5, "each 2 seconds"
