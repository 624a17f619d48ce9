"""Compile what is to be fast. Everything else about the package is in pyproject.toml.

DC_TRACE=1 builds with line tracing, for coverage and profiling of what is compiled; it is about
ten times slower and never for use.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

trace = os.environ.get("DC_TRACE") == "1"

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"dc.{name}",
                [f"dc/{name}.pyx"],
                define_macros=[("CYTHON_TRACE_NOGIL", "1")] if trace else [],
                extra_compile_args=[] if os.name == "nt" else ["-O2", "-fno-strict-aliasing"],
            )
            for name in ("_columns", "_core", "_frames")
        ],
        compiler_directives={
            "language_level": 3,
            "auto_pickle": False,
            "embedsignature": True,
            "linetrace": trace,
        },
        annotate=trace,
    )
)
