"""`python -m dc plugins keygen, sign, verify, pack`: they work on files, and ask no server."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dc import signing
from dc.cli.main import main
from dc.cli.plugin_template import make_plugin


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin's folder, and a key `my.key` beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DC_SERVER", "no server at all")
    signing.write_key(tmp_path / "my.key")
    return make_plugin("primes", Path("primes")).folder


class Said:
    """What a command has said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: object) -> tuple[int, str, str]:
        status = main(["plugins", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        return status, out, err

    def json(self, *arguments: object) -> Any:
        status, out, _ = self.run(*arguments, "--json")
        return {**json.loads(out), "status": status}


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


def public() -> str:
    return Path("my.key.pub").read_text().strip()


# --- keygen -------------------------------------------------------------------------------------


def test_keygen(plugin: Path, said: Said) -> None:
    status, out, err = said.run("keygen", "new.key")
    assert status == 0
    assert out == Path("new.key.pub").read_text()
    assert f"--trust {out.strip()}" in err
    assert Path("new.key").read_text().strip() not in out + err
    status, out, err = said.run("keygen", "new.key")
    assert (status, out) == (2, "")
    assert "is there already" in err


# --- sign and verify ----------------------------------------------------------------------------


def test_a_folder_is_signed_and_verified(plugin: Path, said: Said) -> None:
    signed = said.json("sign", plugin, "--key", "my.key")
    assert signed["signer"] == public()
    assert signed["signature"] == str(plugin / "dc-plugin.sig")
    found = said.json("verify", plugin, "--trust", public())
    assert found["status"] == 0
    assert found["holds"] is True
    assert found["wrong"] == ""
    assert (found["plugin"], found["version"]) == ("dc-primes", "0.1.0")
    assert found["sha256"] == signed["sha256"]
    status, out, err = said.run("verify", plugin)
    assert status == 0
    assert public() in out
    assert "primes: it is what the signer has signed" in err


def test_an_archive_is_packed_signed_and_verified(plugin: Path, said: Said) -> None:
    packed = said.json("pack", plugin)
    assert packed["file"] == "primes.dcplugin"
    assert packed["bytes"] == Path("primes.dcplugin").stat().st_size
    said.json("sign", "primes.dcplugin", "--key", "my.key")
    shutil.rmtree(plugin)  # the archive has all
    assert said.json("verify", "primes.dcplugin", "--trust", "my.key.pub")["holds"] is True


def test_the_signature_is_not_part_of_what_it_signs(plugin: Path, said: Said) -> None:
    before = said.json("pack", plugin)["sha256"]
    said.json("sign", plugin, "--key", "my.key")
    assert said.json("pack", plugin, "-o", "again.dcplugin")["sha256"] == before
    assert Path("again.dcplugin").read_bytes() == Path("primes.dcplugin").read_bytes()
    assert "dc-plugin.sig" not in zipfile.ZipFile("again.dcplugin").namelist()


def test_what_is_not_signed(plugin: Path, said: Said) -> None:
    found = said.json("verify", plugin)
    assert (found["status"], found["holds"], found["signer"]) == (1, False, "")
    assert "nobody has signed it: there is no primes/dc-plugin.sig" in found["wrong"]


def test_what_has_changed_since(plugin: Path, said: Said) -> None:
    said.json("sign", plugin, "--key", "my.key")
    (plugin / "README.md").write_text("It does not travel, and may change.")
    assert said.json("verify", plugin)["holds"] is True
    module = plugin / "dc_primes.py"
    module.write_text(module.read_text() + "\n# and more\n")
    status, _, err = said.run("verify", plugin, "--trust", public())
    assert status == 1
    assert "has changed since it was signed" in err


def test_an_archive_that_has_changed_since(plugin: Path, said: Said) -> None:
    said.json("pack", plugin)
    said.json("sign", "primes.dcplugin", "--key", "my.key")
    with zipfile.ZipFile("primes.dcplugin", "a") as archive:
        archive.writestr("code/more.py", "pass")
    found = said.json("verify", "primes.dcplugin")
    assert (found["status"], found["wrong"][:14]) == (1, "it has changed")


def test_whoever_is_not_trusted(plugin: Path, said: Said) -> None:
    said.json("sign", plugin, "--key", "my.key")
    other = signing.new_key()[1]
    found = said.json("verify", plugin, "--trust", other)
    assert (found["status"], found["signer"]) == (1, public())
    assert "by none of the keys" in found["wrong"]
    assert said.json("verify", plugin, "--trust", other, "--trust", public())["status"] == 0


def test_a_signature_that_is_not_by_its_signer(plugin: Path, said: Said) -> None:
    said.json("sign", plugin, "--key", "my.key")
    path = plugin / "dc-plugin.sig"
    fields = json.loads(path.read_text()) | {"signer": signing.new_key()[1]}
    path.write_text(json.dumps(fields))
    assert "not by the key that it names" in said.json("verify", plugin)["wrong"]
    path.write_text("{}")
    found = said.json("verify", plugin)
    assert found["status"] == 1
    assert "dc-plugin.sig: this is no signature" in found["wrong"]


def test_keys_that_are_none(plugin: Path, said: Said) -> None:
    for key in ("nothing.key", "my.key.pub", plugin / "README.md", plugin):
        status, out, err = said.run("sign", plugin, "--key", key)
        assert (status, out) == (2, "")
        assert f"dc: {key}: " in err
    assert not (plugin / "dc-plugin.sig").exists()
    for key in ("nothing", "my.key", f"{public()}x"):
        status, out, err = said.run("verify", plugin, "--trust", key)
        assert (status, out) == (2, "")
        assert "key" in err
        assert Path("my.key").read_text().strip() not in err


def test_a_key_that_others_can_read_or_get(plugin: Path, said: Said) -> None:
    Path("my.key").chmod(0o644)
    if os.name == "posix":
        assert "others can read my.key" in said.run("sign", plugin, "--key", "my.key")[2]
    shutil.move("my.key", plugin / "my.key")
    status, _, err = said.run("sign", plugin, "--key", plugin / "my.key")
    assert status == 2
    assert "is in the plugin's folder" in err


@pytest.mark.parametrize("action", [["pack"], ["sign", "--key", "my.key"], ["verify"]])
def test_what_is_no_plugin(plugin: Path, said: Said, action: list[str]) -> None:
    Path("bad.dcplugin").write_bytes(b"PK\x03\x04 and nothing more")
    Path("empty").mkdir()
    before = sorted(Path.cwd().iterdir())
    for what in ("bad.dcplugin", "empty", "my.key", "none", "none.dcplugin"):
        status, out, err = said.run(*action, what)
        assert (status, out) == (2, ""), what
        assert what in err
    assert sorted(Path.cwd().iterdir()) == before


# --- pack ---------------------------------------------------------------------------------------


def test_packing_anew_takes_the_place_of_what_was_there(plugin: Path, said: Said) -> None:
    first = said.json("pack", plugin, "-o", "x.dcplugin")
    (plugin / "dc_primes.py").write_text("import dc\n")
    assert said.json("pack", plugin, "-o", "x.dcplugin")["sha256"] != first["sha256"]
    kept = Path("x.dcplugin").read_bytes()
    assert said.json("pack", "x.dcplugin", "-o", "x.dcplugin")["bytes"] == len(kept)
    assert Path("x.dcplugin").read_bytes() == kept
    (plugin / "pyproject.toml").write_text("not toml")
    status, _, err = said.run("pack", plugin, "-o", "x.dcplugin")
    assert status == 2
    assert "pyproject.toml cannot be read" in err
    assert Path("x.dcplugin").read_bytes() == kept
    assert sorted(one.name for one in Path.cwd().iterdir()) == [
        "my.key",
        "my.key.pub",
        "primes",
        "x.dcplugin",
    ]
