"""What messages are made of: types of their fields with bounds, and what several of them hold."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from dc import limits

Text: TypeAlias = Annotated[str, Meta(max_length=limits.TEXT_CHARS)]
LongText: TypeAlias = Annotated[str, Meta(max_length=4 * limits.ERROR_CHARS)]
JobId: TypeAlias = Annotated[int, Meta(ge=0, le=limits.MAX_JOB)]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=limits.MAX_NUMBER)]
Attempt: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Request: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Sequenced: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]
Numbers: TypeAlias = Annotated[list[Number], Meta(max_length=limits.BATCH_TASKS)]
Attempts: TypeAlias = Annotated[list[Attempt], Meta(max_length=limits.BATCH_TASKS)]
FailureKind: TypeAlias = Literal["error", "timeout", "memory", "crashed"]
FailureKinds: TypeAlias = Annotated[tuple[FailureKind, ...], Meta(max_length=4)]
Priority: TypeAlias = Annotated[int, Meta(ge=-limits.MAX_PRIORITY, le=limits.MAX_PRIORITY)]
Weight: TypeAlias = Annotated[float, Meta(ge=limits.LEAST_WEIGHT, le=limits.MOST_WEIGHT)]
UnixTime: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]
WorkerSlots: TypeAlias = Annotated[int, Meta(ge=0, le=limits.WORKER_SLOTS)]
Labels: TypeAlias = Annotated[dict[Text, Text], Meta(max_length=limits.LABELS)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=limits.AMOUNT_MOST)]
Resources: TypeAlias = Annotated[dict[Text, Amount], Meta(max_length=limits.RESOURCES)]
LimitName: TypeAlias = Literal["memory", "disk", "open_files", "processes", "nice"]
Limits: TypeAlias = dict[LimitName, Annotated[int, Meta(ge=1, le=2**62)]]
Variable: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)", max_length=limits.TEXT_CHARS)
]
VariableValue: TypeAlias = Annotated[
    str, Meta(pattern=r"^[^\x00]*$", max_length=4 * limits.ERROR_CHARS)
]
Environment: TypeAlias = Annotated[dict[Variable, VariableValue], Meta(max_length=limits.VARIABLES)]
Traceparent: TypeAlias = Annotated[
    str, Meta(pattern=r"^$|^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$", max_length=55)
]
Digest: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]


class Message(Struct, frozen=True, array_like=True, gc=False, tag_field="message", tag=str.lower):
    """The root of all messages: its name in lower case, then its fields.

    Messages hold no reference to what holds them, so the garbage collector need not look at them.
    """


class Blob(Message, frozen=True):
    """Bytes too large to ride inline: their SHA-256 (32 bytes) and their size in bytes."""

    digest: Digest
    size: Annotated[int, Meta(ge=0, le=2**62)]

    @property
    def name(self) -> str:
        """The digest in hexadecimal, as in `/blobs/SHA256`."""
        return self.digest.hex()


class Plugin(Message, frozen=True):
    """A plugin's code as an archive: fetched from `/plugins/SHA256`, run by executors alone.

    `digest` and `size` are the archive's. `name` is for people. `signer` is the public key of who
    has signed it (Ed25519, 32 bytes), `signature` what that says (64), both empty if nobody has.
    """

    digest: Digest
    size: Annotated[int, Meta(ge=0, le=2**62)]
    name: Text
    signer: Annotated[bytes, Meta(max_length=32)] = b""
    signature: Annotated[bytes, Meta(max_length=64)] = b""


class Failure(Message, frozen=True):
    """How a task failed: `error`, `timeout`, `memory`, `crashed`, `payload`, `cancelled`,
    `deadline` or `quota`.

    `crashed` stands for a lost worker as well, `cancelled` for a task that was cancelled by itself,
    `deadline` for one that was not finished by the deadline of its job.
    """

    kind: Text
    error: LongText
    traceback: LongText = ""


Payload: TypeAlias = bytes | Blob
Outcome: TypeAlias = bytes | Blob | Failure
PayloadColumn: TypeAlias = Annotated[list[Payload], Meta(max_length=limits.BATCH_TASKS)]
InlineResult: TypeAlias = Annotated[bytes, Meta(max_length=limits.INLINE_BYTES)]
ResultColumn: TypeAlias = Annotated[list[InlineResult | Blob], Meta(max_length=limits.BATCH_TASKS)]
Saved: TypeAlias = InlineResult | Blob
Inputs: TypeAlias = Annotated[dict[Text, Blob], Meta(max_length=limits.INPUTS)]
Checkpoints: TypeAlias = Annotated[dict[Number, Saved], Meta(max_length=limits.BATCH_TASKS)]
Fraction: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
Times: TypeAlias = Annotated[list[Seconds], Meta(max_length=limits.BATCH_TASKS)]
