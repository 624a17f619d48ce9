"""The documents name what is there, and what they name is there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from msgspec import structs

import dc.testing
from dc import (
    errors,
    hooks,
    limits,
    limits_http,
    messages,
    messages_client,
    messages_parts,
    messages_worker,
)
from dc.cli.arguments import parser
from dc.cli.main import COMMANDS
from dc.messages_parts import Message
from dc.plugins import load_plugins
from dc.server import __main__ as server_program
from dc.worker import __main__ as worker_program

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "dc"
MADE = {".c", ".so", ".pyd", ".pyc"}
REPORTS = {"_columns.html", "_core.html", "_frames.html"}
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
DOCUMENTS = sorted([*(ROOT / name for name in PAGES), *(ROOT / "docs").glob("*.md")])

LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]*)+|[\w-]+\.(?:md|py|toml|svg))`")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MADE_BY_MAKE = {".venv/"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def anchors(path: Path) -> set[str]:
    """Return what can stand behind the # of a link to a page: its titles, as they are written."""
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def package_files() -> set[str]:
    """Return the files that belong to the package, relative to it, without what a build makes."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file()
        and path.suffix not in MADE
        and "__pycache__" not in path.parts
        and path.name not in REPORTS
    }


def messages_of_the_wire() -> list[type[Message]]:
    files = (messages_parts, messages_worker, messages_client, messages)
    kinds = {value for file in files for value in vars(file).values() if isinstance(value, type)}
    found = [one for one in kinds if issubclass(one, Message) and one is not Message]
    return sorted(found, key=lambda one: one.__name__)


# --- ARCHITECTURE.md ----------------------------------------------------------------------------


def test_architecture_gives_each_file_its_duty() -> None:
    rows = re.findall(r"^\| `([\w./-]+)` \| (.+) \|$", text_of("ARCHITECTURE.md"), re.MULTILINE)
    named = [name for name, duty in rows if duty.strip()]
    assert len(named) == len(set(named)), "a file is there twice"
    assert set(named) == package_files()


# --- links, files, code -------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text("utf-8")):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            there = path.parent / name if name else path
            assert there.exists(), link
            assert not anchor or anchor in anchors(there), link


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_each_document_can_be_found(path: Path) -> None:
    links = [(one, link) for one in DOCUMENTS for link in LINK.findall(one.read_text("utf-8"))]
    assert any((one.parent / link.partition("#")[0]).resolve() == path for one, link in links)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_mentioned_files_are_there(name: str) -> None:
    mentioned = set(NAMED_PATH.findall(text_of(name))) - MADE_BY_MAKE
    assert mentioned
    for one in mentioned:
        assert (ROOT / one).exists(), one


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_in_documents_compiles(path: Path) -> None:
    for code in PYTHON.findall(path.read_text("utf-8")):
        compile(textwrap.dedent(code), str(path), "exec")


def test_the_plugin_of_the_readme_works(tmp_path: Path) -> None:
    (code,) = (one for one in PYTHON.findall(text_of("README.md")) if "task_type" in one)
    (tmp_path / "primes.py").write_text(code, "utf-8")
    plugins = load_plugins([tmp_path], entry_points=False)
    assert not plugins.broken
    assert [dc.testing.run(plugins.get("is_prime"), one) for one in (97, 98)] == [True, False]


def test_the_plugins_of_the_plugin_page_load(tmp_path: Path) -> None:
    blocks = PYTHON.findall(text_of("docs/plugins.md"))
    for at, code in enumerate(blocks):
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "plugin.py").write_text(code, "utf-8")
        plugins = load_plugins([folder], entry_points=False)
        plugins.labels()
        assert not plugins.broken, plugins.broken
    assert len(blocks) >= 5


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_private_place(path: Path) -> None:
    found = re.findall(r"(?:/home/|/root/|/Users/|/tmp/)\S*", path.read_text("utf-8"))
    assert not found


# --- plugins, command line ----------------------------------------------------------------------


def test_every_hook_is_described() -> None:
    names = [name for name in vars(hooks) if name.startswith("dc_")]
    assert names
    for name in names:
        assert f"| `{name}()` |" in text_of("docs/plugins.md"), name


def test_every_name_of_context_is_described() -> None:
    names = {one for one in dc.Context.__slots__ if not one.startswith("_")}
    names |= {"scratch", "stopping"}
    for name in names:
        assert f"| `context.{name}` |" in text_of("docs/plugins.md"), name


def section(title: str) -> str:
    """Return the part of the page on the command line that is under this title."""
    _, found, rest = text_of("docs/cli.md").partition(f"\n## {title}\n")
    assert found, title
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        parser().parse_args([name, "--help"])
    options = set(re.findall(r"^ +(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    described = section(f"`{name}`")
    assert f"python -m dc {name}" in described
    common = section("Common to all commands of `python -m dc`")
    for option in options:
        assert f"`{option}" in described or f"`{option}" in common, option


@pytest.mark.parametrize(
    ("title", "module"), [("server", server_program), ("worker", worker_program)]
)
def test_every_option_of_the_programs_is_described(
    title: str, module: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        module.parse(["--help"])  # type: ignore[attr-defined]
    options = set(re.findall(r"^ +(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    assert options
    for option in options:
        assert f"| `{option}" in section(f"The {title}"), option


# --- the wire -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", messages_of_the_wire(), ids=lambda kind: kind.__name__)
def test_every_message_is_described_with_its_fields(kind: type[Message]) -> None:
    fields = ", ".join(field.name for field in structs.fields(kind))
    cell = f" {fields} " if fields else " "
    assert f"| `{kind.__name__.lower()}` |{cell}|" in text_of("docs/protocol.md")


def test_every_error_code_is_described() -> None:
    described = set(re.findall(r"`(\w+)`", text_of("docs/protocol.md").partition("## Errors")[2]))
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.DcError):
            assert kind.code in described, kind


def test_the_limits_of_the_protocol_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \|", text_of("docs/protocol.md"), re.MULTILINE)
    assert len(rows) > 10
    for name, value in rows:
        home = limits if hasattr(limits, name) else limits_http
        assert getattr(home, name) == int(value.replace(",", "")), name
