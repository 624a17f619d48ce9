"""What users get: the package, its wheels, its image, and what these are built of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.wheel import MADE, package_files

ROOT = Path(__file__).parent.parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# Asks setuptools itself which files it would put into a wheel, without building one.
ASK = """\
import setuptools
found = setuptools.Distribution()
found.parse_config_files()
found.script_name = "setup.py"
found.include_package_data = False  # which would write a folder here
build = found.get_command_obj("build_py")
build.ensure_finalized()
print(*build.get_source_files(), sep="\\n")
for _, folder, _, names in build.data_files:
    print(*(f"{folder}/{name}" for name in names), sep="\\n")
"""


def test_a_wheel_has_all_files_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {os.path.relpath(line, ROOT) for line in done.stdout.splitlines() if line.strip()}
    found = {Path(name).as_posix() for name in found}
    assert {name for name in found if Path(name).suffix not in MADE} == package_files()
    assert {"dc/web/index.html", "dc/sql/queries.sql", "dc/py.typed"} <= found


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", text, re.MULTILINE))


def plain(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements.lock", []), ("requirements-dev.lock", ["dev"])]
)
def test_what_is_needed_is_locked_with_hashes(name: str, extras: list[str]) -> None:
    project = PROJECT["project"]
    needed = list(project["dependencies"])
    for extra in extras:
        needed += project["optional-dependencies"][extra]
    versions = locked(name)
    assert {plain(one) for one in needed} <= set(versions), "make lock"
    entries = re.split(r"^(?=[\w.-]+==)", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE)
    for entry in entries:
        assert not entry or "--hash=sha256:" in entry, entry
    assert "://" not in "".join(entries), "it names an index"


def test_both_locks_have_the_same_versions() -> None:
    of_tests = locked("requirements-dev.lock")
    assert locked("requirements.lock").items() <= of_tests.items()


# --- the image ----------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile, with what they are given."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in pairs]


def test_the_image_is_not_root_and_has_no_compiler() -> None:
    found = instructions()
    last = max(at for at, (name, _) in enumerate(found) if name == "FROM")
    image = found[last:]
    assert ("USER", "8220:8220") in image
    assert image.index(("USER", "8220:8220")) > max(
        at for at, (name, _) in enumerate(image) if name == "RUN"
    )
    assert not any("gcc" in rest or "pip" in rest for _, rest in image)
    assert ("VOLUME", "/data") in image
    assert dict(image)["HEALTHCHECK"].endswith('CMD ["python", "-m", "dc.healthcheck"]')
    assert dict(image)["ENTRYPOINT"] == '["python", "-m"]'
    assert "--data" in dict(image)["CMD"]


def test_what_the_image_is_built_of_reaches_it() -> None:
    copied = [rest for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    words = {word for rest in copied for word in rest.split()[:-1]}
    ignore = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    for word in words:
        assert (ROOT / word).exists(), word
        assert f"!{word}" in ignore, word
    assert ignore[1] == "*"


# --- workflows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_may_nothing(path: Path) -> None:
    text = path.read_text("utf-8")
    uses = re.findall(r"uses: (.+)", text)
    assert uses
    for one in uses:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v[\d.]+", one), one
    assert "\npermissions: {}\n" in text
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    assert not re.search(r"secrets\.|write\b", text)


def test_versions_of_python_are_the_same_everywhere() -> None:
    classified = {
        found[1]
        for one in PROJECT["project"]["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one))
    }
    built = re.findall(r"cp3(\d+)-\*", PROJECT["tool"]["cibuildwheel"]["build"])
    assert {f"3.{minor}" for minor in built} == classified
