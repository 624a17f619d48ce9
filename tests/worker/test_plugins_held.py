"""Plugins that come from the server: their tasks wait, run, or fail; the agent's reactor."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits_plugins, limits_worker
from dc.messages import Heartbeat
from dc.messages_parts import Blob, Plugin
from dc.messages_worker import Assign, Failed, Returned, Stop
from dc.pipe import InFile, Loaded
from dc.worker import events as ev
from dc.worker.code import Code
from tests.worker.bench import Bench

PLUGIN = Plugin(b"p" * 32, 1000, "words")
OTHER = Plugin(b"o" * 32, 1000, "numbers")
CODE = Code("/plugins/p")


def assign(
    bench: Bench,
    *numbers: int,
    job: int = 1,
    plugin: Plugin | None = PLUGIN,
    payload: bytes | Blob = b"x",
    type_: str = "shipped",
    timeout: float = 0.0,
    **more: Any,
) -> None:
    columns = list(numbers), [1] * len(numbers), [payload] * len(numbers)
    bench.hear(Assign(job, type_, "1", timeout, *columns, plugin=plugin, **more))


def failed(bench: Bench) -> list[Failed]:
    return [one for one in bench.flush() if isinstance(one, Failed)]


def ready(bench: Bench, plugin: Plugin = PLUGIN, code: Code = CODE) -> None:
    bench.do(ev.PluginReady(plugin, code))


def later(bench: Bench, seconds: float) -> list[ev.Action]:
    """Let time pass, the server being there; return what was done."""
    done: list[ev.Action] = []
    while seconds > 0:
        bench.hear(Heartbeat())
        done += bench.out
        bench.tick(min(5.0, seconds))
        done += bench.out
        seconds -= 5.0
    return done


def test_tasks_wait_for_their_plugin_which_is_fetched_once() -> None:
    bench = Bench(slots=2)
    assign(bench, 1, 2)
    assert bench.of(ev.FetchPlugin) == [ev.FetchPlugin(PLUGIN)]
    assign(bench, 1, job=2)
    assert not bench.of(ev.FetchPlugin)
    assert bench.runs == []
    assign(bench, 9, job=3, plugin=None, type_="work")
    assert bench.runs == [(0, [9])], "others need not wait"
    ready(bench)
    (first,) = bench.of(ev.Execute)
    assert (first.executor, first.run.numbers) == (1, [1])
    assert (first.run.plugin, first.run.site) == (CODE.folder, "")
    bench.ran(9, job=3)
    assert bench.of(ev.Execute)[0].run.plugin == CODE.folder


def test_what_is_here_is_not_fetched_again() -> None:
    bench = Bench()
    assign(bench, 1)
    ready(bench)
    bench.do(ev.ExecutorSaid(0, Loaded(1, CODE.folder)))
    bench.ran(1)
    assign(bench, 1, job=2)
    assert not bench.of(ev.FetchPlugin)
    assert bench.runs == [(0, [1])]


def test_what_is_here_is_looked_at_now_and_then() -> None:
    bench = Bench()
    assign(bench, 1)
    ready(bench)
    bench.do(ev.ExecutorSaid(0, Loaded(1, CODE.folder)))
    bench.ran(1)
    bench.now += limits_plugins.PLUGIN_AGAIN_SECONDS
    assign(bench, 2)
    assert bench.runs == [(0, [2])]
    bench.ran(2)
    bench.now += 1.0
    assign(bench, 3)
    assert bench.of(ev.FetchPlugin) == [ev.FetchPlugin(PLUGIN)]
    ready(bench)
    assert bench.runs == [(0, [3])]


def test_own_code_comes_first() -> None:
    bench = Bench()
    assign(bench, 1, type_="work")
    assert not bench.of(ev.FetchPlugin)
    (run,) = bench.of(ev.Execute)
    assert run.run.plugin == ""


def test_a_worker_that_takes_none_fails_the_task() -> None:
    bench = Bench(takes_plugins=False)
    assign(bench, 1)
    assert not bench.of(ev.FetchPlugin)
    (one,) = failed(bench)
    assert one.failure.kind == "error"
    assert one.failure.error == (
        "plugin 'words' cannot be used by this worker: it takes no plugins (--no-plugins)"
    )


def test_large_payloads_and_plugins_are_both_waited_for() -> None:
    bench = Bench()
    assign(bench, 1, 2, payload=Blob(b"b" * 32, 50_000))
    assert not bench.of(ev.FetchPlugin), "it is time enough when the payload is here"
    bench.do(ev.Fetched(InFile("/s/one", 50_000, b"b" * 32)))
    assert bench.of(ev.FetchPlugin)
    ready(bench)
    assert bench.runs == [(0, [1])]


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_failure_for_good_fails_all_that_wait_and_is_remembered() -> None:
    bench = Bench()
    assign(bench, 1, 2)
    assign(bench, 3, job=2)
    assign(bench, 7, job=3, plugin=OTHER)
    bench.do(ev.PluginFailed(PLUGIN, "numpy cannot be installed", final=True))
    assert [one.text for one in bench.of(ev.Say)] == [
        "plugin 'words' cannot be used by this worker: numpy cannot be installed"
    ]
    assert [(one.job, one.number) for one in failed(bench)] == [(1, 1), (1, 2), (2, 3)]
    later(bench, limits_plugins.PLUGIN_RETRY_SECONDS - 1)
    assign(bench, 4)
    assert not bench.of(ev.FetchPlugin)
    (one,) = failed(bench)
    assert one.failure.error.endswith("numpy cannot be installed")
    bench.tick(1)
    assign(bench, 5)
    assert bench.of(ev.FetchPlugin) == [ev.FetchPlugin(PLUGIN)]
    ready(bench)
    assert bench.runs == [(0, [5])]


def test_a_lost_connection_is_no_failure() -> None:
    bench = Bench()
    assign(bench, 1)
    for _ in range(3 * limits_worker.TRANSFER_TRIES):
        bench.do(ev.PluginFailed(PLUGIN, "the connection broke"))
        assert not bench.of(ev.FetchPlugin)
        assert ev.FetchPlugin(PLUGIN) in later(bench, limits_worker.RECONNECT_SECONDS_MOST)
    assert failed(bench) == []


def test_a_new_connection_is_tried_at_once() -> None:
    bench = Bench()
    assign(bench, 1)
    bench.do(ev.Disconnected())
    bench.do(ev.PluginFailed(PLUGIN, "the connection broke"))
    bench.tick(limits_worker.RECONNECT_SECONDS_MOST)
    assert not bench.of(ev.FetchPlugin), "there is no server"
    bench.do(ev.Connected())
    bench.welcome()
    assert bench.of(ev.FetchPlugin)


def test_a_server_that_refuses_is_asked_a_few_times() -> None:
    bench = Bench()
    assign(bench, 1)
    for _ in range(limits_worker.TRANSFER_TRIES - 1):
        bench.do(ev.PluginFailed(PLUGIN, "404", refused=True))
        assert failed(bench) == []
        assert ev.FetchPlugin(PLUGIN) in later(bench, limits_worker.RECONNECT_SECONDS_MOST)
    bench.do(ev.PluginFailed(PLUGIN, "404", refused=True))
    assert len(failed(bench)) == 1


def test_a_signature_that_is_new_is_looked_at() -> None:
    bench = Bench()
    assign(bench, 1)
    bench.do(ev.PluginFailed(PLUGIN, "nobody has signed it", final=True))
    signed = Plugin(PLUGIN.digest, 1000, "words", b"k" * 32, b"s" * 64)
    assign(bench, 2, job=2, plugin=signed)
    assert bench.of(ev.FetchPlugin) == [ev.FetchPlugin(signed)]


def test_stopped_tasks_are_let_go() -> None:
    bench = Bench()
    assign(bench, 1, 2, payload=Blob(b"b" * 32, 50_000))
    bench.do(ev.Fetched(InFile("/s/one", 50_000, b"b" * 32)))
    bench.hear(Stop(1, [1], [1]))
    assert not bench.of(ev.LetGo), "the other one uses the file"
    bench.hear(Stop(1, [2], [1]))
    assert bench.of(ev.LetGo) == [ev.LetGo(b"b" * 32)]
    ready(bench)
    assert not bench.runs


def test_what_waits_goes_back_when_the_worker_leaves() -> None:
    bench = Bench()
    assign(bench, 1, 2)
    bench.do(ev.Leave())
    returned = [one for one in bench.flush() if isinstance(one, Returned)]
    assert [one.numbers for one in returned] == [[1, 2]]
    ready(bench)
    assert bench.runs == []


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_plugins, "HELD_PLUGINS", 3)
    bench = Bench()
    for at in range(10):
        plugin = Plugin(bytes([at]) * 32, 1000, "words")
        assign(bench, at, job=at, plugin=plugin)
        bench.do(ev.PluginFailed(plugin, "no", final=True))
    assign(bench, 0, job=99, plugin=Plugin(b"\0" * 32, 1000, "words"))
    assert bench.of(ev.FetchPlugin), "forgotten"


# --- executors ----------------------------------------------------------------------------------


def test_importing_does_not_count_as_the_tasks_time() -> None:
    bench = Bench()
    assign(bench, 1, timeout=2.0)
    ready(bench)
    bench.tick(30.0)
    assert not bench.halted
    bench.do(ev.ExecutorSaid(0, Loaded(1, CODE.folder)))
    bench.tick(1.9)
    assert not bench.halted
    bench.tick(0.2)
    assert bench.halted == [(0, 1, 1)]


def test_an_import_without_end_gives_the_plugin_up() -> None:
    bench = Bench()
    assign(bench, 1, 2)
    ready(bench)
    assert ev.Kill(0) in later(bench, limits_plugins.PLUGIN_LOAD_SECONDS)
    assert [one.number for one in failed(bench)] == [2]
    bench.do(ev.ExecutorDied(0, "killed"))
    (one,) = failed(bench)
    assert one.number == 1
    assert "import took longer than" in one.failure.error


def test_a_plugin_that_cannot_be_imported_is_looked_at_again() -> None:
    bench = Bench()
    assign(bench, 1)
    ready(bench)
    bench.do(ev.ExecutorSaid(0, Loaded(1, CODE.folder, "it is gone")))
    bench.ran(1)
    assign(bench, 2)
    assert bench.of(ev.FetchPlugin)
    ready(bench)
    assert bench.runs == [(0, [2])]


def test_nothing_is_fetched_for_tasks_that_were_stopped() -> None:
    bench = Bench()
    assign(bench, 1)
    ready(bench)
    bench.do(ev.ExecutorSaid(0, Loaded(1, CODE.folder, "it is gone")))
    bench.hear(Stop(1, [1], [1]))
    bench.do(ev.ExecutorDied(0, "killed"))
    assert not bench.of(ev.FetchPlugin)


def give(bench: Bench, number: int, job: int, plugin: Plugin, code: Code) -> None:
    """Have a task of a plugin given to the executor, and killed executors replaced."""
    assign(bench, number, job=job, plugin=plugin)
    if bench.of(ev.FetchPlugin):
        ready(bench, plugin, code)


def test_an_executor_takes_one_set_of_dependencies() -> None:
    bench = Bench()
    plain, site, carried = (Plugin(bytes([at]) * 32, 9, f"p{at}") for at in range(3))
    codes = Code("/p/plain"), Code("/p/site", "/s/numpy"), Code("/p/carried", carries=True)
    give(bench, 1, 1, plain, codes[0])
    bench.ran(1, job=1)
    give(bench, 1, 2, site, codes[1])
    (run,) = bench.of(ev.Execute)
    assert (run.run.plugin, run.run.site) == ("/p/site", "/s/numpy")
    bench.ran(1, job=2)
    give(bench, 2, 1, plain, codes[0])
    assert bench.runs == [(0, [2])], "one without any runs beside"
    bench.ran(2, job=1)
    give(bench, 1, 3, carried, codes[2])
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.do(ev.ExecutorReady(0, bench.ready))
    (run,) = bench.of(ev.Execute)
    assert (run.run.plugin, run.run.site) == ("/p/carried", "")


def test_two_sets_of_dependencies_do_not_replace_executors_in_turn() -> None:
    first, second = Plugin(b"1" * 32, 9, "p"), Plugin(b"2" * 32, 9, "q")
    codes = {1: Code("/p/1", "/s/1"), 2: Code("/p/2", "/s/2")}
    bench = Bench()
    give(bench, 0, 1, first, codes[1])
    bench.do(ev.ExecutorSaid(0, Loaded(1, "/p/1")))
    give(bench, 0, 2, second, codes[2])
    for number in range(1, 4):
        assign(bench, number, job=1, plugin=first)
        bench.ran(number - 1, job=1)
        assert bench.runs == [(0, [number])], "it lets it pass"
        assert not bench.of(ev.Kill)
    assign(bench, 4, job=1, plugin=first)
    later(bench, limits_worker.PASS_SECONDS)
    bench.ran(3, job=1)
    assert bench.of(ev.Kill) == [ev.Kill(0)], "it has waited for long enough"
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.do(ev.ExecutorReady(0, bench.ready))
    assert bench.runs == [(0, [0])]


def test_an_executor_waits_for_another_that_suits() -> None:
    first, second = Plugin(b"1" * 32, 9, "p"), Plugin(b"2" * 32, 9, "q")
    bench = Bench(slots=2)
    give(bench, 0, 1, first, Code("/p/1", "/s/1"))
    give(bench, 0, 2, second, Code("/p/2", "/s/2"))
    for slot in range(2):
        bench.do(ev.ExecutorSaid(slot, Loaded(slot + 1, f"/p/{slot + 1}")))
    assign(bench, 1, job=2, plugin=second)
    bench.ran(0, job=1)
    assert not bench.of(ev.Kill)
    bench.ran(0, job=2, slot=1)
    assert bench.runs == [(1, [1])]


def test_an_executor_is_replaced_before_it_has_imported_too_many() -> None:
    bench = Bench()
    for at in range(limits_plugins.EXECUTOR_PLUGINS):
        give(bench, at, at, Plugin(bytes([at]) * 32, 9, "p"), Code(f"/p/{at}"))
        assert bench.runs == [(0, [at])]
        bench.ran(at, job=at)
    give(bench, 99, 0, Plugin(b"\0" * 32, 9, "p"), Code("/p/0"))
    assert bench.runs == [(0, [99])]
    bench.ran(99, job=0)
    give(bench, 99, 99, Plugin(b"z" * 32, 9, "p"), Code("/p/z"))
    assert bench.of(ev.Kill)


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "PYTHONPATH", "DYLD_INSERT_LIBRARIES"])
@pytest.mark.parametrize("type_", ["work", "shipped"])
def test_a_worker_that_trusts_only_some_loads_nothing_by_variables(
    variable: str, type_: str
) -> None:
    """The file that it names may be there: an input, in the cache, under a known name."""
    bench = Bench(trusts=[b"k" * 32])
    large = Blob(b"l" * 32, 10**9)
    assign(bench, 1, 2, type_=type_, environment={"A": "b", variable: "/x"}, payload=large)
    errors = [one.failure.error for one in failed(bench)]
    assert len(errors) == 2
    assert f"runs nothing with {variable} set" in errors[0]
    assert not bench.of(ev.Fetch)
    assign(bench, 1, job=2, type_="work", environment={"OMP_NUM_THREADS": "1"})
    assert bench.runs == [(0, [1])]
    other = Bench()
    assign(other, 1, type_="work", environment={variable: "/x"})
    assert other.runs == [(0, [1])], "it trusts everybody"


def test_what_a_worker_says_of_plugins() -> None:
    about = Bench().reactor.identity.about()
    assert about.takes_plugins
    assert about.installs
    assert about.trusts == []
