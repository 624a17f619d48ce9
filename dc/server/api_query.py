"""Reads the query of a request: fields that come as text, each at most once, into a Struct."""

from __future__ import annotations

import re
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct, inspect

from dc.http import Request
from dc.server.problems import BadRequest

Query = TypeVar("Query", bound=Struct)

BOOLEANS: Final = ("true", "false", "1", "0")
"""How a query says yes and no."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")


class QueryReader(Generic[Query]):
    """Reads queries of one kind.

    Args:
        kind: a Struct with `forbid_unknown_fields`, whose fields are text, integers, booleans, or
            some of a few words.
    """

    def __init__(self, kind: type[Query]) -> None:
        self._kind = kind
        self._integers: set[str] = set()
        self._booleans: set[str] = set()
        self._texts: set[str] = set()
        for field in msgspec.structs.fields(kind):
            kinds = _kinds(inspect.type_info(field.type))
            for type_, names in (
                (inspect.IntType, self._integers),
                (inspect.BoolType, self._booleans),
                (inspect.StrType, self._texts),
            ):
                if type_ in kinds:
                    names.add(field.encode_name)

    def read(self, request: Request) -> Query:
        """Return the query of a request.

        Raises:
            BadRequest: a field is not known, is repeated, or has no value that it can have.
        """
        fields: dict[str, str] = {}
        for name, value in request.pairs:
            if name in fields:
                raise BadRequest("query", f"the query has {name[:80]!r} more than once")
            self._check(name, value)
            fields[name] = value
        try:
            return msgspec.convert(fields, self._kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadRequest("query", f"the query: {error}") from None

    def _check(self, name: str, value: str) -> None:
        """Refuse what msgspec takes for a number or for nothing, and nobody else does."""
        text = f"{name}={value[:40]!r} is"
        if name in self._integers and not _INTEGER.fullmatch(value):
            raise BadRequest("query", f"{text} not a number")
        if name in self._booleans and value not in BOOLEANS:
            raise BadRequest("query", f"{text} not true or false")
        if name not in self._texts and value.lower() == "null":
            raise BadRequest("query", f"{text} no value: leave the field out")


def refuse_query(request: Request) -> None:
    """See to it that a request has no query.

    Raises:
        BadRequest: it has one.
    """
    if request.pairs:
        raise BadRequest("query", f"this path takes no query: {request.pairs[0][0][:80]!r}")


def _kinds(type_: inspect.Type) -> set[type[inspect.Type]]:
    if isinstance(type_, inspect.UnionType):
        return {kind for one in type_.types for kind in _kinds(one)}
    if isinstance(type_, inspect.Metadata):
        return _kinds(type_.type)
    return {type(type_)}
