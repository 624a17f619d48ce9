"""What a worker finds out about its computer, shown other computers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dc import limits
from dc.worker.amounts import Card
from dc.worker.equipment import Equipment, run_program

CUDA, ROCR = "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"


def computer(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def nothing(command: Sequence[str]) -> str:
    return ""


def look(root: Path, files: dict[str, str], allowed: int = 8, **environment: str) -> Equipment:
    return Equipment(computer(root, files), nothing, allowed, environment)


def test_an_empty_computer(tmp_path: Path) -> None:
    seen = look(tmp_path, {})
    assert seen.resources() == {"cpus": 8}
    assert seen.labels() == {"virtual": "no", "container": "no"}
    assert seen.cards() == []


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"proc/self/cgroup": "0::/\n"}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "250000 100000\n"}, 2.5),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "nonsense"}, 8),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "1600000 100000"}, 8),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/d/e\n",
                "sys/fs/cgroup/cpu/d/e/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/d/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/d/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        ({"proc/self/cgroup": "garbage\n:::\n0::/../../etc\n"}, 8),
    ],
)
def test_processors(tmp_path: Path, files: dict[str, str], processors: float) -> None:
    assert look(tmp_path, files).processors() == processors


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({"proc/meminfo": "MemFree: 1 kB\nMemTotal:   1024 kB\n"}, 1024 * 1024),
        (
            {
                "proc/meminfo": "MemTotal:   1024 kB\n",
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.max": "max\n",
                "sys/fs/cgroup/memory.max": "4096\n",
            },
            4096,
        ),
        (
            {
                "proc/meminfo": "MemTotal:   1024 kB\n",
                "proc/self/cgroup": "9:memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
            },
            1024 * 1024,
        ),
        ({"proc/meminfo": "nonsense"}, 0),
    ],
)
def test_memory(tmp_path: Path, files: dict[str, str], memory: float) -> None:
    assert look(tmp_path, files).memory() == memory


def test_nvidia_cards_by_the_files_of_the_driver(tmp_path: Path) -> None:
    base = "proc/driver/nvidia/gpus"
    seen = look(
        tmp_path,
        {
            f"{base}/0000:01:00.0/information": "Model: \t NVIDIA A100\nIRQ: 5\n",
            f"{base}/0000:02:00.0/information": "nothing said\n",
        },
    )
    assert seen.resources()["gpus"] == 2
    assert seen.labels()["gpu"] == "NVIDIA A100 + NVIDIA"
    assert seen.labels()["gpu-driver"] == "nvidia"
    assert seen.cards() == [Card("0", CUDA), Card("1", CUDA)]


def test_nvidia_cards_by_the_program(tmp_path: Path) -> None:
    seen = Equipment(tmp_path, lambda _: "NVIDIA T4\n\nNVIDIA T4\n", 1, {CUDA: "GPU-1, GPU-7"})
    assert seen.labels()["gpu"] == "NVIDIA T4"
    assert seen.cards() == [Card("GPU-1", CUDA), Card("GPU-7", CUDA)], (
        "only those that it was given"
    )


def test_a_worker_that_was_given_no_card_has_none(tmp_path: Path) -> None:
    seen = Equipment(tmp_path, lambda _: "NVIDIA T4\n", 1, {CUDA: ""})
    assert "gpus" not in seen.resources()


def test_amd_cards(tmp_path: Path) -> None:
    seen = look(
        tmp_path,
        {
            "dev/kfd": "",
            "sys/class/drm/card0/device/vendor": "0x1002\n",
            "sys/class/drm/card0/device/mem_info_vram_total": "17163091968\n",
            "sys/class/drm/card0/device/product_name": "Instinct MI210\n",
            "sys/class/drm/card0-DP-1/device/vendor": "0x1002\n",
            "sys/class/drm/card1/device/vendor": "0x8086\n",
        },
    )
    assert seen.cards() == [Card("0", ROCR)]
    assert (seen.labels()["gpu"], seen.labels()["gpu-driver"]) == ("Instinct MI210", "amd")


@pytest.mark.parametrize(
    ("files", "label", "value"),
    [
        (
            {"power/BAT0/type": "Battery\n", "power/BAT0/status": "Discharging\n"},
            "battery",
            "discharging",
        ),
        ({"power/BAT0/type": "Battery\n"}, "battery", "unknown"),
        ({"power/AC/type": "Mains\n"}, "battery", None),
        ({"power/mouse/type": "Battery\n", "power/mouse/scope": "Device\n"}, "battery", None),
        ({"dmi/product_name": "VirtualBox\n"}, "virtual", "yes"),
        ({"proc/cpuinfo": "flags\t\t: fpu hypervisor sse\n"}, "virtual", "yes"),
        ({"proc/cpuinfo": "flags\t\t: fpu sse\n"}, "virtual", "no"),
        ({".dockerenv": ""}, "container", "yes"),
        ({"proc/1/environ": "A=b\0container=lxc\0"}, "container", "yes"),
    ],
)
def test_labels(tmp_path: Path, files: dict[str, str], label: str, value: str | None) -> None:
    places = {"power": "sys/class/power_supply", "dmi": "sys/class/dmi/id"}
    named = {}
    for name, text in files.items():
        first, slash, rest = name.partition("/")
        named[f"{places.get(first, first)}{slash}{rest}"] = text
    assert look(tmp_path, named).labels().get(label) == value


def test_folders_and_bytes_where_files_of_text_should_be(tmp_path: Path) -> None:
    for name in ("proc/meminfo", "proc/self/cgroup", "sys/class/dmi/id/product_name"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_bytes(b"\xff\xfe\x00" * 100_000)
    assert look(tmp_path, {}).resources() == {"cpus": 8}


def test_this_computer_is_found_out_without_an_error() -> None:
    seen = Equipment()
    assert seen.processors() > 0
    assert all(seen.labels().values())
    assert all(amount > 0 for amount in seen.resources().values())


def test_programs_that_fail_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROGRAM_SECONDS", 60.0)
    assert run_program(["/no/such/program"]) == ""
    assert run_program([sys.executable, "-c", "print(1); raise SystemExit(3)"]) == ""
    assert run_program([sys.executable, "-c", "print(1)"]) == "1\n"
    monkeypatch.setattr(limits, "PROGRAM_SECONDS", 0.05)
    assert run_program([sys.executable, "-c", "import time; time.sleep(60)"]) == ""
    assert limits.PROGRAM_SECONDS
