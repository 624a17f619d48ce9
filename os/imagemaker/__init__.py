"""Builds the boot image: a kernel and a file system that make a bare computer a worker.

`PYTHONPATH=os python3 -m imagemaker --help` shows the commands; os/Makefile is how people call
them. Only the standard library is used, and programs of the computer it is built on.
"""
