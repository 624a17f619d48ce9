"""Locks: what is written is read, what is damaged is told of, and those of the tree are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagemaker import apt, arch, control, lock, packages, wheels
from imagemaker.errors import ImageError

ROOT = Path(__file__).parent.parent.parent
LOCKS = ROOT / "os" / "locks"

PACKAGES = st.builds(
    lock.Package,
    name=st.text("abc-+.0123456789", min_size=1),
    version=st.text(min_size=1),
    archive=st.sampled_from(lock.ARCHIVES),
    path=st.text("abc~_", min_size=1).map(lambda one: f"pool/main/{one}.deb"),
    size=st.integers(0, 10**9),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    roles=st.lists(st.sampled_from(["root", "kernel"]), unique=True).map(tuple),
)


@given(st.lists(PACKAGES, unique_by=lambda one: one.name))
def test_what_is_written_is_read(found: list[lock.Package]) -> None:
    states = {"debian": "20261128T141535Z", "security": "20261128T145300Z"}
    one = lock.Lock("amd64", states, tuple(sorted(found, key=lambda package: package.name)))
    assert lock.read(lock.write(one), "lock") == one


def said(**changes: Any) -> str:
    package = {
        "name": "a", "version": "1", "archive": "debian", "path": "pool/a.deb", "size": 1,
        "sha256": "0" * 64, "roles": ["root"],
    }  # fmt: skip
    states = changes.pop("states", {"debian": "20261128T141535Z", "security": "20261128T145300Z"})
    whole = {"arch": "amd64", "states": states, "packages": [{**package, **changes}]}
    return json.dumps(whole)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"arch": "amd64", "packages": [1]}',
        said(sha256="0"), said(archive="mine"), said(path="pool/../../etc/passwd"),
        said(path="/etc/passwd"), said(size="many"), said(roles=None),
        said(states={}), said(states={"debian": "20261128T141535Z", "security": "../now"}),
    ],
)  # fmt: skip
def test_what_is_damaged_is_told_of(text: str) -> None:
    assert lock.read(said(), "lock").of("root")
    with pytest.raises(ImageError, match=r"mine\.json is not a lock .*make os-lock"):
        lock.read(text, "mine.json")


def test_a_state_is_one_after_the_date_of_the_archive() -> None:
    release = "Origin: Debian\nDate: Sat, 28 Nov 2026 20:15:35 UTC\nSuite: oldstable\n"
    assert lock.state_of(apt.date_of(release)) == "20261129T081535Z"
    with pytest.raises(ImageError, match="no date"):
        apt.date_of("Origin: Debian\n")


def test_a_lock_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="make os-lock"):
        lock.load(tmp_path / "amd64.json")


@pytest.mark.parametrize("name", arch.ALL)
def test_the_trees_locks_have_every_package_with_its_roles(name: str) -> None:
    found = lock.load(LOCKS / f"{name}.json")
    assert found.arch == name
    for role, names in packages.roles(arch.ALL[name]).items():
        assert {one.name for one in found.of(role)} == set(names), "make os-lock"
    (kernel,) = found.of(packages.KERNEL)
    assert kernel.name.startswith("linux-image-")
    assert kernel.name.endswith(name)


@pytest.mark.parametrize("name", ["wheels-amd64.txt", "wheels-arm64.txt", "wheels-build.txt"])
def test_wheels_are_of_the_versions_that_everybody_has(name: str) -> None:
    of_all = wheels.entries((ROOT / "requirements-dev.lock").read_text("utf-8"))
    found = wheels.entries((LOCKS / name).read_text("utf-8"))
    names = packages.BUILD_WHEELS if "build" in name else packages.WHEELS
    assert set(found) == set(names), "make os-lock"
    for package, (version, hashes) in found.items():
        assert version == of_all[package][0], "make os-lock"
        assert len(hashes) == 1
        assert hashes[0] in of_all[package][1]


def test_a_lock_of_pip_is_narrowed_to_what_is_wanted() -> None:
    text = f"a==1 ; python_version < '4' \\\n    --hash=sha256:{'1' * 64} \\\n    # via b\n"
    text += f"B_c==2.0 \\\n    --hash=sha256:{'2' * 64} \\\n    --hash=sha256:{'3' * 64}\n"
    narrow = wheels.narrowed([text], ["b-c"])
    assert wheels.entries(narrow) == {"b-c": ("2.0", ["2" * 64, "3" * 64])}
    with pytest.raises(ImageError, match=r"d is not in .*make lock"):
        wheels.narrowed([text], ["d"])


STANZAS = """\
Package: libssl3
Version: 3.0-1
Depends: libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0, linux-image-6.1.0-9-amd64 (= 1)
Filename: pool/updates/main/o/openssl/libssl3_3.0-1_amd64.deb
Size: 10
SHA256: aa
Description: words
 and more
 .

Package: b
"""


def test_what_apt_says_is_read() -> None:
    first, second = control.stanzas(STANZAS)
    assert first["Description"] == "words\nand more\n."
    assert second == {"Package": "b"}
    names = ["libc6", "debconf", "linux-image-6.1.0-9-amd64"]
    assert control.depended_on(first["Depends"]) == names
    found = apt.package(first, ["root"])
    assert (found.archive, found.file) == ("security", "libssl3_3.0-1_amd64.deb")


@pytest.mark.parametrize("text", [" goes on with nothing", "no colon"])
def test_what_apt_does_not_say_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match="no field"):
        control.stanzas(text)
