"""Computers that were booted from the image: what they are told, and who can be woken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dc import limits, limits_power
from dc.errors import NotPossible, OptionsError, ProtocolError, UnknownWorker
from dc.messages import Codec, FromPeer, Hello
from dc.messages_worker import About, Appliance, End, Goodbye, Rest
from dc.server.commands import OrderWorkers, WakeWorkers, Which
from dc.server.events import Closed
from dc.worker.identity import Identity
from tests.server.harness import Harness, M
from tests.server.served import serving

MAC = "52:54:00:12:34:%02x"
ALL = ("off", "reboot", "reread")


def appliance(orders: Sequence[str] = ALL, *numbers: int) -> dict[str, Any]:
    """What a worker says of its computer."""
    macs = [MAC % number for number in numbers]
    return {"taking": {"appliance": Appliance("1.0", macs, list(orders))}}


def do(server: Harness, action: Any, *names: str, **more: Any) -> object:
    return server.decide(OrderWorkers(Which(list(names)), action, **more))


def wake(server: Harness, *names: str, **which: Any) -> object:
    return server.decide(WakeWorkers(Which(list(names), **which)))


def said(server: Harness, name: str) -> tuple[str, str]:
    """Return a worker's state and why."""
    worker = server.reactor.workers.roster.named(name)
    assert worker is not None
    return server.reactor.workers.state_of(worker)


def had(server: Harness, peer: int, kind: type[M]) -> M:
    (message,) = server.take(peer, kind)
    return message


# --- orders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "power", "does"),
    [
        ("power-off", "off", "switches its computer off"),
        ("reboot", "reboot", "boots its computer anew"),
        ("reread", "reread", "reads its configuration anew"),
    ],
)
@pytest.mark.parametrize("now", [False, True])
def test_a_computer_is_told(action: str, power: str, does: str, now: bool) -> None:
    server = Harness()
    peer = server.worker("w", **appliance())
    server.submit(server.client(), [b"a"])
    server.settle()
    assert server.tasks(peer)
    assert do(server, action, "w", now=now) == ["key of w"]
    had(server, peer, Rest)
    end = had(server, peer, End)
    assert (end.drained, end.again, end.power) == (not now, False, power)
    after = "now" if now else "after its 1 task"
    order = f"{action} now" if now else action
    assert said(server, "w") == (
        "draining",
        f"told to {order} by an operator: {does} {after}",
    )
    refused = do(server, "resume", "w")
    assert isinstance(refused, NotPossible)
    server.say(peer, Goodbye())
    server.close(peer)
    peer = server.worker("w", run="run 2", **appliance())
    assert not server.take(peer, End), "it has done what it was told"
    assert said(server, "w")[0] == "connected"


def test_an_order_reaches_who_is_away_as_long_as_it_runs() -> None:
    server = Harness()
    peer = server.worker("w", **appliance())
    server.submit(server.client(), [b"a"])
    server.settle()
    server.close(peer)
    do(server, "power-off", "w", now=True)
    server.restart()
    peer = server.worker("w", **appliance())
    assert had(server, peer, End).power == "off"
    server.close(peer)
    assert not server.take(server.worker("w", run="run 2", **appliance()), End)


def test_who_does_not_go_off_in_time_loses_its_tasks_all_the_same() -> None:
    server = Harness()
    peer = server.worker("w", **appliance())
    server.submit(server.client(), [b"a"])
    server.settle()
    do(server, "power-off", "w", now=True)
    other = server.worker("other")
    server.live(limits.ORDER_SECONDS + 2, peer, other)
    server.settle()
    assert peer in server.closed
    assert server.tasks(other)


@pytest.mark.parametrize("action", ["power-off", "reboot", "reread"])
def test_a_computer_of_another_kind_is_told_nothing(action: str) -> None:
    server = Harness()
    good, plain = server.worker("good", **appliance()), server.worker("plain")
    refused = do(server, action, "good", "plain")
    assert isinstance(refused, NotPossible)
    assert str(refused) == "plain is no computer that was booted from the image"
    assert not server.take(good, End)
    assert not server.take(plain, End)
    assert said(server, "good")[0] == "connected"


def test_those_that_cannot_are_named_as_far_as_there_is_room() -> None:
    server = Harness()
    for number in range(9):
        server.worker(f"w{number}")
    refused = str(do(server, "reboot", "w*"))
    assert "w0 is no" in refused
    assert "w4 is no" in refused
    assert refused.endswith("; and so on, for 4 more")


def test_an_image_is_told_only_what_it_takes() -> None:
    server = Harness()
    peer = server.worker("w", **appliance(["off"]))
    assert str(do(server, "reread", "w")) == "the image of w knows no such order"
    do(server, "power-off", "w")
    assert had(server, peer, End).power == "off"


def test_there_is_nobody_to_tell_if_nobody_is_here() -> None:
    server = Harness()
    server.close(server.worker("w", **appliance()))
    assert "there is nobody to power-off" in str(do(server, "power-off", "w"))


# --- waking -------------------------------------------------------------------------------------


def test_who_is_away_can_be_woken_also_after_a_restart_of_the_server() -> None:
    server = Harness()
    peer = server.worker("w", **appliance(ALL, 1))
    assert "w is here" in str(wake(server, "w"))
    server.close(peer)
    assert wake(server, "w") == ["key of w"]
    server.pass_time(1.0)
    server.settle()
    server.restart()
    assert wake(server, "w") == ["key of w"]
    row = server.reactor.workers.register.get("key of w")
    assert row is not None
    assert row.appliance == Appliance("1.0", [MAC % 1], list(ALL))


def test_who_is_named_and_cannot_be_woken_is_an_error_and_who_is_chosen_is_left_out() -> None:
    server = Harness()
    server.worker("here", **appliance(ALL, 1))
    for name, booted in (("off", appliance(ALL, 2)), ("plain", {}), ("bare", appliance())):
        server.close(server.worker(name, **booted))
    assert wake(server, all=True) == ["key of off"]
    assert wake(server, "*f*") == ["key of off"]
    for name, why in (
        ("here", "here is here: it need not be woken"),
        ("plain", "plain is no computer that was booted from the image"),
        ("bare", "bare has no network card to be woken by"),
    ):
        assert str(wake(server, "off", name)) == why
        assert str(wake(server, name[:-1] + "?")) == why, "there is nobody else"
    assert isinstance(wake(server, "nobody"), UnknownWorker)
    assert isinstance(wake(server), OptionsError)


def test_a_worker_that_comes_from_a_disk_is_not_woken_any_more() -> None:
    server = Harness()
    server.close(server.worker("w", **appliance(ALL, 1)))
    server.close(server.worker("w", run="run 2"))
    assert "no computer that was booted" in str(wake(server, "w"))


def test_a_worker_that_was_not_let_in_is_not_remembered() -> None:
    server = Harness()
    server.worker("w", **appliance(ALL, 1))
    server.worker("w", key="another", **appliance(ALL, 2))
    assert server.reactor.workers.register.get("another") is None


# --- what may be said ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "macs",
    [
        ["52:54:00:12:34:5"], ["52-54-00-12-34-56"], ["52:54:00:12:34:5G"], ["52:54:00:12:34:56\n"],
        ["52:54:00:12:34:AB"], [""], [MAC % n for n in range(limits_power.APPLIANCE_MACS + 1)],
    ],
)  # fmt: skip
def test_addresses_of_cards_have_one_form_and_are_few(macs: list[str]) -> None:
    codec = Codec(FromPeer)
    about = About("w", "k", 1, [], {}, appliance=Appliance("1.0", macs, []))
    with pytest.raises(ProtocolError):
        codec.decode(codec.encode([Hello(1, "worker", "dc", [], about)]))


def test_an_image_may_take_orders_that_are_not_known_yet() -> None:
    codec = Codec(FromPeer)
    about = About("w", "k", 1, [], {}, appliance=Appliance("1.0", [MAC % 255], ["off", "dance"]))
    (hello,) = codec.decode(codec.encode([Hello(1, "worker", "dc", [], about)]))
    assert hello.about == about


# --- over HTTP ----------------------------------------------------------------------------------


def test_a_worker_says_nothing_that_would_not_be_taken() -> None:
    odd = ["52:54:00:12:34:AB", "52:54:00:12:34:ab", "00:00:00:00:00:00", "80:00:02:08" * 5, ""]
    many = odd + [MAC % number for number in range(limits_power.APPLIANCE_MACS)]
    said = Appliance("1.0" * limits.TEXT_CHARS, many, ["off"] * 99)
    identity = Identity("w", is_default=False, key="k", slots=1, software="dc", appliance=said)
    codec = Codec(FromPeer)
    (hello,) = codec.decode(codec.encode([Hello(1, "worker", "dc", [], identity.about())]))
    assert hello.about.appliance.macs == ["52:54:00:12:34:ab", *(MAC % n for n in range(7))]
    assert hello.about.appliance.image == said.image[: limits.TEXT_CHARS]


async def test_over_http_it_is_shown_told_and_woken(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        booted = Appliance("1.0", [MAC % 1], ["off"])
        served.work("lab-1", 1, "orders", appliance=booted)
        served.work("desk", 2, "orders")
        shown = (await served.send("GET", "/api/workers/lab-1")).json
        assert shown["appliance"] == {"image": "1.0", "macs": [MAC % 1], "orders": ["off"]}
        assert (await served.send("GET", "/api/workers/desk")).json["appliance"] is None
        refused = await served.post("/api/workers/power-off", {"all": True})
        assert (refused.status, refused.json["code"]) == (409, "not_possible")
        assert refused.json["detail"] == "desk is no computer that was booted from the image"
        told = await served.post("/api/workers/power-off", {"names": ["lab-1"], "now": True})
        assert [one["state"] for one in told.json["workers"]] == ["draining"]
        served.app.feed(Closed(1))
        woken = await served.post("/api/workers/wake", {"all": True})
        assert woken.json == {"sent": ["lab-1"], "networks": ["127.0.0.1"]}
        shown = (await served.send("GET", "/api/workers/lab-1")).json
        assert (shown["state"], shown["appliance"]["macs"]) == ("gone", [MAC % 1])
