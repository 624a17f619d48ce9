"""How the values of one declared type become bytes and come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from dc.errors import PluginError
from dc.large import as_file, as_view, is_bytes, whole

Codec: TypeAlias = Literal["bytes", "msgpack"]


class Typed:
    """One side of a task type, its payload or its result: how values become bytes and come back.

    Args:
        codec: `bytes` or `msgpack`.
        kind: the declared type.
        title: how to name it in errors, such as "payload of wordcount".

    Attributes:
        is_plain: whether values are in memory: not files, views of them, or iterators.
    """

    def __init__(self, codec: Codec, kind: Any, title: str) -> None:
        self.codec: Codec = codec
        self.kind = kind
        self.title = title
        self.is_plain = codec == "msgpack" or kind is bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._decode_json: Callable[[bytes | str], Any] | None = None

    def encode(self, value: Any) -> bytes:
        """Return a value as bytes; any exception says that it does not fit."""
        if self.codec == "bytes":
            return value if type(value) is bytes else whole(self.kind, value)
        data = self._encode(value)
        self._decode(data)
        return data

    def from_json(self, data: bytes) -> bytes:
        """Return the bytes of a value that is given in JSON; any exception says it does not fit.

        Only of values that are MessagePack.
        """
        if self._decode_json is None:
            self._decode_json = msgspec.json.Decoder(self.kind).decode
        return self.encode(self._decode_json(data))

    def decode(self, data: bytes) -> Any:
        """Return the value of some bytes; any exception says that they do not fit."""
        return data if self.codec == "bytes" else self._decode(data)

    def take(self, source: bytes | Path, folder: Path) -> Any:
        """Return the value of bytes or a file, as the function of a task is to have it.

        Args:
            source: the bytes, or the file.
            folder: for a file, where one is to be had and bytes were given; made if need be.

        Raises:
            OSError: a file cannot be read or written.
            Exception: the bytes do not fit.
        """
        if self.kind is Path:
            return as_file(source, folder)
        if self.kind is memoryview:
            return as_view(source)
        return self.decode(source if isinstance(source, bytes) else source.read_bytes())

    def complaint(self, error: Exception) -> str:
        """Return one line that says what was expected and what is wrong."""
        return f"{self.title} must be {type_text(self.kind)}: {error or type(error).__name__}"


def declared(kind: Any, title: str, where: str, *, pieces: bool = False) -> Typed:
    """Return how values of a declared type become bytes.

    Args:
        kind: the type, as in an annotation.
        title: how to name the value in errors, such as "payload of wordcount".
        where: how to name the function that declares it.
        pieces: whether it may be an iterator of bytes.

    Raises:
        PluginError: msgspec cannot encode the type.
    """
    if is_bytes(kind, pieces=pieces):
        return Typed("bytes", kind, title)
    advice = "use builtin types, dataclasses or msgspec.Struct, or bytes and your own encoding"
    try:
        custom = _custom_type(msgspec.inspect.type_info(kind))
        typed = Typed("msgpack", kind, title)
    except Exception as error:
        raise PluginError(f"{where}: {title}: {type_text(kind)}: {error}; {advice}") from None
    if custom is not None:
        raise PluginError(f"{where}: {title}: msgspec cannot encode {type_text(custom)}; {advice}")
    return typed


def _custom_type(info: msgspec.inspect.Type) -> Any:
    """Return the first class within a type that msgspec does not know, or None."""
    seen: set[int] = set()
    todo: list[Any] = [info]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, msgspec.inspect.CustomType):
            return one.cls
        if isinstance(one, msgspec.inspect.Type | msgspec.inspect.Field):
            todo.extend(getattr(one, name) for name in one.__struct_fields__)
        elif isinstance(one, tuple):
            todo.extend(one)
    return None


def type_text(kind: Any) -> str:
    """Return a type as its author would write it."""
    if kind is None or kind is type(None):
        return "None"
    return (
        kind.__name__
        if isinstance(kind, type) and not get_args(kind)
        else str(kind).replace("typing.", "")
    )
