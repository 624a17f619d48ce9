"""A client that is connected, and a job that it submits."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from dc.messages_client import Submit
from dc.messages_parts import Blob, Message
from dc.roles import LOCAL, Principal
from dc.server.jobs import Job
from dc.server.type_port import TypeInfo


class Client(Struct):
    """A connected client.

    `submitting` and `refused` are by request; what still comes for a refused one is passed over.
    While it `looks` for the job of a key in the store, what it says is `held`, and which blobs of
    that are not here. `principal` is who it is.
    """

    peer: int
    address: str
    submitting: dict[int, Submission] = {}
    refused: dict[int, None] = {}
    looks: bool = False
    held: list[Message] = []
    held_missing: set[Blob] = set()
    gone: bool = False
    principal: Principal = LOCAL

    @property
    def is_bound(self) -> bool:
        """Whether it submits under its own name alone, and acts on its own jobs alone."""
        return not self.principal.may()

    def owns(self, job: Job) -> bool:
        """Whether it may act on a job."""
        return not self.is_bound or job.options.submitter == self.principal.name

    def sees(self, job: Job) -> bool:
        """Whether it may follow a job."""
        return self.owns(job) or self.principal.sees_all

    def named(self, message: Submit) -> Submit:
        """Return a submission under the name that it is to have."""
        if not self.is_bound:
            return message
        return replace(message, options={**message.options, "submitter": self.principal.name})


class Submission(Struct):
    """A job and the client that submits it. `info` checks payloads, where they have a shape."""

    client: Client
    request: int
    job: Job
    info: TypeInfo | None
