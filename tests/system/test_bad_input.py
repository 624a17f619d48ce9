"""Whatever is wrong is answered by name, to the one who sent it, and harms nobody else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dc
from dc import limits, limits_http
from dc.store_sqlite import open_store
from tests.system.by_hand import (
    HELLO,
    SECONDS,
    Hand,
    opened,
    pack,
    raw,
)
from tests.system.processes import Machine, Server

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# --- at the start ---------------------------------------------------------------------------------


def complaint(machine: Machine, *arguments: object, program: str = "dc.server") -> str:
    """Start a program that cannot start; return the one line that it says."""
    done = machine.command(program, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{program}: ")
    return line


def test_a_taken_port(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        line = complaint(machine, "--listen", where, "--data", machine.data)
    assert where in line
    assert "another program listens there" in line


def test_an_address_that_is_not_this_computers(machine: Machine) -> None:
    line = complaint(machine, "--listen", "192.0.2.7:8220", "--data", machine.data)
    assert "--listen 192.0.2.7:8220: " in line
    assert not machine.data.exists()


def test_a_data_folder_that_is_a_file(machine: Machine) -> None:
    machine.data.write_text("notes")
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data)
    assert f"data folder {machine.data} is not a folder" in line
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data / "below")
    assert "is not a folder" in line
    assert machine.data.read_text() == "notes"


def test_a_database_that_cannot_be_opened(machine: Machine) -> None:
    (machine.data / "dc.sqlite3").mkdir(parents=True)
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data)
    assert "Is a directory" in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_data_folder_that_cannot_be_made(machine: Machine) -> None:
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", "/proc/dc-data")
    assert "cannot make data folder /proc/dc-data" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write every folder")
@pytest.mark.parametrize("mode", [0o000, 0o500, 0o300])
def test_an_unreadable_data_folder(mode: int, machine: Machine) -> None:
    machine.data.mkdir()
    machine.data.chmod(mode)
    try:
        line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data)
    finally:
        machine.data.chmod(0o700)
    assert "change its permissions or choose another --data" in line


def test_a_data_folder_of_a_newer_version(machine: Machine) -> None:
    async def make() -> None:
        await (await open_store(machine.data)).aclose()

    trio.run(make)
    connection = sqlite3.connect(machine.data / "dc.sqlite3")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data)
    assert "newer" in line
    assert str(machine.data) in line


def test_a_data_folder_with_another_database(machine: Machine) -> None:
    machine.data.mkdir()
    (machine.data / "dc.sqlite3").write_bytes(b"this is no database at all" * 100)
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data)
    assert "is damaged" in line


async def test_a_data_folder_in_use(machine: Machine) -> None:
    server = await machine.server()
    line = complaint(machine, "--listen", "127.0.0.1:0", "--data", machine.data)
    assert f"in use by another server (pid {server.program.pid})" in line
    assert server.json("/api/status")["workers"] == 0
    server.program.kill()
    await machine.server()


def test_a_plugin_folder_that_is_not_there(machine: Machine) -> None:
    nowhere = machine.folder / "nowhere"
    line = complaint(
        machine, "--listen", "127.0.0.1:0", "--data", machine.data, "--plugins", nowhere
    )
    assert str(nowhere) in line


async def test_broken_plugins_are_left_out_and_shown(machine: Machine) -> None:
    (machine.plugins / "broken_one.py").write_text("import nothing_of_this_name\n")
    (machine.plugins / "same_type.py").write_text(
        "import dc\n\n@dc.task_type\ndef square(n: int) -> int:\n    return n\n"
    )
    server = await machine.server()
    broken = server.json("/api/types")["broken"]
    assert set(broken) & {"broken_one"}
    assert "nothing_of_this_name" in broken["broken_one"]
    names = [row["name"] for row in server.json("/api/types")["types"]]
    assert sorted(names).count("square") == 1
    assert any("already registered" in why for why in broken.values())
    assert b"nothing_of_this_name" in server.get("/api/overview")
    assert "nothing_of_this_name" in server.program.err.read_text()


async def test_a_duplicate_name(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "twin")
    second = machine.start(
        *("dc.worker", server.address, "--name", "twin"), *machine.with_plugins(None)
    )
    assert await second.ended() == 2
    assert "a worker named twin is connected from 127.0.0.1:" in second.err.read_text()
    assert server.worker_names() == {"twin"}


# --- bytes ----------------------------------------------------------------------------------------

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
pieces = st.sampled_from(
    [
        *(REQUEST, b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"\0", b":", b"Host: x", b"\xff"),
        *(b"PUT /blobs/", b"Content-Length: ", b"99999999999999999999", b"-1"),
        b"Transfer-Encoding: chunked",
    ]
)
anything = st.binary(max_size=200) | st.lists(pieces, max_size=12).map(b"".join)


def answer_to(peer: socket.socket, data: bytes) -> bytes:
    """Send bytes and the end; return all that comes back until the server closes."""
    answer = b""
    with peer:
        peer.settimeout(SECONDS)
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while piece := peer.recv(65536):
                answer += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
    return answer


@few
@given(data=anything)
def test_any_bytes_on_the_port(data: bytes, server: Server) -> None:
    peer = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    answer = answer_to(peer, data)
    assert answer == b"" or re.match(rb"HTTP/1\.1 ([245]\d\d) ", answer)
    assert server.program.alive


@few
@given(data=anything)
def test_any_bytes_on_the_socket(data: bytes, server: Server) -> None:
    peer, head = raw(server)
    assert head.startswith(b"http/1.1 101 ")
    answer = answer_to(peer, data)
    assert answer == b"" or answer[0] in (0x81, 0x82, 0x88, 0x8A)
    assert server.program.alive


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
names = st.sampled_from(
    [
        *("hello", "heartbeat", "held", "running", "done", "failed", "returned", "goodbye"),
        *("submit", "payloads", "endofjob", "subscribe", "consumed", "unsubscribe", "watch"),
        *("cancel", "welcome"),
    ]
)
messages = st.tuples(names, st.lists(values, max_size=6)).map(lambda pair: [pair[0], *pair[1]])


@few
@given(messages=st.lists(messages, min_size=1, max_size=3), role=st.sampled_from(["client", ""]))
def test_any_messages(messages: list[list[Any]], role: str, server: Server) -> None:
    with opened(server) as link:
        hand = Hand(link)
        if role:
            hand.say(HELLO)
            hand.hear("welcome")
        hand.say(*messages)
    assert server.program.alive


def test_the_server_is_well_after_all_that(server: Server) -> None:
    """Runs behind the ones above, on the same server."""
    assert server.json("/api/status")["workers"] == 1
    assert "Traceback" not in server.program.err.read_text()
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO, ["submit", 1, "square", "", {}])
        hand.hear("welcome")
        job = hand.hear("accepted")[2]
        hand.say(["payloads", 1, 0, [pack(5)]], ["endofjob", 1])
        while not hand.hear("stored")[3]:
            pass
        hand.say(["subscribe", 2, job, True, 0])
        assert hand.hear("finished")[-1] == [pack(25)]


# --- messages -------------------------------------------------------------------------------------


@pytest.fixture
def hand(server: Server) -> Iterator[Hand]:
    """A client that has been welcomed."""
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO)
        hand.hear("welcome")
        yield hand


def is_refused(hand: Hand, code: str, close_code: int, *words: str) -> None:
    """Check that a connection is refused, by name and in words, and closed."""
    refused = hand.hear("refused")
    assert refused[:3] == ["refused", -1, code]
    assert all(word in refused[3] for word in words), refused[3]
    assert hand.closed() == (close_code, code)


def submitted(hand: Hand, type_: str = "square", **options: Any) -> int:
    hand.say(["submit", 1, type_, "", options])
    job: int = hand.hear("accepted")[2]
    return job


def test_an_unknown_message(hand: Hand) -> None:
    hand.say(["dance", 1])
    is_refused(hand, "protocol", 1007, "dance")


def test_a_message_of_the_other_side(hand: Hand) -> None:
    hand.say(["held", 1, [1], [1]])
    is_refused(hand, "protocol", 1002, "client", "Held")


def test_no_hello(server: Server) -> None:
    with opened(server) as link:
        Hand(link).say(["watch", 1, 1])
        is_refused(Hand(link), "protocol", 1002, "Hello")


def test_a_second_hello(hand: Hand) -> None:
    hand.say(HELLO)
    is_refused(hand, "protocol", 1002, "Hello")


@pytest.mark.parametrize(("version", "older"), [(0, "by hand"), (2, "dc ")])
def test_a_wrong_protocol_version(version: int, older: str, server: Server) -> None:
    with opened(server) as link:
        hand = Hand(link)
        hand.say(["hello", version, "client", "by hand", []])
        is_refused(hand, "version", 1008, f"version {version}", "version 1", f"update {older}")


def test_a_worker_that_says_nothing_of_itself(server: Server) -> None:
    with opened(server) as link:
        Hand(link).say(["hello", 1, "worker", "by hand", []])
        is_refused(Hand(link), "protocol", 1002, "what it is")


def test_the_name_of_another_worker(server: Server) -> None:
    with opened(server) as link:
        about = ["about", "one", "another key", 1, [], {}]
        Hand(link).say(["hello", 1, "worker", "by hand", [], about])
        is_refused(Hand(link), "duplicate_name", 1008, "a worker named one is connected from")
    assert server.worker_names() == {"one"}


def test_an_unknown_type(hand: Hand) -> None:
    for version, type_ in (("", "nonsense"), ("77", "square")):
        hand.say(["submit", 5, type_, version, {}])
        refused = hand.hear("refused")
        assert refused[:3] == ["refused", 5, "unknown_type"]
        assert type_ in refused[3]
        assert "square 1" in refused[3], "it says what there is"
    submitted(hand)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"retries": 101}, "100"),
        ({"priority": "high"}, "int"),
        ({"timeout": -1}, ">= 0"),
        ({"colour": "red"}, "unknown option colour"),
        ({"requires": {"os": 1}}, "str"),
    ],
)
def test_wrong_options(options: dict[str, Any], word: str, hand: Hand) -> None:
    hand.say(["submit", 6, "square", "", options])
    refused = hand.hear("refused")
    assert refused[:3] == ["refused", 6, "options"]
    assert word in refused[3]


@pytest.mark.parametrize("payload", [pack("three"), pack([3]), b"", b"\xc1", pack(3) + b"x"])
def test_a_payload_of_the_wrong_shape(payload: bytes, hand: Hand, server: Server) -> None:
    job = submitted(hand)
    hand.say(["payloads", 1, 0, [pack(1), payload]], ["endofjob", 1], ["watch", 2, job])
    refused = hand.hear("refused")
    assert refused[:3] == ["refused", 1, "payload"]
    assert f"payload 1 of job {job} does not fit square" in refused[3]
    status = hand.hear("status")
    assert (status[3], status[4][1]) == ("open", 0)
    hand.say(["submit", 3, "square", "", {}])
    assert hand.hear("accepted")[1] == 3, "the connection goes on"


def test_an_inline_payload_that_is_too_large(hand: Hand) -> None:
    submitted(hand, "noop")
    hand.say(["payloads", 1, 0, [bytes(limits.INLINE_BYTES + 1)]])
    refused = hand.hear("refused")
    assert refused[:3] == ["refused", 1, "payload"]
    assert "put it to /blobs first" in refused[3]


def test_a_blob_that_is_not_there(hand: Hand) -> None:
    submitted(hand, "noop")
    digest = hashlib.sha256(b"never put").digest()
    hand.say(["payloads", 1, 0, [["blob", digest, 9]]])
    is_refused(hand, "payload", 1008, digest.hex())


def test_a_result_whose_blob_is_not_there(server: Server) -> None:
    about = ["about", "hand", "key by hand", 0, [], {}]
    blob = ["blob", hashlib.sha256(b"never put").digest(), 70_000]
    with opened(server) as link:
        hand = Hand(link)
        hand.say(["hello", 1, "worker", "by hand", [], about])
        hand.hear("welcome")
        hand.say(["heartbeat"], ["done", 1, 1, [0], [1], [0.1], [blob]])
        assert hand.hear("recorded") == ["recorded", 1]
        hand.say(["done", 2, 1, [0], [1], [0.1], [b"x"]])
        assert hand.hear("recorded") == ["recorded", 2], "the connection goes on"


def test_payloads_with_a_gap(hand: Hand) -> None:
    submitted(hand)
    hand.say(["payloads", 1, 1, [pack(1)]])
    is_refused(hand, "protocol", 1002, "expected 0")


def test_payloads_of_somebody_elses_job(hand: Hand, server: Server) -> None:
    submitted(hand)
    with opened(server) as link:
        other = Hand(link)
        other.say(HELLO, ["payloads", 1, 0, [pack(1)]])
        other.hear("welcome")
        is_refused(other, "protocol", 1002, "request 1 is not being submitted on this connection")
    hand.say(["payloads", 1, 0, [pack(1)]])
    assert hand.hear("stored") == ["stored", 1, 1, False]


def test_too_many_messages_in_one(hand: Hand) -> None:
    hand.say(*[["heartbeat"]] * limits.BATCH_MESSAGES)
    hand.say(*[["heartbeat"]] * (limits.BATCH_MESSAGES + 1))
    is_refused(hand, "protocol", 1007, str(limits.BATCH_MESSAGES))


@pytest.mark.parametrize("message", [["watch", 3, 10**6], ["cancel", 3, 10**6]])
def test_an_unknown_job(message: list[Any], hand: Hand) -> None:
    hand.say(message)
    refused = hand.hear("refused")
    assert refused[:3] == ["refused", 3, "unknown_job"]
    assert "1000000" in refused[3]


async def test_the_client_raises_by_name(server: Server) -> None:
    async with dc.AsyncClient(server.address) as client:
        with pytest.raises(dc.UnknownTaskType, match="no task type 'nonsense'"):
            await client.submit("nonsense", [1])
        with pytest.raises(dc.UnknownJob, match="1000000"):
            await client.job(10**6)
        with pytest.raises(dc.OptionsError):
            await client.submit("square", [1], retries=1000)
        with pytest.raises(dc.PayloadError, match="payload 0 "):
            await client.submit("square", ["one"])


# --- HTTP -----------------------------------------------------------------------------------------


def asked(server: Server, path: str, method: str = "GET", **options: Any) -> tuple[int, str]:
    request = urllib.request.Request(server.address + path, method=method, **options)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("path", "code", "word"),
    [
        ("/jobs/999999", "unknown_job", "999999"),
        ("/jobs/999999/tasks/0", "unknown_job", "999999"),
        ("/jobs/1/tasks/4000000000", "unknown_task", "4000000000"),
        ("/jobs/nonsense", "unknown_job", "nonsense"),
        ("/jobs/-1/tasks/0", "unknown_job", "-1"),
        ("/jobs/99999999999999999999999/tasks/0", "unknown_job", "999999"),
        ("/workers/nobody", "unknown_worker", "nobody"),
        ("/problems/nonsense", "not_found", "nonsense"),
        ("/nonsense", "not_found", "openapi.json"),
    ],
)
def test_what_is_not_there(path: str, code: str, word: str, server: Server, hand: Hand) -> None:
    submitted(hand)  # so that there is a job 1
    status, text = asked(server, f"/api{path}")
    said = json.loads(text)
    assert (status, said["status"], said["code"]) == (404, 404, code)
    assert word in said["detail"], "it says what is not there"
    if "/tasks/" in path:
        status, text = asked(server, f"{path}/payload")
        assert (status, json.loads(text)["code"]) == (404, code)


def test_an_unknown_page(server: Server) -> None:
    head = {"Accept": "text/html,*/*;q=0.8"}
    for path, status in (("/jobs/999999", 200), ("/nonsense", 404)):
        found, page = asked(server, path, headers=head)
        assert (found, "<html" in page) == (status, True), "what is not there is shown by the page"
    assert asked(server, "/nonsense")[0] == 404


def test_a_page_has_nothing_of_what_was_named(server: Server, hand: Hand) -> None:
    """Pages are one document but for the modules that each is made of, whatever they show.

    What is JSON is not taken for anything else.
    """
    job = submitted(hand, name="<script>alert(1)</script>")
    hand.say(["payloads", 1, 0, [pack(1)]])
    hand.hear("stored")
    head = {"Accept": "text/html"}
    paths = ("/", f"/jobs/{job}", f"/jobs/{job}/tasks/0", "/%3Cscript%3E")
    pages = [asked(server, path, headers=head)[1] for path in paths]
    assert len({re.sub(r'<link rel="modulepreload"[^>]*>\s*', "", page) for page in pages}) == 1
    assert "alert" not in "".join(pages)
    for path in (f"/api/jobs/{job}", "/api/%3Cscript%3Ealert(1)"):
        request = urllib.request.Request(server.address + path)
        try:
            answer = urllib.request.urlopen(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            assert b"<script>alert" in answer.read()
            assert answer.headers["Content-Type"].endswith("json")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "POST", 405),
        ("/api/status", "DELETE", 405),
        ("/api/status", "TRACE", 405),
        ("/api/jobs?nonsense=1", "GET", 400),
        ("/api/jobs?cursor=nonsense", "GET", 400),
        ("/api/jobs?limit=-1", "GET", 400),
        (f"/api/jobs?limit={'9' * 400}", "GET", 400),
        ("/socket", "GET", 426),
        ("/blobs/nonsense", "GET", 404),
        (f"/blobs/{'0' * 64}", "GET", 404),
        ("/api/jobs?limit=many", "GET", 400),
        ("/api/jobs?before=-1", "GET", 400),
        ("/" + "x" * (limits_http.REQUEST_LINE_BYTES + 1), "GET", 414),
    ],
)
def test_wrong_requests(path: str, method: str, status: int, server: Server) -> None:
    found, text = asked(server, path, method)
    assert found == status
    assert text.strip(), "it says what is wrong"


def test_wrong_headers(server: Server) -> None:
    assert asked(server, "/", headers={"Host": "evil.example"})[0] == 421
    assert asked(server, "/", headers={"X-Long": "x" * limits_http.HEAD_BYTES})[0] == 431


def test_a_blob_of_other_bytes(server: Server, tmp_path: Path) -> None:
    name = hashlib.sha256(b"promised").hexdigest()
    assert asked(server, f"/blobs/{name}", "PUT", data=b"something else")[0] == 400
    assert asked(server, f"/blobs/{name}")[0] == 404
    assert asked(server, f"/blobs/{name}", "PUT", data=b"promised")[0] == 201
    assert asked(server, f"/blobs/{name}", "PUT", data=b"promised")[0] == 200
    assert asked(server, f"/blobs/{name}") == (200, "promised")
