"""Which modules of the kernel are taken: all that one needs, and no driver of a disk."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagemaker import arch, module_names, modules

DEP = """\
kernel/drivers/net/usb/usb-net.ko: kernel/drivers/net/mii.ko kernel/core.ko
kernel/drivers/net/mii.ko:
kernel/core.ko:
kernel/drivers/net/r8169.ko: kernel/core.ko
kernel/drivers/net/phy/realtek.ko: kernel/drivers/ata/libata.ko.xz
kernel/drivers/ata/libata.ko.xz:
"""
SOFT = """\
# Soft dependencies extracted from modules themselves.
softdep r8169 pre: realtek post: usb-net
softdep usb_net pre:
"""


def chosen(*roots: str, forbidden: Sequence[str] = ()) -> list[str]:
    needs = modules.dependencies(DEP)
    return modules.closure(roots, needs, modules.soft_dependencies(SOFT), forbidden)


def test_what_a_module_needs_comes_with_it() -> None:
    assert chosen("usb_net") == [
        "kernel/core.ko",
        "kernel/drivers/net/mii.ko",
        "kernel/drivers/net/usb/usb-net.ko",
    ]


def test_what_it_works_better_with_comes_too_before_and_after() -> None:
    found = chosen("r8169")
    assert "kernel/drivers/net/phy/realtek.ko" in found
    assert "kernel/drivers/net/usb/usb-net.ko" in found


def test_a_dash_is_an_underscore_and_what_is_not_there_is_left_out() -> None:
    assert chosen("usb-net", "built_in") == chosen("usb_net")
    assert modules.plain("kernel/a/usb-net.ko.xz") == "usb_net"


def test_a_driver_that_may_not_be_in_it_is_told_of() -> None:
    with pytest.raises(ValueError, match="libata may not be"):
        chosen("realtek", forbidden=["libata"])
    # Without what a module only works better with, it works.
    assert chosen("r8169", forbidden=["realtek", "usb-net"]) == [
        "kernel/core.ko",
        "kernel/drivers/net/r8169.ko",
    ]


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    needs = modules.dependencies(text)
    modules.closure(needs, needs, modules.soft_dependencies(text))


GRAPHS = st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg")))


@given(GRAPHS, st.lists(st.sampled_from("abcdefg")))
def test_all_that_is_taken_has_all_it_needs(graph: dict[str, list[str]], roots: list[str]) -> None:
    needs = {name: (f"{name}.ko", others) for name, others in graph.items()}
    found = {path[0] for path in modules.closure(roots, needs, {})}
    assert set(roots) & set(graph) <= found
    for name in found:
        assert set(graph[name]) & set(graph) <= found


def test_no_name_is_both_wanted_and_forbidden() -> None:
    for kind in arch.ALL:
        assert not set(module_names.ROOTS[kind]) & set(module_names.FORBIDDEN)
        assert set(module_names.MOUNTING) <= set(module_names.ROOTS[kind])
