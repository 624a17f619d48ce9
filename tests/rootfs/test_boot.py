"""What is done once after the start: a hidden kernel line, words that are read, a clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rootfs.fake_root import FakeRoot

SECRET = "dc1-SeCrEt"
YEARS_21 = 21 * 366 * 86400


@pytest.fixture
def root(tmp_path: Path) -> Iterator[FakeRoot]:
    root = FakeRoot(tmp_path)
    root.write("etc/dc/image.json", '{"version": "1.2.3", "arch": "amd64"}')
    for script in ("devices", "shells"):
        root.stub(script, f'echo "$*" >>"$DC_ROOT/{script}.ran"')
    yield root
    root.close()


def boot(root: FakeRoot, line: str) -> None:
    root.write("proc/cmdline", line + "\n")
    assert root.run("boot") == 0


def test_what_everybody_sees_has_no_join_code(root: FakeRoot) -> None:
    boot(root, f'quiet dc.invite={SECRET} dc.slots=2 "dc.label=room=upper floor" x=y')
    assert (
        root.read("run/dc/shown") == 'quiet dc.invite= dc.slots=2 "dc.label=room=upper floor" x=y\n'
    )
    hidden = [
        "mount",
        "-o",
        "bind",
        str(root.path / "run/dc/shown"),
        str(root.path / "proc/cmdline"),
    ]
    assert hidden in root.calls("mount")
    assert SECRET in root.read("run/dc/cmdline")  # which the worker reads
    assert (root.path / "run/dc/cmdline").stat().st_mode & 0o777 == 0o600
    assert (root.path / "run/dc").stat().st_mode & 0o777 == 0o700
    assert root.read("run/dc/words") == "dc.slots=2\ndc.label=room=upper floor\n"


def test_the_device_tree_has_the_line_as_well(root: FakeRoot) -> None:
    tree = root.write("sys/firmware/devicetree/base/chosen/bootargs", SECRET)
    boot(root, f"dc.invite={SECRET}")
    assert ["mount", "-o", "bind", str(root.path / "run/dc/shown"), str(tree)] in root.calls(
        "mount"
    )


@pytest.mark.parametrize(
    "line",
    [
        f'"dc.invite={SECRET}"',
        f"invite={SECRET.upper()}",
        f'dc.invite="{SECRET}"',
        f"dc.invite={SECRET}#with=more",
        f"dc.server={SECRET}",
        f"dc.invit={SECRET} {SECRET}",
        f"quiet -- dc.invite={SECRET}",
        f'"{SECRET}" "dc.invite={SECRET} ',
    ],
)
def test_a_join_code_is_hidden_wherever_it_stands(root: FakeRoot, line: str) -> None:
    boot(root, line)
    told = root.read("run/dc/shown") + root.read("run/dc/words")
    assert SECRET.lower() not in told.lower()


words = st.text("ab=\"' .$`*;\\\t#", max_size=30)


@settings(max_examples=25, deadline=None)
@given(before=words, after=words)
def test_whatever_stands_around_it(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str
) -> None:
    root = FakeRoot(tmp_path_factory.mktemp("root"))
    root.stub("devices")
    boot(root, f"{before} dc.invite={SECRET} {after}")
    told = root.read("run/dc/shown") + root.read("run/dc/words")
    assert SECRET.lower() not in told.lower()
    assert all(one.startswith("dc.") for one in root.read("run/dc/words").splitlines())


def test_words_of_the_kernel_line_come_before_those_of_the_file(root: FakeRoot) -> None:
    text = "#dc-image-configuration-1\r\n# dc.name=no\r\n dc.name=file \r\n"
    text += "dc.ip=10.0.0.2/8\n\0\xff$(x)\n"
    root.write("run/dc/dc.conf", f"{text}dc.invite={SECRET}\n" + "\n" * 100)
    boot(root, "dc.name=line")
    assert root.read("run/dc/words") == "dc.name=line\ndc.name=file\ndc.ip=10.0.0.2/8\n"


@pytest.mark.parametrize(
    ("built", "is_set"),
    [
        (int(time.time()) + 86400, True),  # the clock is before the image was made
        (int(time.time()) - 86400, False),
        (int(time.time()) - YEARS_21, True),  # and here long after it
        ("", False),
        ("soon", False),
    ],
)
def test_a_clock_that_cannot_be_right_is_set_to_when_the_image_was_made(
    root: FakeRoot, built: int | str, is_set: bool
) -> None:
    root.write("etc/dc/built", f"{built}\n")
    boot(root, "")
    assert root.calls("date") == ([["date", "-s", f"@{built}"]] if is_set else [])


def test_there_are_shells_only_if_they_were_asked_for(root: FakeRoot) -> None:
    boot(root, "dc.shell=0")
    assert not root.has("shells.ran")
    boot(root, "dc.shell=1")
    for _ in range(6000):
        if root.has("shells.ran"):
            break
        time.sleep(0.01)
    assert root.has("shells.ran")


def test_all_consoles_are_told_which_image_it_is(root: FakeRoot) -> None:
    root.write("sys/class/tty/console/active", "tty0 ttyS0\n")
    boot(root, f"dc.invite={SECRET}")
    for console in ("tty0", "ttyS0"):
        assert root.read(f"dev/{console}") == "dc worker image 1.2.3\n"


def test_devices_are_found_beside_it_those_of_the_network_first(root: FakeRoot) -> None:
    """Whatever becomes of a driver, it is said that it was tried, and the others' turn comes."""
    script = """\
until [ -e "$DC_ROOT/go-on" ]; do /bin/sleep 0.01; done
[ "$1" = early ] || ls "$DC_ROOT/run/dc/early-done" >"$DC_ROOT/seen"
echo "$*" >>"$DC_ROOT/devices.ran"
exit 1
"""
    root.stub("devices", script)
    boot(root, "")
    assert not root.has("devices.ran")
    assert not root.has("run/dc/early-done")
    root.write("go-on", "")
    for _ in range(6000):
        if root.has("devices.ran") and root.read("devices.ran") == "early\nrest\n":
            break
        time.sleep(0.01)
    assert root.read("devices.ran") == "early\nrest\n"
    assert root.read("seen").strip().endswith("early-done")
