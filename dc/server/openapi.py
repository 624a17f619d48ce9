"""The description of the API, made of its routes and of their types: OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct

from dc import errors, limits
from dc.roles import ROLES
from dc.server import problems
from dc.server.api_body import JSON
from dc.server.api_query import BOOLEANS
from dc.server.problems import OF_REQUESTS, PROBLEM_JSON
from dc.server.routes import NUMBERS, Route
from dc.view_server import Problem

Json = dict[str, Any]

TAGS: Final = (
    ("server", "The server as a whole"),
    ("jobs", "Jobs: what one submission makes"),
    ("tasks", "Tasks of jobs, numbered from 0"),
    ("workers", "Workers, those that are here, away, and gone"),
    ("plugins", "Task types, and the plugins they are in"),
    ("submitters", "Who submits jobs"),
    ("access", "Who is let in: tokens, invites, workers that join, and what everybody did"),
    ("bytes", "Payloads, results, outputs, blobs and archives, as they are"),
)

ABOUT: Final = """\
All that the pages and the command line show and do. Times are Unix times in seconds, sizes are \
bytes, spans are seconds. A list has `next`, the cursor with which to ask for the rows that \
follow. What cannot be done is said by a problem (RFC 9457), whose `code` is for programs. \
Unknown fields are refused, in queries and in bodies. A path answers 405 to methods that it does \
not have, and names those it has. A server that other computers reach wants a token \
(`Authorization: Bearer …`) or a browser's session (a cookie), with a role that may do what is \
asked: see docs/access.md."""

KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": limits.TEXT_CHARS},
    "description": "names what is asked for: asked again, the answer is the same",
}

_REF: Final = "#/components/schemas/{name}"


def description(routes: Iterable[Route], version: str) -> Json:
    """Return the description of an API.

    Args:
        routes: what there is.
        version: of the server.
    """
    routes = list(routes)
    kinds = [kind for route in routes for kind in _types(route)]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_REF)
    refs = dict(zip(map(_key, [*kinds, Problem]), schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dc", "version": version or "0", "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS],
        "paths": paths,
        "components": {"schemas": _shown(routes, refs, components)},
    }


def _shown(routes: list[Route], refs: Mapping[str, Json], components: Json) -> Json:
    """Return the schemas that are referred to: queries are told field by field."""
    queries = {_name(refs, route.query) for route in routes if route.query is not None}
    return {name: schema for name, schema in components.items() if name not in queries}


def _name(refs: Mapping[str, Json], kind: Any) -> str:
    return str(refs[_key(kind)]["$ref"]).rpartition("/")[2]


def _types(route: Route) -> list[Any]:
    found = [route.query, route.body, route.json, route.gives]
    return [kind for kind in found if kind is not None and not isinstance(kind, str)]


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(route: Route, refs: Mapping[str, Json], components: Mapping[str, Json]) -> Json:
    said: Json = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [
            *map(_path_field, route.fields),
            *_query_fields(route.query, refs, components),
            *([KEY] if route.is_change and route.who and not route.bare else []),
        ],
        "responses": _answers(route, refs),
    }
    if route.body is not None:
        kind = JSON if not isinstance(route.body, str) else route.body
        schema = {} if isinstance(route.body, str) else refs[_key(route.body)]
        kinds = {kind: {"schema": schema}}
        if route.json is not None:
            kinds[JSON] = {"schema": refs[_key(route.json)]}
        said["requestBody"] = {"content": kinds, "required": route.json is not None}
    return said


def operation_id(route: Route) -> str:
    """Return the name of a route: its method and what is fixed of its path."""
    words = [part.strip("{}") for part in route.path.strip("/").split("/")]
    words = words[1:] if words[0] == "api" else [*words, "bytes"]
    return re.sub(r"\W+", "_", "_".join([route.method.lower(), *words]))


def _path_field(name: str) -> Json:
    schema: Json = {"type": "string", "minLength": 1}
    if name in NUMBERS:
        most = limits.MAX_JOB if name == "job" else limits.MAX_NUMBER
        schema = {"type": "integer", "minimum": 0, "maximum": most}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_fields(
    kind: type[Struct] | None, refs: Mapping[str, Json], components: Mapping[str, Json]
) -> list[Json]:
    if kind is None:
        return []
    texts, schema = attributes(kind), components[_name(refs, kind)]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _as_text(field),
            **({"description": texts[name]} if name in texts else {}),
        }
        for name, field in schema["properties"].items()
    ]


def _as_text(schema: Json) -> Json:
    """Return the schema of a field as a query has it: without null, which it has no word for."""
    if schema.get("type") == "boolean":
        return {"enum": list(BOOLEANS), "default": "true" if schema.get("default") else "false"}
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if kinds:
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    said = {name: value for name, value in schema.items() if (name, value) != ("default", None)}
    if "enum" in said:
        said["enum"] = [value for value in said["enum"] if value is not None]
    return said


def attributes(kind: type[Struct]) -> dict[str, str]:
    """Return what the words of a Struct say of its fields, below `Attributes:`."""
    _, _, text = (kind.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^ {8}([\w, ]+): (.*(?:\n {12}.*)*)", text, re.MULTILINE)
    return {
        name.strip(): " ".join(words.split()) for names, words in found for name in names.split(",")
    }


# --- answers --------------------------------------------------------------------------------------


def statuses_of(route: Route) -> dict[int, list[tuple[str, str]]]:
    """Return which problems a route may answer with: by status, codes and titles."""
    codes = ["request", "too_long", "wrong_host", "cross_site", "unavailable", *route.codes]
    if not route.bare:
        codes.append("query")
    if route.body is not None:
        codes += ["media_type", "timeout", *(() if route.bare else ("body", "too_large"))]
    fields = () if route.query is None else msgspec.structs.fields(route.query)
    if any(field.name == "cursor" for field in fields):
        codes.append("cursor")
    known: list[type[errors.DcError]] = [*route.problems, errors.TooManyTries]
    if route.who:
        known.append(errors.NotSignedIn)
        if set(route.who) | {"admin"} != set(ROLES):  # each token has a role
            known.append(errors.NotPermitted)
    if route.is_keyed:
        codes += ["in_progress", "key_reused"]
    pairs = [(OF_REQUESTS[code][0], code, OF_REQUESTS[code][1]) for code in codes]
    pairs += [(problems.status_of(kind), kind.code, problems.title_of(kind)) for kind in known]
    found: dict[int, list[tuple[str, str]]] = {}
    for status, code, title in sorted(set(pairs)):
        found.setdefault(status, []).append((code, title))
    return found


def _answers(route: Route, refs: Mapping[str, Json]) -> Json:
    answers: Json = {str(route.status): _answer(route, refs)}
    for status in route.also:
        kinds = _answer(route, refs) if status < 300 else {}
        answers[str(status)] = {**kinds, "description": HTTPStatus(status).phrase}
    for status, said in statuses_of(route).items():
        answers[str(status)] = {
            "description": "; ".join(title for _, title in said),
            "content": {
                PROBLEM_JSON: {
                    "schema": {
                        "allOf": [refs[_key(Problem)]],
                        "properties": {"code": {"enum": [code for code, _ in said]}},
                    }
                }
            },
        }
    return answers


def _answer(route: Route, refs: Mapping[str, Json]) -> Json:
    gives, text = route.gives, "What was asked for"
    if isinstance(gives, str):
        schema = {"type": "object" if gives == JSON else "string"}
        return {"description": text, "content": {gives: {"schema": schema}}}
    return {"description": text, "content": {JSON: {"schema": refs[_key(gives)]}}}
