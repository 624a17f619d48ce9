"""The comparison with peers: what it checks, sums up and writes. No system is started here."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import listening, pages, tables
from benchmarks.peers.__main__ import missing, parse
from benchmarks.peers.catalogue import ALL, Entry
from benchmarks.peers.environments import CannotInstall, Environments
from benchmarks.peers.rounds import Outcome
from benchmarks.peers.summary import summarize, why_not
from benchmarks.peers.systems import measures


def test_results_are_checked_for_loss_doubling_and_size() -> None:
    measures.check(reversed(list(measures.payloads(300))), 300)
    some = list(measures.payloads(10))
    assert len(set(some)) == 10
    for wrong in (some[:-1], [*some[:-1], some[0]], [b"", *some[1:]]):
        with pytest.raises(measures.Wrong):
            measures.check(wrong, 10)


def test_a_run_is_as_long_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def slow(payloads: Any) -> Any:
        given = list(payloads)
        now[0] += 0.5 + len(given) / 1000  # half a second for each run, whatever its size
        return iter(given)

    figures = measures.throughput(slow, 4.0, 10)
    assert 2000 <= figures["tasks"] <= 4000
    assert figures["rate"] == pytest.approx(figures["tasks"] / (0.5 + figures["tasks"] / 1000))


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("0100007F:1F90", "127.0.0.1", 8080),
        ("00000000:0050", "0.0.0.0", 80),
        ("00000000000000000000000001000000:0016", "::1", 22),
        ("0000000000000000FFFF00000100007F:0016", "127.0.0.1", 22),
        ("00000000000000000000000000000000:0016", "::", 22),
    ],
)
def test_addresses_as_the_kernel_writes_them(text: str, address: str, port: int) -> None:
    assert listening._address(text) == (ipaddress.ip_address(address), port)


def outcome(**figures: list[dict[str, Any]]) -> Outcome:
    return Outcome("dc", "dc", figures=figures)


def results(*outcomes: Outcome) -> dict[str, Any]:
    machine = dict.fromkeys(("date", "processor", "cores", "memory", "system", "python"), "x")
    return {
        "machine": {**machine, "filesystem": "ext4"},
        "repeat": 3,
        "seconds": 4.0,
        "echo_us": 12.0,
        "systems": {one.name: summarize(one) for one in outcomes},
    }


def test_medians_leave_out_rounds_that_failed_and_say_so() -> None:
    rounds: list[dict[str, Any]] = [{"rate": 3.0}, {"error": "no"}, {"rate": 1.0}, {"rate": 2.0}]
    median = summarize(outcome(throughput=rounds))["medians"]["throughput"]
    assert median == {"rate": 2.0, "rate_range": [1.0, 3.0], "missing_rounds": 1}
    unfinished = summarize(outcome(throughput=[{"unfinished_s": 60.0}]))
    assert why_not(unfinished, "throughput") == "not done in 60 s"


def test_the_page_and_the_readme_show_all_systems_and_what_is_missing() -> None:
    ours = outcome(
        throughput=[{"rate": 123456.0, "tasks": 1000}],
        latency=[{"p50_ms": 1.234, "p99_ms": 5.0, "tasks": 100}],
    )
    other = Outcome("other", "Other", figures={"throughput": [{"rate": 1234.5, "tasks": 10}]})
    gone = Outcome("gone", "Gone", left_out="cannot be installed: no such package")
    found = results(ours, other, gone)
    readme = pages.with_table(f"head\n{pages.BEGIN}\nold\n{pages.END}\ntail\n", found)
    assert readme.startswith(f"head\n{pages.BEGIN}\n| system |")
    assert readme.endswith(f"{pages.END}\ntail\n")
    assert "old" not in readme
    assert "| **dc** | 123,000 | 100.0% | 1.23 / 5 |" in readme
    assert "| Other | 1,230 | 1.0% |" in readme
    assert "| Gone | left out: cannot be installed: no such package |" in readme
    assert "| Gone | left out |" in pages.page(found)
    assert missing(found) == ["Gone: cannot be installed: no such package"]
    with pytest.raises(SystemExit, match="no place for the table"):
        pages.with_table("no marks", found)


def test_the_readme_has_a_place_for_the_table() -> None:
    text = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    assert text.index(pages.BEGIN) < text.index(pages.END)


def test_what_cannot_be_installed_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "bench"
    broken.write_text("a file where the folder should be")
    with pytest.raises(CannotInstall, match="bench"):
        Environments(broken).python(Entry("none", "None", ("no-such-package",)))


def test_arguments() -> None:
    assert [entry.name for entry in parse(["--only", "rq,dc"]).entries] == ["dc", "rq"]
    assert parse(["--quick"]).queue == [10_000]
    assert parse(["--quick", "--queue", "5,6", "--repeat", "2"]).queue == [5, 6]
    assert parse([]).entries == list(ALL)
    with pytest.raises(SystemExit):
        parse(["--only", "nobody"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (99.6, "100"), (123456, "123,000"), (1999.6, "2,000"), (540, "540")],
)
def test_numbers_have_three_figures(value: float, text: str) -> None:
    assert tables.count(value) == text
