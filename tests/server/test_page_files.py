"""What a browser fetches of the page: which files, how many, and where they are kept for good."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import dc
from dc.server.page_bundle import BUNDLE, NotUnderstood, bundle, with_bundle
from dc.server.page_files import DOCUMENT, MAIN, PageFiles, needed, pages_of

WEB = Path(dc.__file__).parent / "web"
ENDS = {".css", ".html", ".js", ".svg"}
MOST_FILES = 16
"""Of a page, with its document: each costs a browser some milliseconds."""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The page's own files."""
    files = [path for path in WEB.rglob("*") if path.suffix in ENDS]
    return {path.relative_to(WEB).as_posix(): path.read_text("utf-8") for path in files}


@pytest.fixture(scope="module")
def page(texts: dict[str, str]) -> PageFiles:
    return PageFiles(texts)


# --- the page's own files -------------------------------------------------------------------------


def test_every_form_of_import_in_the_page_is_understood(page: PageFiles) -> None:
    assert page.problem == ""
    assert BUNDLE in page.kept
    assert MAIN not in page.kept
    for name, text in page.kept.items():
        if name.startswith("app/"):
            imported = re.findall(r'^import [^;]*?"([^"]+)";', text, re.MULTILINE)
            outside = [one for one in imported if not one.endswith(("vendor.js", "bundle.js"))]
            assert all((WEB / name).parent.joinpath(one).resolve().is_file() for one in outside), (
                name
            )


def test_every_page_is_found_by_its_address(texts: dict[str, str], page: PageFiles) -> None:
    assert len(pages_of(texts[MAIN])) == texts[MAIN].count('import("./pages/')
    for path, module in {
        "/": "overview", "/jobs": "jobs", "/jobs/7": "job", "/jobs/7/": "job",
        "/workers/a.b": "worker", "/jobs/7/tasks/0": "task", "/workers/add": "add",
        "/sign-in": "sign_in",
    }.items():  # fmt: skip
        assert page.module_at(path) == f"app/pages/{module}.js"
    for path in ("/nothing", "/jobs/7/tasks", "/workers/a/b", "/jobsX", ""):
        assert page.module_at(path) == ""


def test_a_document_names_all_that_its_page_needs(page: PageFiles) -> None:
    for module in page.modules():
        document = page.document(module)
        named = re.findall(rf'(?:src|href)="/{page.base}([^"]+)"', document)
        assert len(named) == len(set(named)) <= MOST_FILES, module
        assert set(named) <= set(page.kept)
        modules = {one for one in named if one.endswith(".js")} - {"app/early.js"}
        assert modules == set(needed([BUNDLE, *filter(None, [module])], page.kept))
        assert re.findall(r'(?:src|href)="(?!/assets/)', document) == []
        assert document.count('<script type="module"') == 1


def test_no_module_is_there_twice(page: PageFiles) -> None:
    inside = re.findall(r"^// (app/\w+\.js)$", page.kept[BUNDLE], re.MULTILINE)
    assert inside[-1] == MAIN
    assert len(inside) > 15
    assert not set(inside) & set(page.kept)


def test_other_bytes_are_in_another_folder(texts: dict[str, str], page: PageFiles) -> None:
    assert PageFiles(dict(reversed(texts.items()))).base == page.base
    for name in (MAIN, "app/pages/audit.js", "style.css", "vendor/vendor.js"):
        assert PageFiles(texts | {name: texts[name] + "\n"}).base != page.base, name


def test_what_is_not_understood_is_fetched_one_by_one(texts: dict[str, str]) -> None:
    page = PageFiles(texts | {"app/cell.js": texts["app/cell.js"] + "\nexport let odd = 1;\n"})
    assert page.problem == "app/cell.js: export let odd = 1;"
    assert {name for name in texts if name != DOCUMENT} == set(page.kept)
    document = page.document("app/pages/jobs.js")
    assert f'<script type="module" src="/{page.base}app/main.js">' in document
    for name in ("app/cell.js", "app/live.js", "app/pages/jobs.js", "vendor/vendor.js"):
        assert f'<link rel="modulepreload" href="/{page.base}{name}">' in document


# --- modules in one -------------------------------------------------------------------------------

MODULES = {
    "vendor/given.js": "let count = 0;\nexport function given() { return ++count; }\n",
    "app/one.js": (
        'import { given as take } from "../vendor/given.js";\n'
        "const own = 1;\n"
        "export const first = take() + own;\n"
        "export class Thing { get name() { return `thing ${own}`; } }\n"
        "export async function later(value) { return value; }\n"
    ),
    "app/two.js": (
        "import {\n  first, Thing as It,\n  later,\n"
        '} from "./one.js";\n'
        "const own = 2;\n"
        "export function* steps() { yield own; yield first; yield new It().name; }\n"
        "export { later, own };\n"
    ),
    "app/pages/page.js": (
        'import { steps, own as two } from "../two.js";\n'
        'import { first } from "../one.js";\n'
        'import { given } from "../../vendor/given.js";\n'
        "console.log(JSON.stringify([...steps(), two, first, given()]));\n"
    ),
}
ORDER = ["app/one.js", "app/two.js"]


def printed(folder: Path, texts: dict[str, str]) -> str:
    """Return what a browser's JavaScript makes of the page's module."""
    node = shutil.which("node")
    assert node is not None, "node is missing: install Node.js"
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    command = [node, str(folder / "app" / "pages" / "page.js")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_modules_in_one_do_what_they_did(tmp_path: Path) -> None:
    plain = printed(tmp_path / "plain", MODULES)
    rest = {name: text for name, text in MODULES.items() if name not in ORDER}
    texts = {name: with_bundle(name, text, ORDER) for name, text in rest.items()}
    assert '"../two.js"' not in texts["app/pages/page.js"]
    made = printed(tmp_path / "made", {**texts, BUNDLE: bundle(ORDER, MODULES)})
    assert made == plain == '[2,2,"thing 1",2,2,2]\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("export default function f() {}", "export default function f"),
        ("export let count = 0;", "export let count"),
        ('export * from "./two.js";', "export [*] from"),
        ('import one from "./two.js";', "import one from"),
        ('import "./two.js";', 'import "./two.js"'),
        ('import { a } from "./two.js";', "imports ./two.js, which imports it in turn"),
        ("const a = 1;\nexport { a as b };", "exports something under another name"),
    ],
)
def test_what_cannot_be_put_into_one_is_said(text: str, problem: str) -> None:
    with pytest.raises(NotUnderstood, match=problem):
        bundle(ORDER, MODULES | {"app/one.js": text + "\n"})


def test_modules_of_another_folder_are_not_put_into_one() -> None:
    with pytest.raises(NotUnderstood, match=r"app/pages/page\.js is in another folder"):
        bundle([*ORDER, "app/pages/page.js"], MODULES)


def test_what_is_imported_when_it_is_wanted_is_no_matter() -> None:
    text = 'export const load = () =>\nimport("./pages/page.js");\n'
    assert 'import("./pages/page.js")' in bundle(["app/a.js"], {"app/a.js": text})
