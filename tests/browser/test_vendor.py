"""What the page uses of others is what the lock file says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import vendor


def test_the_bundle_is_made_of_its_lock_file(tmp_path: Path) -> None:
    vendor.build(tmp_path)
    for name in vendor.MADE:
        assert (tmp_path / name).read_bytes() == (vendor.PLACE / name).read_bytes(), (
            f"{name} is another than `make vendor` makes"
        )


def test_the_lock_file_names_no_place_to_load_from() -> None:
    assert "resolved" not in (vendor.PLACE / "package-lock.json").read_text()


def test_the_bundle_makes_no_code_of_text() -> None:
    bundle = (vendor.PLACE / "vendor.js").read_text()
    assert not [word for word in ("eval(", "new Function", "Function(") if word in bundle]


@pytest.mark.parametrize("package", vendor.PACKAGES)
def test_each_license_is_there(package: str) -> None:
    assert f"# {package}\n" in (vendor.PLACE / "LICENSES.txt").read_text()
