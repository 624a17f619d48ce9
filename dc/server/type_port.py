"""What the server's reactor needs to know of task types, and of where their code is."""

from __future__ import annotations

from typing import Protocol

from dc.server.shipping import Shipped


class TypeInfo(Protocol):
    """What the reactor needs to know of a task type."""

    @property
    def name(self) -> str:
        """The type's name."""

    @property
    def version(self) -> str:
        """The type's version."""

    @property
    def payload_codec(self) -> str:
        """How payloads are typed: `bytes` or `msgpack`."""

    @property
    def result_codec(self) -> str:
        """How results are typed: `bytes` or `msgpack`."""

    @property
    def options(self) -> dict[str, object]:
        """The type's own defaults for the options of jobs."""

    def check_payload(self, payload: bytes) -> None:
        """Raise PayloadError when a payload does not have the type's shape."""


class Types(Protocol):
    """Where the reactor finds task types."""

    def get(self, name: str, version: str = "", plugin: bytes = b"") -> TypeInfo:
        """Return a type, its newest version by default; UnknownTaskType when there is none.

        Args:
            name: of the type.
            version: of the type.
            plugin: the archive whose code is wanted, if it is still loaded.
        """

    def plugin(self, name: str, version: str) -> bytes:
        """Return the archive that the code of a type is in now; empty if it is in none."""

    def shipped(self, plugin: bytes) -> Shipped | None:
        """Return what is to be known of an archive to ship it; None if it is not known."""
