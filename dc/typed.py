"""How the values of one declared type become bytes and come back."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import msgspec

from dc.errors import PluginError

Codec: TypeAlias = Literal["bytes", "msgpack"]


class Typed:
    """One side of a task type, its payload or its result: how values become bytes and come back.

    Args:
        codec: `bytes` or `msgpack`.
        kind: the declared type.
        title: how to name it in errors, such as "payload of wordcount".
    """

    def __init__(self, codec: Codec, kind: Any, title: str) -> None:
        self.codec: Codec = codec
        self.kind = kind
        self.title = title
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def encode(self, value: Any) -> bytes:
        """Return a value as bytes; any exception says that it does not fit."""
        if self.codec == "bytes":
            if type(value) is bytes:
                return value
            if isinstance(value, bytes | bytearray | memoryview):
                return bytes(value)
            raise TypeError(f"expected bytes, got {type(value).__name__}")
        data = self._encode(value)
        self._decode(data)
        return data

    def decode(self, data: bytes) -> Any:
        """Return the value of some bytes; any exception says that they do not fit."""
        return data if self.codec == "bytes" else self._decode(data)

    def complaint(self, error: Exception) -> str:
        """Return one line that says what was expected and what is wrong."""
        return f"{self.title} must be {type_text(self.kind)}: {error or type(error).__name__}"


def declared(kind: Any, title: str, where: str) -> Typed:
    """Return how values of a declared type become bytes.

    Args:
        kind: the type, as in an annotation.
        title: how to name the value in errors, such as "payload of wordcount".
        where: how to name the function that declares it.

    Raises:
        PluginError: msgspec cannot encode the type.
    """
    if kind is bytes:
        return Typed("bytes", bytes, title)
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
