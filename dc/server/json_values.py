"""Payloads that come as JSON, and results that go out as JSON."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from dc.errors import PayloadError
from dc.messages_parts import Blob, Payload
from dc.tasktypes import TaskType

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_unpack: Final = msgspec.msgpack.Decoder().decode
_to_json: Final = msgspec.json.Encoder().encode


class BytesValue(Struct, forbid_unknown_fields=True):
    """Bytes that are no text, or a blob that was put before: `base64`, or `blob` and `size`.

    Attributes:
        base64: the bytes, in base64 with padding.
        blob: a SHA-256 in hexadecimal digits.
        size: of the blob, in bytes.
    """

    base64: str | None = None
    blob: str | None = None
    size: int | None = None


_bytes_value: Final = msgspec.json.Decoder(str | BytesValue).decode


def payload_of(type_: TaskType, data: bytes) -> Payload:
    """Return the payload that is given in JSON.

    What a type takes as MessagePack is read as its declared type. What it takes as bytes is a
    string, which stands for its UTF-8, or else a BytesValue.

    Args:
        type_: whose payload it is.
        data: one value of JSON.

    Raises:
        PayloadError: it does not fit.
    """
    if type_.payload_codec != "bytes":
        return type_.payload_from_json(data)
    try:
        value = _bytes_value(data)
        if isinstance(value, str):
            return value.encode()
        if value.base64 is not None and value.blob is None:
            return base64.b64decode(value.base64, validate=True)
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, RecursionError) as error:
        raise PayloadError(f"payload of {type_.name} must be bytes: {error}; {_HOW}") from None
    if value.blob is None or value.base64 is not None:
        raise PayloadError(f"payload of {type_.name} must be bytes: {_HOW}")
    return blob_of(value.blob, value.size, f"payload of {type_.name}")


_HOW: Final = 'a string is its UTF-8; else {"base64": …}, or {"blob": SHA256, "size": …}'


def blob_of(name: str, size: int | None, what: str) -> Blob:
    """Return the blob of a name and a size.

    Args:
        name: its SHA-256 in hexadecimal digits.
        size: in bytes.
        what: how to name it in errors.

    Raises:
        PayloadError: they name no blob.
    """
    if not re.fullmatch("[0-9a-f]{64}", name) or size is None or not 0 <= size < 2**62:
        raise PayloadError(f"{what}: a blob has its SHA-256 in 64 hexadecimal digits, and its size")
    return Blob(bytes.fromhex(name), size)


def result_fields(result: bytes | Blob, codec: str) -> dict[str, Any]:
    """Return a result as fields of a JSON object.

    `result` has the value that MessagePack is like. Bytes are `text` if they are UTF-8 without
    control characters but tabs and line breaks, else `base64`, as is what has no like in JSON. A
    large result is `blob` and `size`.

    Args:
        result: as it is stored.
        codec: of the job's results, `bytes` or `msgpack`.
    """
    if isinstance(result, Blob):
        return {"blob": result.name, "size": result.size}
    if codec != "bytes":
        try:
            return {"result": msgspec.Raw(_to_json(_unpack(result)))}
        except Exception:  # keys that are no text, dates out of range, and others' mistakes
            return {"base64": base64.b64encode(result).decode("ascii")}
    try:
        text = result.decode()
    except UnicodeDecodeError:
        text = "\0"
    if _CONTROL.search(text):
        return {"base64": base64.b64encode(result).decode("ascii")}
    return {"text": text}
