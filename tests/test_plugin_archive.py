"""Archives of plugins: what travels, that the same code makes the same bytes, what is refused."""

from __future__ import annotations

import importlib.metadata
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dc import limits_plugins
from dc.errors import PluginError, StartError
from dc.plugin_archive import Packed, manifest_of, pack, pack_origin
from dc.plugin_carried import resolve
from dc.plugin_manifest import Entry, Manifest, read_manifest, write_manifest
from dc.plugin_origins import find_origins, installed

TASK = "import dc\n\n@dc.task_type\ndef double(number: int) -> int:\n    return 2 * number\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names_in(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[Path], tuple[Packed, list[str]]]:
    def do(source: Path) -> tuple[Packed, list[str]]:
        archive = tmp_path / "packed.zip"
        return pack(source, archive), names_in(archive)

    return do


Pack = Callable[[Path], tuple[Packed, list[str]]]


def project(folder: Path, *lines: str) -> Path:
    write(folder / "pyproject.toml", "[project]\nname = 'mine'\n" + "\n".join(lines))
    write(folder / "mine.py", TASK)
    return folder


# --- manifests ----------------------------------------------------------------------------------


def test_a_manifest_comes_back_as_it_was() -> None:
    entry = Entry("one", "pack.inner", "kinds.first")
    full = Manifest("x", "1.2", 1, [entry], ">=3.11", ["linux"], ["numpy>=2"], ["attrs 23.1.0"])
    for manifest in (Manifest("x"), full):
        assert read_manifest(write_manifest(manifest)) == manifest
    assert json.loads(write_manifest(Manifest("x"))) == {"format": 1, "name": "x"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"name": 5}',
        b'{"name": "\xff"}',
        b'{"name": "' + b"x" * 257 + b'"}',
        b'{"name": "x", "plugins": [{"name": "a", "module": "../up"}]}',
        b'{"name": "x", "plugins": [{"name": "a", "module": "a\\n"}]}',
        b'{"name": "x", "plugins": [{"name": "a", "module": "a", "attribute": "b;c"}]}',
        b'{"name": "x", "format": 2}',
        b'{"name": "x"}' + b" " * limits_plugins.MANIFEST_BYTES,
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(PluginError):
        read_manifest(data)


# --- what travels -------------------------------------------------------------------------------


def test_a_module(tmp_path: Path, packed: Pack) -> None:
    made, names = packed(write(tmp_path / "in" / "my-plugin.py", TASK))
    assert names == ["dc-plugin.json", "code/my-plugin.py"]
    assert made.manifest == Manifest("my-plugin", plugins=[Entry("my-plugin", "my-plugin")])


def test_a_package_without_what_is_not_its_code(tmp_path: Path, packed: Pack) -> None:
    folder = tmp_path / "pack"
    kept = ["__init__.py", "data/words.txt", "inner.py", "sub/__init__.py", "sub/deep/more.json"]
    left = [".git/config", ".hidden", "__pycache__/inner.cpython-311.pyc", "conftest.py"]
    left += ["test_inner.py", "tests/test_all.py", "sub/tests/data.txt", "dc-plugin.sig", "a.pyc"]
    for name in kept + left:
        write(folder / name, TASK)
    made, names = packed(folder)
    assert names == ["dc-plugin.json", *(f"code/pack/{name}" for name in sorted(kept))]
    assert made.manifest.plugins == [Entry("pack", "pack")]


@pytest.mark.parametrize("layout", ["", "src"])
def test_a_project(tmp_path: Path, packed: Pack, layout: str) -> None:
    folder = tmp_path / "in"
    write(
        folder / "pyproject.toml",
        "[project]\nname = 'mine'\nversion = '1.5'\nrequires-python = '>=3.12'\n"
        "[project.entry-points.dc]\na = 'one'\nb = 'two.inner:KIND'\n"
        "[tool.dc]\nplatforms = ['linux', 'darwin-arm64']\n",
    )
    write(folder / layout / "one.py", TASK)
    write(folder / layout / "two" / "__init__.py", "")
    write(folder / layout / "two" / "inner.py", TASK)
    write(folder / "tests" / "__init__.py", "")
    made, names = packed(folder)
    assert names[1:] == ["code/one.py", "code/two/__init__.py", "code/two/inner.py"]
    assert made.manifest == Manifest(
        "mine",
        "1.5",
        plugins=[Entry("a", "one"), Entry("b", "two.inner", "KIND")],
        python=">=3.12",
        platforms=["linux", "darwin-arm64"],
    )


def test_a_project_without_entry_points(tmp_path: Path, packed: Pack) -> None:
    folder = project(tmp_path / "in")
    assert packed(folder)[0].manifest.plugins == [Entry("mine", "mine")]
    write(folder / "other.py", TASK)
    both = [Entry("mine:mine", "mine"), Entry("mine:other", "other")]
    assert packed(folder)[0].manifest.plugins == both


def test_compiled_code_binds_to_this_python_and_platform(tmp_path: Path, packed: Pack) -> None:
    folder = project(tmp_path / "in", "requires-python = '>=3.9'")
    write(folder / "quick" / "__init__.py", "")
    write(folder / "quick" / "core.so", "")
    manifest = packed(folder)[0].manifest
    assert manifest.python.startswith("==3.")
    assert len(manifest.platforms) == 1


def test_the_same_code_makes_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for where in ("here", "there"):
        folder = project(tmp_path / where / "in")
        names = ["z.py", "a.py"] if where == "here" else ["a.py", "z.py"]
        for at, name in enumerate(names):
            file = write(folder / "pack" / name, name)
            os.utime(file, (1e9 + at, 1e9 + at))
            file.chmod(0o600 + 0o11 * at)
        write(folder / "pack" / "__init__.py", "")
        made.append(pack(folder, tmp_path / f"{where}.zip"))
    assert made[0] == made[1]
    assert (tmp_path / "here.zip").read_bytes() == (tmp_path / "there.zip").read_bytes()
    write(tmp_path / "there" / "in" / "pack" / "z.py", "other")
    assert pack(tmp_path / "there" / "in", tmp_path / "new.zip").digest != made[0].digest


def test_an_archive_stays_as_it_is(tmp_path: Path) -> None:
    first = pack(project(tmp_path / "in"), tmp_path / "mine.dcplugin")
    again = pack(tmp_path / "mine.dcplugin", tmp_path / "copy.zip")
    assert again == first
    assert manifest_of(tmp_path / "copy.zip") == first.manifest


def test_all_that_plugins_are_in(tmp_path: Path) -> None:
    write(tmp_path / "one.py", TASK)
    project(tmp_path / "project")
    pack(tmp_path / "one.py", tmp_path / "ready.dcplugin")
    found = find_origins([tmp_path, tmp_path / "project"], entry_points=False)
    assert [one.name for one in found] == ["one", "mine", "ready", "mine"]
    (tmp_path / "empty").mkdir()
    (nothing,) = find_origins([tmp_path / "empty"], entry_points=False)
    assert "no plugin in it" in nothing.broken
    with pytest.raises(StartError, match="does not exist"):
        find_origins([tmp_path / "missing"], entry_points=False)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["dependencies = ['not a name!']"], "not a name!"),
        (["dynamic = ['dependencies']"], "dynamic"),
        (["requires-python = 'three'"], "requires-python"),
        (["dependencies = 5"], "cannot be read"),
        (["[project.entry-points.dc]", "a = 'absent'"], "absent"),
        (["[project.entry-points.dc]", "a = '../mine'"], "mine"),
        ([f"version = '{'1' * 300}'"], "cannot be read"),
        (["[project.entry-points]", "dc = 7"], "cannot be read"),
    ],
)
def test_a_wrong_project_is_refused(tmp_path: Path, lines: list[str], text: str) -> None:
    with pytest.raises(PluginError, match=text):
        pack(project(tmp_path / "in", *lines), tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    torn = write(tmp_path / "torn.dcplugin", "PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "other.dcplugin", "w") as other:
        other.writestr("readme.txt", "nothing of ours")
    for source in (tmp_path / "absent", tmp_path / "empty", torn, tmp_path / "other.dcplugin"):
        with pytest.raises(PluginError):
            pack(source, tmp_path / "out.zip")
        assert not (tmp_path / "out.zip").exists()


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "in")
    write(folder / "pack" / "__init__.py", "")
    write(folder / "pack" / "odd-\udcff", "")
    with pytest.raises(PluginError, match="is no text"):
        pack(folder, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "in")
    write(folder / "pack" / "__init__.py", "")
    (folder / "pack" / "noise").write_bytes(os.urandom(5000))
    for name, most in (("UNPACKED_BYTES", 4000), ("ARCHIVE_BYTES", 4000), ("ARCHIVE_FILES", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(limits_plugins, name, most)
            with pytest.raises(PluginError):
                pack(folder, tmp_path / "out.zip")
        assert not (tmp_path / "out.zip").exists()
    pack(folder, tmp_path / "out.zip")


# --- dependencies -------------------------------------------------------------------------------


class Site:
    """A folder of installed packages that are made up."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))

    def add(
        self, name: str, *requires: str, version: str = "1.0", pure: bool = True, extra: str = ""
    ) -> None:
        module = name.replace("-", "_")
        info = self.folder / f"{module}-{version}.dist-info"
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {o}" for o in requires)]
        write(info / "METADATA", "Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")
        write(info / "WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(pure).lower()}\n")
        files = [f"{module}/__init__.py", f"{module}/data.txt", *filter(None, [extra])]
        for file in files:
            write(self.folder / file, "")
        files += [f"{info.name}/{one}" for one in ("METADATA", "WHEEL", "RECORD")]
        files += [f"{module}/__pycache__/x.pyc", f"../../bin/{name}"]
        write(info / "RECORD", "".join(f"{file},,\n" for file in files))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path / "site", monkeypatch)


def test_a_pure_dependency_travels_with_all_that_it_needs(site: Site) -> None:
    site.add("Deep-One", "deeper>=1; extra == 'more'", "never; extra == 'less'")
    site.add("deeper", "deep-one")  # in a circle
    site.add("wide", "deep_one[more]")
    found = resolve(["wide"])
    assert found.carried == ["deep-one 1.0", "deeper 1.0", "wide 1.0"]
    assert found.declared == []
    assert "wide/__init__.py" in found.files
    assert "deeper/data.txt" in found.files
    assert "Deep_One-1.0.dist-info/METADATA" in found.files
    assert not any("RECORD" in n or "pycache" in n or ".." in n for n in found.files)


def test_what_cannot_travel_is_declared(site: Site) -> None:
    site.add("compiled", pure=False)
    site.add("sneaky", extra="sneaky/core.so")
    site.add("hooks", extra="hooks.pth")
    site.add("leans", "compiled")
    site.add("misses", "absent-one")
    site.add("old", version="0.5")
    site.add("good")
    wanted = ["compiled", "sneaky", "hooks", "leans", "misses", "old>=1", "absent-two", "good"]
    found = resolve(wanted)
    assert found.carried == ["good 1.0"]
    assert found.declared == sorted(set(wanted) - {"good"})
    assert resolve(["good"], carry=False).declared == ["good"]
    assert resolve(["good @ https://example.org/good.whl"]).carried == []


def test_markers_are_respected(site: Site) -> None:
    site.add("good", "helper; sys_platform == 'atari'", "win-only; sys_platform == 'win32'")
    found = resolve(
        [
            "good; python_version >= '3.0'",
            "past; python_version < '3.8'",
            "far; sys_platform == 'win32'",
            "optional; extra == 'docs'",
        ]
    )
    assert found.carried == ["good 1.0"]
    assert found.declared == ['far; sys_platform == "win32"', "win-only; sys_platform == 'win32'"]


def test_what_dc_needs_is_there_already() -> None:
    assert resolve(["distributed-computing", "msgspec>=0.1", "attrs", "trio"]) == resolve([])
    assert resolve(["msgspec>=999"]).declared == ["msgspec>=999"]


def test_an_installed_package(site: Site, tmp_path: Path) -> None:
    site.add("good")
    site.add("plugged", "good", "distributed-computing")
    info = site.folder / "plugged-1.0.dist-info"
    write(info / "entry_points.txt", "[dc]\nfirst = plugged\n[other]\nx = y\n")
    package = importlib.metadata.distribution("plugged")
    made = pack_origin(installed(package), tmp_path / "out.zip")
    assert made.manifest.plugins == [Entry("first", "plugged")]
    assert (made.manifest.name, made.manifest.version) == ("plugged", "1.0")
    assert made.manifest.carried == ["good 1.0"]
    code = [n for n in names_in(tmp_path / "out.zip") if n.startswith("code/")]
    assert code == ["code/plugged/__init__.py", "code/plugged/data.txt"]
    assert [one.place for one in find_origins([], entry_points=True)] == ["package plugged"]


def test_an_editable_install_is_its_project(site: Site, tmp_path: Path) -> None:
    folder = project(tmp_path / "in", "[project.entry-points.dc]", "mine = 'mine'")
    site.add("mine")
    info = site.folder / "mine-1.0.dist-info"
    told = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    write(info / "direct_url.json", json.dumps(told))
    package = importlib.metadata.distribution("mine")
    pack_origin(installed(package), tmp_path / "out.zip")
    assert names_in(tmp_path / "out.zip")[1:] == ["code/mine.py"]
    assert resolve(["mine"]).declared == ["mine"]  # what is still edited does not travel
