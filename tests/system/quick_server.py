"""A server that removes within a second what others remove within minutes or a day."""

import sys

from dc import limits_store as limits

QUICK = {
    "RETENTION_SECONDS": 0.1,
    "BLOB_TOUCH_SECONDS": 0.1,
    "BLOB_YOUNG_SECONDS": 1.5,
    "BLOB_KEEP_SECONDS": 3.0,
    "BLOB_SWEEP_SECONDS": 0.3,
    "PARTIAL_SECONDS": 3.0,
    "PARTIAL_SWEEP_SECONDS": 0.5,
}

if __name__ == "__main__":
    for name, value in QUICK.items():
        assert hasattr(limits, name)
        setattr(limits, name, value)
    from dc.server.__main__ import main

    sys.exit(main())
