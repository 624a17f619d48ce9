"""Looks for many patterns in one large text, which each computer fetches once."""

import re

import dc

SHOWN = 5


@dc.task_type(version="1")
def occurrences(pattern: str, context: dc.Context) -> tuple[int, list[int]]:
    """Count where a regular expression matches in the input `text`; give the first places.

    Places are numbers of bytes from the beginning.
    """
    if "text" not in context.inputs:
        raise dc.PayloadError('the job has no input `text`: submit it with inputs={"text": …}')
    try:
        compiled = re.compile(pattern.encode())
    except re.error as error:
        raise dc.PayloadError(f"{pattern!r} is no regular expression: {error}") from None
    count, first = 0, []
    for found in compiled.finditer(context.inputs["text"].map()):
        count += 1
        if count <= SHOWN:
            first.append(found.start())
    return count, first
