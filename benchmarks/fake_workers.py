"""Many workers in one process: real sockets and the real wire, but no executors.

    python -m benchmarks.fake_workers URL --workers N [--type NAME] [--slots N] [--name NAME]

Each worker connects, says Hello, and answers every Assign at once: each task's result is its
payload. It sends a heartbeat when it has sent nothing for limits.HEARTBEAT_SECONDS, and takes a
server that is silent for limits.SILENCE_SECONDS for lost, as a worker has to. One thread and one
epoll serve all of them, so that ten thousand cost a few percent of a processor.

Once all are connected, the program prints a JSON line; for each line that it reads it prints
another one, with how many tasks were done since it began. It says goodbye and ends when its input
ends.
"""

from __future__ import annotations

import argparse
import base64
import heapq
import json
import os
import resource
import select
import socket
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

from dc import limits, limits_http
from dc._frames import BINARY, FrameDecoder, encode_frame
from dc.messages import PROTOCOL, Codec, Heartbeat, Hello, ToWorker, Welcome
from dc.messages_parts import Message
from dc.messages_worker import About, Assign, Done, Goodbye, TypeId

AT_ONCE = 32
"""Connections opened at one time: below any listener's backlog."""

SPARE_FILES = 100
"""Open files beside the connections."""

OPEN_SECONDS = 30.0
"""For the server to answer a handshake."""

TASK_SECONDS = 1e-6
"""Run time that is reported for each task."""


def raise_file_limit(connections: int) -> None:
    """Allow this process, and those it starts, as many open files as the system lets it.

    Raises:
        SystemExit: that is too few for so many connections.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise SystemExit(f"{wanted} open files are needed, and ulimit -Hn says {hard}")
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class FakeWorker:
    """One worker's end of a connection."""

    __slots__ = (
        "decoder",
        "heard",
        "number",
        "outbox",
        "sequence",
        "sock",
        "spoke",
        "waits",
        "welcome",
    )

    def __init__(self, sock: socket.socket, number: int, now: float) -> None:
        self.sock = sock
        self.number = number
        self.decoder = FrameDecoder(client=True, limit=limits.MESSAGE_BYTES)
        self.outbox = b""
        self.sequence = 0
        self.heard = self.spoke = now
        self.waits = self.welcome = False


class Fleet:
    """All workers.

    Args:
        url: of the server.
        about: what the workers are; each has a name and a key of its own.
    """

    def __init__(self, url: str, about: About) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or limits.DEFAULT_PORT
        self._about = about
        self._codec = Codec(ToWorker)
        self._heartbeat = self._codec.encode([Heartbeat()])
        self._their_heartbeat = encode_frame(BINARY, self._heartbeat)
        self._workers: dict[int, FakeWorker] = {}
        self._due: list[tuple[float, int, FakeWorker]] = []  # when each has to be looked at
        self._epoll = select.epoll()
        self._input = sys.stdin.fileno()
        self._epoll.register(self._input, select.EPOLLIN)
        self.counts: Counter[str] = Counter()
        self.open = True

    # --- opening --------------------------------------------------------------------------------

    def connect(self, count: int) -> None:
        """Connect so many workers; those that are there already go on meanwhile."""
        for start in range(0, count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, count))
            opened = [(number, self._ask()) for number in numbers]
            for number, sock in opened:
                self._greet(number, sock)
            self.turn(0.0)
        deadline = time.monotonic() + OPEN_SECONDS
        while sum(worker.welcome for worker in self._workers.values()) < count:
            if time.monotonic() > deadline or self.counts["lost"]:
                raise SystemExit(f"not all are welcome: {dict(self.counts)}")
            self.turn(0.1)

    def _ask(self) -> socket.socket:
        """Connect, and ask for the socket."""
        sock = socket.create_connection(self._address, OPEN_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /socket HTTP/1.1",
            f"Host: {self._address[0]}:{self._address[1]}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: dc.v1",
            "\r\n",
        ]
        sock.sendall("\r\n".join(lines).encode())
        return sock

    def _greet(self, number: int, sock: socket.socket) -> None:
        """Take the answer, and say Hello."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(4096)
            if not piece:
                raise SystemExit(f"the server closed the connection of worker {number}: {head!r}")
            head += piece
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"worker {number} was answered {head!r}")
        sock.setblocking(False)
        worker = FakeWorker(sock, number, time.monotonic())
        worker.decoder.receive_data(head.partition(b"\r\n\r\n")[2])
        self._workers[sock.fileno()] = worker
        self._epoll.register(sock, select.EPOLLIN)
        heapq.heappush(self._due, (worker.spoke + limits.HEARTBEAT_SECONDS, number, worker))
        name = f"{self._about.name}-{number}"
        about = About(name, f"key of {name}", *self._rest_of_about(), run=name)
        self._say(worker, self._codec.encode([Hello(PROTOCOL, "worker", "fake", [], about)]))

    def _rest_of_about(self) -> tuple[int, list[TypeId], dict[str, str]]:
        return self._about.slots, self._about.types, self._about.labels

    # --- one turn -------------------------------------------------------------------------------

    def turn(self, patience: float) -> None:
        """Do what there is to do; wait for something for at most so many seconds."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            self._look_after(heapq.heappop(self._due)[2], now)
        if self._due:
            patience = min(patience, max(0.0, self._due[0][0] - now))
        for file, mask in self._epoll.poll(patience):
            if file == self._input:
                self._asked()
            elif (worker := self._workers.get(file)) is not None:
                if mask & ~select.EPOLLOUT:
                    self._receive(worker)
                if mask & select.EPOLLOUT and worker.outbox:
                    self._flush(worker)

    def _asked(self) -> None:
        data = os.read(self._input, 4096)
        self.open = bool(data)
        for _ in range(data.count(b"\n")):
            self.tell()

    def tell(self) -> None:
        """Print what has happened."""
        used = time.process_time()
        line = {"workers": len(self._workers), "processor": used, **self.counts}
        print(json.dumps(line), flush=True)

    def _look_after(self, worker: FakeWorker, now: float) -> None:
        """Say something if it is time to; look again when it may be."""
        if worker.sock.fileno() < 0:
            return
        if now - worker.heard > limits.SILENCE_SECONDS:
            self._lose(worker)
            return
        if worker.welcome and now - worker.spoke >= limits.HEARTBEAT_SECONDS:
            self._say(worker, self._heartbeat)
            self.counts["heartbeats"] += 1
        due = max(worker.spoke, now - limits.HEARTBEAT_SECONDS / 2) + limits.HEARTBEAT_SECONDS
        heapq.heappush(self._due, (due, worker.number, worker))

    # --- the wire -------------------------------------------------------------------------------

    def _receive(self, worker: FakeWorker) -> None:
        try:
            data = worker.sock.recv(limits_http.RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(worker)
            return
        worker.heard = time.monotonic()
        if data == self._their_heartbeat:
            self.counts["heartbeats_heard"] += 1
            return
        worker.decoder.receive_data(data)
        answers: list[Message] = []
        while (event := worker.decoder.next_event()) is not None:
            if event[0] == BINARY:
                for message in self._codec.decode(event[1]):
                    self._take(worker, message, answers)
        if answers:
            self._say(worker, self._codec.encode(answers))

    def _take(self, worker: FakeWorker, message: Message, answers: list[Message]) -> None:
        self.counts[type(message).__name__.lower()] += 1
        if isinstance(message, Assign):
            worker.sequence += 1
            numbers = message.numbers
            times = [TASK_SECONDS] * len(numbers)
            results = message.payloads
            done = Done(worker.sequence, message.job, numbers, message.attempts, times, results)
            answers.append(done)
            self.counts["done"] += len(numbers)
        elif isinstance(message, Welcome):
            worker.welcome = True
            answers.append(Heartbeat())

    def _say(self, worker: FakeWorker, data: bytes) -> None:
        worker.spoke = time.monotonic()
        frame = encode_frame(BINARY, data, os.urandom(4))
        if worker.outbox:
            worker.outbox += frame
        else:
            worker.outbox = frame
            self._flush(worker)

    def _flush(self, worker: FakeWorker) -> None:
        try:
            worker.outbox = worker.outbox[worker.sock.send(worker.outbox) :]
        except BlockingIOError:
            pass
        except OSError:
            self._lose(worker)
            return
        if bool(worker.outbox) != worker.waits:
            worker.waits = bool(worker.outbox)
            wanted = select.EPOLLIN | select.EPOLLOUT if worker.waits else select.EPOLLIN
            self._epoll.modify(worker.sock, wanted)

    def _lose(self, worker: FakeWorker) -> None:
        if worker.sock.fileno() >= 0:
            self.counts["lost"] += 1
            del self._workers[worker.sock.fileno()]
            self._epoll.unregister(worker.sock)
            worker.sock.close()

    def leave(self) -> None:
        """Say goodbye."""
        for worker in list(self._workers.values()):
            self._say(worker, self._codec.encode([Goodbye()]))
            worker.sock.close()


def main() -> None:
    """Run the workers until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--type", default="noop")
    parser.add_argument("--name", default="fake")
    arguments = parser.parse_args()
    raise_file_limit(arguments.workers)
    types = [TypeId(arguments.type, "1")]
    fleet = Fleet(arguments.url, About(arguments.name, "", arguments.slots, types, {}))
    fleet.connect(arguments.workers)
    fleet.tell()
    while fleet.open:
        fleet.turn(1.0)
    fleet.leave()


if __name__ == "__main__":
    main()
