"""Archives of plugins are unpacked whole or not at all, whoever has made them."""

from __future__ import annotations

import io
import stat
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dc import limits, limits_plugins
from dc.errors import PluginError
from dc.plugin_manifest import MANIFEST
from dc.plugin_unpack import unpack
from dc.plugin_unpacked import manifest_of
from tests.archives import CODE, archive, info, manifest, zip_of, zipped


def refused(folder: Path, data: bytes) -> str:
    """Unpack what must be refused; return why. Nothing may be left."""
    file = folder / "a.dcplugin"
    file.write_bytes(data)
    with pytest.raises(PluginError) as error:
        unpack(file, folder / "plugins" / "there")
    assert not list((folder / "plugins").rglob("*"))
    assert {path.name for path in folder.iterdir()} <= {"a.dcplugin", "plugins"}
    return str(error.value)


def with_entry(one: zipfile.ZipInfo, data: str | bytes = "x") -> bytes:
    return zip_of([(info(MANIFEST), _manifest()), (one, data)])


def _manifest() -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        return opened.read(MANIFEST)


def test_an_archive_becomes_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "a.dcplugin"
    file.write_bytes(archive({"deps/one/__init__.py": "x = 1", "code/data/π.txt": "3"}))
    to = tmp_path / "plugins" / "there"
    assert unpack(file, to) == manifest() == manifest_of(to)
    assert (to / "code" / "shouting.py").read_text() == CODE
    assert (to / "deps" / "one" / "__init__.py").read_text() == "x = 1"
    assert (to / "code" / "data" / "π.txt").read_text() == "3"
    assert [path.name for path in to.parent.iterdir()] == ["there"]
    assert stat.S_IMODE((to / "code" / "shouting.py").stat().st_mode) & 0o111 == 0


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.dcplugin"
    file.write_bytes(archive())
    to = tmp_path / "there"
    unpack(file, to)
    file.unlink()
    assert unpack(file, to) == manifest()


def test_of_two_at_once_either_is_right(tmp_path: Path) -> None:
    file = tmp_path / "a.dcplugin"
    file.write_bytes(archive({f"code/m{number}.py": "pass" for number in range(50)}))
    to = tmp_path / "plugins" / "there"
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(unpack(file, to))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == 4 * [manifest()]
    assert [path.name for path in to.parent.iterdir()] == ["there"]
    assert len(list((to / "code").iterdir())) == 51


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "code/../../evil.py",
        "code/..",
        "code/./x.py",
        "code//x.py",
        "/etc/evil.py",
        "code/",
        "C:/evil.py",
        "code/C:evil.py",
        "code\\..\\..\\evil.py",
        "code/x\\y.py",
        "code/x.py\0.txt",
        "code/\x1b[2J.py",
        "code/nul",
        "code/Aux.py",
        "code/com1.txt",
        "code/x.",
        "code/x ",
        "code/" + "x" * 201,
        "code/" + "ü" * 101,
        "code" + "/x" * 100,
        "evil.py",
        "code",
        "scripts/x.py",
        ".dc-plugin.json",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    one = info("x")
    one.filename = one.orig_filename = name
    text = refused(tmp_path, with_entry(one))
    assert "it has" in text
    assert text.isascii(), "what stands in a name must not reach a terminal"
    assert text.isprintable()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
def test_only_files_are_taken(tmp_path: Path, kind: int) -> None:
    text = refused(tmp_path, with_entry(info("code/x", kind | 0o777), "/etc/passwd"))
    assert text == "it has something else than a file: 'code/x'"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("code/x.py", "code/x.py"),
        ("code/x.py", "code/X.py"),
        ("code/straße.py", "code/STRASSE.py"),
        ("code/\u00e9.py", "code/e\u0301.py"),
        ("code/x", "code/x/y.py"),
        ("code/x/y.py", "code/X"),
    ],
)
def test_no_two_files_are_one(tmp_path: Path, first: str, second: str) -> None:
    data = zip_of([(info(MANIFEST), _manifest()), (info(first), "1"), (info(second), "2")])
    assert "two files" in (text := refused(tmp_path, data)) or "a file and a folder" in text


def test_other_kinds_of_packing_are_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        text = refused(tmp_path, with_entry(info("code/x", method=method)))
        assert "not packed by deflate" in text


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(with_entry(info("code/x")))
    data[data.rfind(b"PK\1\2") + 8] |= 1
    assert "not packed by deflate" in refused(tmp_path, bytes(data))


# --- bombs --------------------------------------------------------------------------------------


def test_a_bomb_by_ratio(tmp_path: Path) -> None:
    data = archive({"code/zero": bytes(limits_plugins.ARCHIVE_RATIO_FROM_BYTES + 1)})
    assert "looks like a bomb" in refused(tmp_path, data)


def test_little_that_packs_well_is_no_bomb(tmp_path: Path) -> None:
    file = tmp_path / "a.dcplugin"
    file.write_bytes(archive({"code/zero": bytes(limits.MIB)}))
    unpack(file, tmp_path / "there")


def test_a_bomb_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_plugins, "UNPACKED_BYTES", 1000)
    text = refused(tmp_path, archive({"code/x": "x" * 1000}))
    assert "1000 are the most" in text


def test_an_archive_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_plugins, "ARCHIVE_BYTES", 100)
    assert "its archive has" in refused(tmp_path, archive())


def test_a_bomb_by_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_plugins, "ARCHIVE_FILES", 3)
    data = archive({f"code/m{number}.py": "" for number in range(3)})
    assert refused(tmp_path, data) == "it has 5 files; 3 are the most"


def test_a_list_of_files_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_plugins, "ARCHIVE_LIST_BYTES", 50)
    assert "are the most" in refused(tmp_path, archive())


def test_a_size_that_lies(tmp_path: Path) -> None:
    """More comes out of it than it says: no more than it says is written."""
    data = bytearray(archive({"code/x": b"x" * 5000}))
    at = data.rfind(b"PK\1\2")
    assert data[at + 24 : at + 28] == (5000).to_bytes(4, "little")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert "damaged" in refused(tmp_path, bytes(data))


# --- what is no archive -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"x" * 1000,
        archive()[:-1],
        archive()[:-30],
        archive() + b"\0",
        archive() + archive()[-22:],
        archive()[50:],
        zipped({"code/x.py": ""}),
        zipped({MANIFEST: b"{"}),
        zipped({MANIFEST: b"[]"}),
        zipped({MANIFEST: b'{"name": "x", "format": 2}'}),
        zipped({MANIFEST: b'{"name": "x", "plugins": [{"name": "x", "module": "../x"}]}'}),
        zipped({MANIFEST: b" " * (limits_plugins.MANIFEST_BYTES + 1)}),
    ],
    ids=range(14),
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, data)


def test_a_comment_and_the_large_format_are_refused(tmp_path: Path) -> None:
    plain = archive()
    assert "another kind" in refused(tmp_path, plain[:-22] + b"PK\6\7" + bytes(16) + plain[-22:])
    with_comment = plain[:-2] + b"\x05\0"
    assert "another kind" in refused(tmp_path, with_comment)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    whole = bytearray(archive({"code/x/y.py": b"y = 1\n" * 20, "deps/z.py": b""}))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    file = folder / "a.dcplugin"
    file.write_bytes(whole)
    try:
        unpack(file, folder / "there")
    except PluginError:
        assert [path.name for path in folder.iterdir()] == ["a.dcplugin"]
    else:
        assert {path.name for path in folder.iterdir()} == {"a.dcplugin", "there"}


# --- the disk -----------------------------------------------------------------------------------


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "No space left on device" in refused(tmp_path, archive())


def test_what_was_removed_in_part_is_unpacked_anew(tmp_path: Path) -> None:
    file, to = tmp_path / "a.dcplugin", tmp_path / "there"
    file.write_bytes(archive())
    unpack(file, to)
    (to / MANIFEST).unlink()
    (to / "code" / "shouting.py").write_text("half")
    assert unpack(file, to) == manifest()
    assert (to / "code" / "shouting.py").read_text() == CODE
    assert {path.name for path in tmp_path.iterdir()} == {"a.dcplugin", "there"}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "a.dcplugin"
    file.write_bytes(archive())
    (tmp_path / "plain").write_text("")
    with pytest.raises(PluginError, match="cannot be unpacked to"):
        unpack(file, tmp_path / "plain" / "there")
    assert {path.name for path in tmp_path.iterdir()} == {"a.dcplugin", "plain"}


def test_an_archive_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="cannot be unpacked"):
        unpack(tmp_path / "none", tmp_path / "there")
