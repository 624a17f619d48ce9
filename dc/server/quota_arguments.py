"""The options of the server's command line about how much there may be."""

from __future__ import annotations

import argparse
from typing import Final

from dc import limits_store as limits
from dc.errors import OptionsError
from dc.requirements import MEMORY, bytes_text, read_amount
from dc.server.quotas import Quotas

WHOSE: Final = {
    "task": "one payload, one result or the output of one task may have",
    "job": "all payloads, results and output of one job may have together",
    "submitter": "those of all jobs of one submitter may have together",
    "all": "those of all jobs may have together",
}
"""What each quota is about."""


def add_quota_options(parser: argparse.ArgumentParser) -> None:
    """Add `--quota-task` and the like, and `--reserve`."""
    for name, what in WHOSE.items():
        parser.add_argument(
            f"--quota-{name}",
            metavar="SIZE",
            type=size,
            default=0,
            help=f"bytes that {what}, as 4GiB (default 0: as many as there is room for)",
        )
    parser.add_argument(
        "--reserve",
        metavar="SIZE",
        type=size,
        help="bytes of the disk that blobs leave free "
        f"(default {bytes_text(limits.RESERVE_BYTES)}, or a twentieth of it if that is less)",
    )


def quotas_of(values: argparse.Namespace) -> Quotas:
    """Return the quotas that were asked for."""
    return Quotas(values.quota_task, values.quota_job, values.quota_submitter, values.quota_all)


def size(text: str) -> int:
    """Return the bytes that a text such as `4GiB` means.

    Raises:
        argparse.ArgumentTypeError: it is no size.
    """
    try:
        return int(read_amount(MEMORY, text))
    except OptionsError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: write bytes, or 4GiB, 512MiB, 4GB"
        ) from None
