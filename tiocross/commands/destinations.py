"""Where a command may write."""

import os
from pathlib import Path


def require_no_input(out, *inputs):
    """Raise ValueError if the file to be written is one that is read."""
    for path in inputs:
        if Path(out).exists() and Path(path).exists() and os.path.samefile(out, path):
            raise ValueError(f"--out {out} would take the place of {path}, which is read; choose another with --out")
