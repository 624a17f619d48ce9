"""The worker's wrapper: what follows from how a worker ended; and the end of the computer."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rootfs.fake_root import FakeRoot, wait

PYTHON = """\
#!/bin/sh
root=${0%/usr/bin/python3}
env >>"$root/environment"
read -r status <"$root/statuses" || status=0
sed -i 1d "$root/statuses"
echo "began $*" >&2
[ -e "$root/says" ] && cat "$root/says" >&2
exec 2>&1
echo "Error: no luck" >&2
exit "${status:-0}"
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[FakeRoot]:
    root = FakeRoot(tmp_path)
    root.write("run/dc/named", "")
    root.write("usr/bin/python3", PYTHON, runs=True)
    root.answer("sleep", '[ "$1" = 60 ] && kill $PPID')  # when the computer has come to its end
    root.write("sys/class/tty/console/active", "ttyS0")
    root.write("dev/ttyS0", "")
    yield root
    root.close()


def run(root: FakeRoot, *statuses: int) -> list[str]:
    """Run workers that end so; return the pauses, and what became of the computer."""
    root.write("statuses", "".join(f"{status}\n" for status in statuses))
    root.run("worker")
    return [" ".join(one) for one in root.calls() if one[0] in ("sleep", "poweroff", "reboot")]


def log(root: FakeRoot, text: str) -> str:
    """Return the log once a text is in it: another process writes it."""
    deadline = time.monotonic() + 30
    while not root.has("run/dc/worker.log") or text not in root.read("run/dc/worker.log"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return root.read("run/dc/worker.log")


def test_an_end_is_the_end_of_the_computer(root: FakeRoot) -> None:
    assert run(root, 0) == ["poweroff -f", "sleep 60"]
    assert "began -m dc.worker.booted\n" in log(root, "no luck")


def test_a_reboot(root: FakeRoot) -> None:
    assert run(root, 3) == ["reboot -f", "sleep 60"]


def test_anew_at_once_with_new_answers_to_dhcp(root: FakeRoot) -> None:
    with subprocess.Popen(["sleep", "60"]) as client:
        root.write("run/dc/net/eth0.pid", f"{client.pid}\n")
        assert run(root, 4, 4, 0) == ["sleep 1", "sleep 1", "poweroff -f", "sleep 60"]
        assert client.wait(30) == -10  # SIGUSR1, by which udhcpc renews


def test_after_crashes_it_waits_longer_and_longer_but_not_long(root: FakeRoot) -> None:
    pauses = run(root, *[1, 2, 137, 1, 1, 1, 1, 1], 0)
    assert pauses == [*[f"sleep {n}" for n in (1, 2, 3, 4, 5, 6, 6, 6)], "poweroff -f", "sleep 60"]


def test_a_crash_after_a_long_time_is_the_first_one(root: FakeRoot) -> None:
    later = """n=$(cat "$root/n" 2>/dev/null || echo 1); echo $((n + 1)) >"$root/n"\n"""
    later += """echo "$((n * 100)).0 0" >"$root/proc/uptime"\n"""
    python = PYTHON.replace("read -r", later + "read -r", 1)
    root.write("usr/bin/python3", python, runs=True)
    root.write("proc/uptime", "0.0 0\n")
    assert run(root, 1, 1, 1, 0)[:3] == ["sleep 1"] * 3


def test_crashes_are_told_with_the_last_line_of_the_log(root: FakeRoot) -> None:
    root.write("says", "x\x1b[31m\n" * 3)
    run(root, 1, 2, 0)
    wait(lambda: root.read("dev/ttyS0").endswith("\n"))
    lines = root.read("dev/ttyS0").splitlines()
    assert lines[0].startswith("the worker ended with status 2, again in 2 s: ")
    assert all(" " <= letter <= "~" for letter in "".join(lines))


def test_the_log_is_bounded(root: FakeRoot) -> None:
    root.write("says", ("y" * 99 + "\n") * 4000 + "z" * 20_000)
    run(root, 1, 1, 1, 0)
    deadline = time.monotonic() + 60
    while not root.has("run/dc/worker.log.1"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log(root, "no luck")
    assert (root.path / "run/dc/worker.log.1").stat().st_size <= 530_000
    assert (root.path / "run/dc/worker.log").stat().st_size <= 530_000
    assert (root.path / "run/dc/worker.log").stat().st_mode & 0o777 == 0o600


def test_the_environment_is_the_worker_s_alone(root: FakeRoot) -> None:
    run(root, 0)
    names = {line.split("=")[0] for line in root.read("environment").splitlines()}
    wanted = {"PATH", "HOME", "LANG", "TERM", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONNOUSERSITE"}
    assert wanted <= names <= wanted | {"PWD", "SHLVL", "_", "OLDPWD"}


def test_what_a_crashed_worker_left_behind_is_killed(root: FakeRoot) -> None:
    group = root.write("sys/fs/cgroup/dc-worker-7/cgroup.kill", "")
    with subprocess.Popen(["sleep", "60"]) as former:
        root.write("run/dc/worker.pid", f"{former.pid}\n")
        run(root, 0)
        assert former.wait(30) == -9  # of a wrapper that was killed: there is one worker at a time
    assert group.read_text() == "1\n"


@pytest.mark.parametrize("how", ["off", "reboot", "stop"])
def test_the_end_waits_for_the_worker_but_not_for_ever(root: FakeRoot, how: str) -> None:
    stubborn = ["busybox", "ash", "-c", "trap : TERM; echo; while :; do sleep 0.1; done"]
    with subprocess.Popen(stubborn, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        root.write("run/dc/worker.pid", f"{worker.pid}\n")
        assert root.run("power", how) == 0
        assert worker.poll() is None
        worker.kill()
    assert len(root.calls("sleep")) == 30  # tenths of a second
    last = {"off": ["poweroff", "-f"], "reboot": ["reboot", "-f"]}.get(how, ["sleep", "0.1"])
    assert root.calls()[-1] == last


def test_a_computer_ends_once(root: FakeRoot) -> None:
    root.run("power", "reboot")
    root.run("power", "off")
    assert [one[0] for one in root.calls()] == ["reboot"]


def test_the_power_button_powers_off() -> None:
    # The name is what busybox's acpid calls by its built-in map.
    button = Path(__file__).parent.parent.parent / "os/rootfs/etc/acpi/PWRF/00000080"
    assert button.read_text().endswith("exec /usr/lib/dc-image/power off\n")
    assert os.access(button, os.X_OK)
