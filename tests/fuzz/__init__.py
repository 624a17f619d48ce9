"""Parsers given bytes that nobody thought of. See `python -m tests.fuzz --help`."""
