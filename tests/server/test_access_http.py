"""Who is let in, over HTTP and the socket: signing in, joining, proving, being sent away."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, Literal

import h11
import msgspec
import pytest
import trio
import trio.testing
from msgspec.structs import replace

from dc import invites, limits_access
from dc.http import Response
from dc.link import Link
from dc.messages import PROTOCOL, Codec, Heartbeat, Hello, Refused, ToClient, ToWorker, Welcome
from dc.messages_parts import Message
from dc.messages_worker import About
from dc.server import connection
from dc.server.allowance import Allowance
from dc.server.commands_access import ForgetKey, RevokeToken
from dc.server.site import Site
from dc.worker_proof import Challenge, prove, read_challenge
from tests.server.guests import FakePeer, Guests, Key, all_guests, settle
from tests.server.served import read, request, serving

ATTRIBUTES = {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"}


def cookie_of(answer: Any) -> tuple[str, set[str]]:
    assert isinstance(answer, Response)
    pair, *attributes = dict(answer.headers)["Set-Cookie"].split("; ")
    return pair, set(attributes)


async def sign_in(guests: Guests, secret: str) -> Any:
    body = msgspec.json.encode({"secret": secret})
    return await guests.answer("nobody", "POST", "/api/sign-in", body)


async def me_by(guests: Guests, cookie: str) -> Any:
    answer = await guests.answer("nobody", "GET", "/api/me", Cookie=cookie)
    assert isinstance(answer, Response)
    return msgspec.json.decode(await read(answer))


# --- browsers -----------------------------------------------------------------------------------


async def test_a_browser_signs_in_by_a_token_and_out(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        secret = guests.shown["view"].removeprefix("Bearer ")
        cookie, attributes = cookie_of(await sign_in(guests, secret))
        assert attributes == ATTRIBUTES
        assert secret not in cookie
        me = await me_by(guests, cookie)
        assert (me["needed"], me["signed_in"], me["roles"]) == (True, True, ["view"])
        answer = await guests.answer("nobody", "GET", "/api/workers", Cookie=cookie)
        assert isinstance(answer, Response)
        assert answer.status == 200
        out = await guests.answer("nobody", "POST", "/api/sign-out", Cookie=cookie)
        assert "Max-Age=0" in cookie_of(out)[1]
        assert (await me_by(guests, cookie))["signed_in"] is False
        answer = await guests.answer("nobody", "GET", "/api/workers", Cookie=cookie)
        assert isinstance(answer, Response)
        assert answer.status == 401
        assert await guests.code("view", "GET", "/api/workers") == "", "the token is good still"


async def test_a_link_lets_one_browser_in(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        wanted = {"purpose": "sign_in", "roles": ["admin"], "addresses": ["[2001:db8::7]:4000"]}
        status, made = await guests.post("admin", "/api/invites", wanted)
        assert status == 201
        assert made["link"] == f"http://[2001:db8::7]:4000/sign-in#{made['code']}"
        assert (made["shell"], made["file"], made["pxe"]) == ("", "", "")
        cookie, _ = cookie_of(await sign_in(guests, made["code"]))
        assert (await me_by(guests, cookie))["roles"] == ["admin"]
        again = await sign_in(guests, made["code"])
        assert isinstance(again, Response)
        assert again.status == 401
        assert "Set-Cookie" not in dict(again.headers)


async def test_a_session_ends_with_its_token(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        made = await guests.token("carl", "view")
        cookie, _ = cookie_of(await sign_in(guests, made.secret))
        assert (await me_by(guests, cookie))["signed_in"]
        await guests.app.ask(RevokeToken(made.token.id))
        assert not (await me_by(guests, cookie))["signed_in"]


async def test_a_local_server_asks_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await served.send("GET", "/api/me")
        assert answer.json["needed"] is False
        assert set(answer.json["roles"]) == {"view", "submit", "work", "admin"}
        assert (await served.send("GET", "/api/tokens")).status == 200


@pytest.mark.parametrize("secret", ["", " ", "x" * 201, "dct_a_b", "aaaaaaaaaaaaaaaa", "\ud800"])
async def test_what_signs_nobody_in(tmp_path: Path, secret: str) -> None:
    async with all_guests(tmp_path) as guests:
        try:
            body = msgspec.json.encode({"secret": secret})
        except UnicodeEncodeError:
            body = b'{"secret": "\\ud800"}'
        answer = await guests.answer("nobody", "POST", "/api/sign-in", body)
        assert isinstance(answer, Response)
        assert answer.status in (400, 401)
        assert "Set-Cookie" not in dict(answer.headers)


@pytest.mark.parametrize(
    "head",
    [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "null"}],
)
async def test_pages_of_others_change_nothing(tmp_path: Path, head: dict[str, str]) -> None:
    async with all_guests(tmp_path) as guests:
        for who, path in (("admin", "/api/tokens"), ("nobody", "/api/sign-in")):
            assert await guests.code(who, "POST", path, b"{}", **head) == "cross_site"
        assert await guests.code("admin", "GET", "/socket", b"", **head, **UPGRADE) == "cross_site"


async def test_any_name_may_be_used_where_who_asks_is_known(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        assert await guests.code("view", "GET", "/api/jobs", Host="my.name.example") == ""


async def test_what_is_refused_names_how_to_be_let_in(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        answer = await guests.answer("nobody", "GET", "/api/jobs")
        assert isinstance(answer, Response)
        assert dict(answer.headers)["WWW-Authenticate"] == 'Bearer realm="dc"'


# --- invites ------------------------------------------------------------------------------------


async def test_an_invite_says_how_to_join(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        wanted = {
            "name": "lab",
            "uses": 3,
            "addresses": ["192.0.2.7", "dc.example:99", "2001:db8::1"],
        }
        status, made = await guests.post("admin", "/api/invites", wanted)
        assert status == 201
        code = invites.read(made["code"])
        assert code.addresses == [("192.0.2.7", 1), ("dc.example", 99), ("2001:db8::1", 1)]
        assert made["shell"] == f"python -m dc.worker {made['code']}"
        assert made["pxe"] == made["file"].strip() == f"dc.invite={made['code']}"
        sizes = {len(row) for row in made["qr"]}
        assert sizes == {len(made["qr"])}
        assert all(re.fullmatch("[01]+", row) for row in made["qr"])
        key = Key()
        body = {"secret": code.secret.hex(), "key": key.text, "name": "lab-1"}
        assert (await guests.post("nobody", "/api/join", body))[1]["state"] == "joined"
        status, all_ = await guests.ask("admin", "GET", "/api/invites")
        assert all_["invites"][0]["uses"] == 2
        assert made["code"] not in str(all_)
        joined = (await guests.ask("nobody", "GET", f"/api/join/keys/{key.text}"))[1]
        assert joined["state"] == "joined"


@pytest.mark.parametrize("text", ["a b", "x@y", "host:0", "host:70000", "http://a", "a/b", "", ":"])
async def test_what_is_no_address(tmp_path: Path, text: str) -> None:
    async with all_guests(tmp_path) as guests:
        before = len(guests.app.reactor.board.access.invites._rows)
        status, said = await guests.post("admin", "/api/invites", {"addresses": [text]})
        assert (status, said["code"]) in ((400, "options"), (400, "body"))
        assert len(guests.app.reactor.board.access.invites._rows) == before


async def test_a_worker_waits_and_is_let_in(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        key, secret = Key(), await guests.invite(approve=True, uses=1)
        body = {"secret": secret, "key": key.text, "name": "new"}
        for _ in range(2):
            assert (await guests.post("nobody", "/api/join", body))[1]["state"] == "pending"
        _, keys = await guests.ask("view", "GET", "/api/worker-keys")
        assert keys["keys"][0]["name"] in ("new", "pending")
        status, _ = await guests.post("view", f"/api/worker-keys/{key.text}/approve", {})
        assert status == 403
        status, _ = await guests.post("admin", f"/api/worker-keys/{key.text}/approve", {})
        assert status == 200
        assert (await guests.post("nobody", "/api/join", body))[1]["state"] == "joined"


# --- the socket ---------------------------------------------------------------------------------

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Key": base64.b64encode(bytes(16)).decode(),
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Protocol": "dc.v1",
}


class Dialled:
    """A connection to the server, over a stream in memory."""

    def __init__(self, nursery: trio.Nursery, site: Site) -> None:
        self.stream, there = trio.testing.memory_stream_pair()
        self._http = h11.Connection(h11.CLIENT)
        self._open = trio.Event()
        nursery.start_soon(site.serve_stream, there, "192.0.2.1:77")

    async def ask(self, authorization: str = "") -> tuple[int, dict[str, str]]:
        """Ask for the socket; return the status and the headers."""
        headers = {name.replace("_", "-"): text for name, text in UPGRADE.items()}
        headers["Host"] = "dc.example"
        if authorization:
            headers["Authorization"] = authorization
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        request = h11.Request(method="GET", target="/socket", headers=list(headers.items()))
        data = self._http.send(request) + (self._http.send(h11.EndOfMessage()) or b"")
        await self.stream.send_all(data)
        answer = None
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(bytes(await self.stream.receive_some()))
            elif isinstance(event, h11.InformationalResponse | h11.Response):
                answer = event
                if event.status_code == 101:
                    break
            elif isinstance(event, h11.EndOfMessage):
                break
        assert answer is not None
        return answer.status_code, {n.decode(): v.decode() for n, v in answer.headers}

    async def prove(self, key: Key) -> tuple[int, dict[str, str]]:
        """Ask, and answer the challenge."""
        status, headers = await self.ask()
        assert status == 401
        challenge = read_challenge(headers["www-authenticate"])
        assert challenge is not None
        return await self.ask(prove(key.private, challenge).header)

    async def say(self, kind: Any, *batch: Message) -> list[Message]:
        """Speak as a peer; return what is answered to it first."""
        link = Link(self.stream, client=True, initial=self._http.trailing_data[0])
        codec = Codec(kind)
        await link.send(codec.encode(batch))
        data = await link.receive()
        return [] if data is None else codec.decode(data)


def hello(role: Literal["worker", "client"], key: str = "") -> Hello:
    about = About("somebody", key, 1, [], {}, {}, "run") if role == "worker" else None
    return Hello(PROTOCOL, role, "test", [], about)


async def test_a_worker_proves_who_it_is_whatever_it_says(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        key, other = await guests.join("new"), await guests.join("another")
        dialled = Dialled(nursery, guests.served.site)
        status, headers = await dialled.prove(key)
        assert status == 101
        welcome, *_ = await dialled.say(ToWorker, hello("worker", other.text), Heartbeat())
        assert isinstance(welcome, Welcome)
        roster = guests.app.reactor.workers.roster
        assert key.text in roster.by_key
        assert other.text not in roster.by_key
        guests.shown["new"] = f"Bearer {headers['dc-session']}"
        assert await guests.code("new", "GET", f"/blobs/{'0' * 64}") == "unknown_blob"
        assert await guests.code("new", "GET", "/api/jobs") == "not_permitted"
        nursery.cancel_scope.cancel()


async def test_a_proof_is_of_one_challenge_of_one_server(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        key, site = await guests.join("new"), guests.served.site
        status, headers = await Dialled(nursery, site).ask()
        challenge = read_challenge(headers["www-authenticate"])
        assert challenge is not None
        proof = prove(key.private, challenge).header
        assert (await Dialled(nursery, site).ask(proof))[0] == 101
        status, headers = await Dialled(nursery, site).ask(proof)
        assert status == 401, "a proof that was heard on the way is of no use"
        assert read_challenge(headers["www-authenticate"]) not in (None, challenge)
        elsewhere = prove(key.private, Challenge("another", challenge.nonce)).header
        assert (await Dialled(nursery, site).ask(elsewhere))[0] == 401
        nursery.cancel_scope.cancel()


async def test_a_challenge_names_the_key_that_the_server_shows(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        key, pin = await guests.join("new"), b"p" * 32
        guests.app.settings = replace(guests.app.settings, shown_pin=pin)
        _, headers = await Dialled(nursery, guests.served.site).ask()
        challenge = read_challenge(headers["www-authenticate"])
        assert challenge is not None
        assert challenge.server == pin.hex(), "another server has another key, whatever it says"
        assert (await Dialled(nursery, guests.served.site).prove(key))[0] == 101
        nursery.cancel_scope.cancel()


async def test_who_has_not_joined_or_waits_opens_no_socket(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        site = guests.served.site
        assert (await Dialled(nursery, site).prove(Key()))[0] == 401
        waits = await guests.join("waits", approve=True)
        assert (await Dialled(nursery, site).prove(waits))[0] == 403
        await guests.approve(waits)
        assert (await Dialled(nursery, site).prove(waits))[0] == 101
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 401), ("expired", 401), ("revoked", 401), ("pending", 401), ("view", 403),
     ("ann", 101), ("token", 101), ("admin", 101), ("has", 401)],
)  # fmt: skip
async def test_who_may_open_a_socket(tmp_path: Path, who: str, status: int) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        got, headers = await Dialled(nursery, guests.served.site).ask(guests.shown[who])
        assert got == status
        assert ("dc-session" in headers) == (who == "token")
        nursery.cancel_scope.cancel()


async def test_a_session_makes_no_other_one(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        for who in ("token", await guests.join("new")):
            dialled = Dialled(nursery, guests.served.site)
            if isinstance(who, Key):
                _, headers = await dialled.prove(who)
            else:
                _, headers = await dialled.ask(guests.shown[who])
            stolen = f"Bearer {headers['dc-session']}"
            status, headers = await Dialled(nursery, guests.served.site).ask(stolen)
            assert status == 401, "who has it would be that worker for as long as it likes"
            assert read_challenge(headers["www-authenticate"]) is not None
        nursery.cancel_scope.cancel()


async def test_what_is_no_proof_is_counted_as_of_a_stranger(tmp_path: Path) -> None:
    async with serving(tmp_path, secure=True) as served:
        served.site.guard._strange = Allowance(0.001, 2.0, 10)
        head = {**UPGRADE, "Authorization": 'DC-Key key="a"'}
        codes = []
        for _ in range(3):
            asked = request("GET", "/socket", None, **head)
            asked.address = "192.0.2.1"
            answer = await served.site.answer(asked)
            assert isinstance(answer, Response)
            codes.append(answer.status)
        assert codes == [401, 401, 429]


async def test_strangers_keep_no_answers(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        kept = guests.served.site._router._kept
        link = await guests.invite(purpose="sign_in", roles=["view"])
        secret = invites.secret_text(bytes.fromhex(link))
        body = msgspec.json.encode({"secret": secret})
        head = {"Idempotency_Key": "k"}
        assert (await guests.ask("nobody", "POST", "/api/sign-in", body, **head))[0] == 200
        assert (await guests.ask("nobody", "POST", "/api/sign-in", body, **head))[0] == 401
        for number in range(3):
            head = {"Idempotency_Key": f"{number}"}
            assert (await guests.ask("nobody", "POST", "/api/sign-out", b"", **head))[0] == 200
        assert not kept._by_key, "they would push out the answers of others"


async def test_a_worker_by_a_token_takes_nobodys_place(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        [has] = list(guests.app.reactor.workers.roster.by_key)
        dialled = Dialled(nursery, guests.served.site)
        await dialled.ask(guests.shown["token"])
        await dialled.say(ToWorker, hello("worker", has), Heartbeat())
        roster = guests.app.reactor.workers.roster
        assert roster.by_key[has].name == "has"
        [mine] = set(roster.by_key) - {has}
        assert mine.endswith(f"/{has}")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("who", "role"), [("ann", "worker"), ("token", "client")])
async def test_a_role_is_no_other(
    tmp_path: Path, who: str, role: Literal["worker", "client"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.05)
    async with all_guests(tmp_path) as guests, trio.open_nursery() as nursery:
        dialled = Dialled(nursery, guests.served.site)
        await dialled.ask(guests.shown[who])
        [refused] = await dialled.say(ToClient, hello(role, "k"))
        assert isinstance(refused, Refused)
        assert refused.code == "not_permitted"
        nursery.cancel_scope.cancel()


# --- being sent away ----------------------------------------------------------------------------


def principal_of(guests: Guests, who: str) -> Any:
    secret = guests.shown[who].removeprefix("Bearer ")
    return guests.app.reactor.board.access.who_has(secret, guests.app.wall())


async def test_the_sockets_of_a_token_that_is_taken_back_are_closed(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        made = await guests.token("carl", "submit")
        mine = FakePeer(guests, 50, principal_of(guests, "carl"))
        anns = FakePeer(guests, 51, principal_of(guests, "ann"))
        for peer in (mine, anns):
            peer.say(hello("client"))
        await guests.app.ask(RevokeToken(made.token.id))
        assert mine.closed == (1008, "not_signed_in")
        assert anns.closed is None


async def test_a_worker_that_is_forgotten_is_sent_away_with_its_session(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        key = await guests.join("new")
        guests.work("new", guests.worker_of(key))
        assert await guests.code("new", "GET", f"/blobs/{'0' * 64}") == "unknown_blob"
        await guests.app.ask(ForgetKey(key.text))
        assert key.text not in guests.app.reactor.workers.roster.by_key
        assert await guests.code("new", "GET", f"/blobs/{'0' * 64}") == "not_signed_in"


async def test_a_socket_ends_with_its_token_by_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with all_guests(tmp_path) as guests:
        await guests.token("carl", "submit", lifetime=50.0)
        peer = FakePeer(guests, 50, principal_of(guests, "carl"))
        peer.say(hello("client"))
        later = guests.app.wall() + 100
        monkeypatch.setattr(guests.app, "_wall", lambda: later)
        reactor = guests.app.reactor
        reactor.board.wall = later
        reactor.board.out = []
        reactor._watch_over(reactor._peers[50])
        assert 50 not in reactor._peers


async def long_answer(guests: Guests, who: str, target: str) -> Any:
    answer = await guests.answer(who, "GET", target)
    assert isinstance(answer, Response)
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("target", ["/api/stream?topics=jobs", "/api/jobs/1/results?follow=1"])
async def test_what_is_sent_for_long_breaks_off(tmp_path: Path, target: str) -> None:
    async with all_guests(tmp_path) as guests:
        made = await guests.token("carl", "view")
        body = await long_answer(guests, "carl", target)
        others = await long_answer(guests, "view", target)
        heard: list[bytes] = []
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                heard.extend([piece async for piece in body])
                nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            await settle()
            _, _ = await guests.ask("admin", "DELETE", f"/api/tokens/{made.token.id}")
            with trio.fail_after(60):
                await trio.sleep_forever()
        assert not others._scope.cancel_called
        await body.aclose()
        await others.aclose()
        assert len(guests.served.site.doorkeeper.answers) == 0


async def test_what_is_sent_for_long_ends_with_its_token_by_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_access, "WATCHED_SECONDS", 0.01)
    async with all_guests(tmp_path) as guests:
        await guests.token("carl", "view", lifetime=50.0)
        body = await long_answer(guests, "carl", "/api/stream?topics=jobs")
        await anext(body)
        later = guests.app.wall() + 100
        monkeypatch.setattr(guests.app, "_wall", lambda: later)
        with trio.fail_after(60):
            async for _ in body:
                pass
        await body.aclose()


# --- jobs of one's own --------------------------------------------------------------------------


async def submitted(guests: Guests, who: str, **options: Any) -> tuple[int, Any]:
    job = {"type": "copy", "tasks": ["x"], "options": options}
    return await guests.post(who, "/api/jobs", job)


async def test_a_submitter_is_who_its_token_says(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        _, mine = await submitted(guests, "bob", submitter="ann")
        _, job = await guests.ask("view", "GET", f"/api/jobs/{mine['job']}")
        assert job["submitter"] == "bob"
        _, mine = await submitted(guests, "admin", submitter="carl")
        _, job = await guests.ask("view", "GET", f"/api/jobs/{mine['job']}")
        assert job["submitter"] == "carl"


async def test_lists_have_ones_own_jobs(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        await submitted(guests, "bob")
        for who, found in (("ann", ["ann"]), ("bob", ["bob"]), ("view", ["bob", "ann"])):
            _, page = await guests.ask(who, "GET", "/api/jobs")
            assert [job["submitter"] for job in page["jobs"]] == found
        assert await guests.code("ann", "GET", "/api/jobs?submitter=bob") == "not_permitted"


async def test_streams_show_ones_own_jobs(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        await submitted(guests, "bob")
        for who, found in (("ann", [1]), ("bob", [2]), ("view", [2, 1]), ("ann", [1])):
            body = await long_answer(guests, who, "/api/stream?topics=jobs")
            await anext(body)
            name, _, data = (await anext(body)).partition(b"\ndata: ")
            assert name == b"event: jobs"
            assert [job["job"] for job in msgspec.json.decode(data)["jobs"]] == found
            await body.aclose()
        for topic in ("overview", "workers", "events", "history", "worker:has", "job:2", "job:77"):
            path = f"/api/stream?topics=jobs,{topic}"
            assert await guests.code("ann", "GET", path) == "not_permitted"


async def test_what_is_of_others_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        for path in ("/api/jobs/{}", "/api/jobs/{}/results", "/jobs/{}/tasks/0/payload"):
            _, there = await guests.ask("bob", "GET", path.format(1))
            _, gone = await guests.ask("bob", "GET", path.format(77))
            assert there["detail"].replace("job 1", "job 77") == gone["detail"]
            assert {**there, "detail": ""} == {**gone, "detail": ""}


async def test_a_job_comes_after_ones_own(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        status, said = await submitted(guests, "bob", after=[1])
        assert (status, said["code"]) == (400, "options")
        assert said["detail"].startswith("after: there is no job 1")
        assert (await submitted(guests, "ann", after=[1]))[0] == 201
        assert (await submitted(guests, "admin", after=[1]))[0] == 201


async def test_a_key_of_others_is_taken(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        body = msgspec.json.encode({"type": "copy", "tasks": ["x"]})
        head = {"Idempotency_Key": "k"}
        assert (await guests.ask("ann", "POST", "/api/jobs", body, **head))[0] == 201
        assert (await guests.ask("ann", "POST", "/api/jobs", body, **head))[0] == 200
        status, said = await guests.ask("bob", "POST", "/api/jobs", body, **head)
        assert (status, said["code"]) == (422, "key_reused")
        assert "2" not in said["detail"], "it does not say which job has it"


async def test_answers_are_kept_for_who_asked(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        await guests.token("chief", "admin")
        body = msgspec.json.encode({"roles": ["view"], "name": "x"})
        secrets = [
            (await guests.ask(who, "POST", "/api/tokens", body, Idempotency_Key="k"))[1]["secret"]
            for who in ("admin", "admin", "chief")
        ]
        assert secrets[0] == secrets[1] != secrets[2]


async def test_a_worker_reads_what_comes_before_its_tasks(tmp_path: Path) -> None:
    path = "/jobs/1/tasks/0/payload"
    async with all_guests(tmp_path) as guests:
        assert await guests.code("has", "GET", path) == ""
        guests.has.done_all()
        await settle()
        assert await guests.code("has", "GET", path) == "unknown_job", "it has no task of it now"
        later = guests.work("later", guests.worker_of(await guests.join("later")))
        await submitted(guests, "ann", after=[1])
        await settle()
        holds = {"has": bool(guests.has.take()), "later": bool(later.take())}
        assert sorted(holds.values()) == [False, True]
        for who, may in holds.items():
            for one in (path, "/api/jobs/1"):  # which says how results are to be read
                assert await guests.code(who, "GET", one) == ("" if may else "unknown_job")


# --- the audit log ------------------------------------------------------------------------------


async def test_what_was_refused_stands_in_the_audit_log(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        await guests.code("view", "POST", "/api/workers/stop", b"{}")
        await guests.code("revoked", "GET", "/api/jobs")
        await guests.code("nobody", "GET", "/api/jobs")
        await sign_in(guests, "wrong")
        await guests.post("ann", "/api/jobs/1/cancel", {})
        guests.app.reactor.operations.access.tick(last=True)
        for action in guests.app.reactor.board.out:
            guests.app._act([action], 0)
        await settle()
        _, page = await guests.ask("admin", "GET", "/api/audit")
        found = {(one["kind"], one["who"], one["ok"]) for one in page["entries"]}
        assert ("request.refused", "view", False) in found
        assert ("job.cancelled", "ann", True) in found
        assert ("sign_in.refused", "", False) in found
        _, some = await guests.ask("admin", "GET", "/api/audit?kind=token&limit=2")
        assert len(some["entries"]) == 2
        _, rest = await guests.ask("admin", "GET", f"/api/audit?kind=token&cursor={some['next']}")
        numbers = [one["entry"] for one in (*some["entries"], *rest["entries"])]
        assert numbers == sorted(numbers, reverse=True)
        assert all(one["kind"].startswith("token") for one in rest["entries"])


async def test_secrets_are_in_no_list(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        secrets = [
            shown.rpartition("_")[2] for shown in guests.shown.values() if shown.count("_") == 2
        ]
        assert len(secrets) == 7
        for path in ("tokens", "invites", "worker-keys", "audit", "status", "settings", "events"):
            _, said = await guests.ask("admin", "GET", f"/api/{path}")
            assert not any(secret in str(said) for secret in secrets), path
