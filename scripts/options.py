"""What the scripts ask of their options: whole numbers within bounds, and folders that can be written to."""

import argparse
import os
from pathlib import Path


def whole(low, high=10**9):
    """Type of an option that takes a whole number within [low, high]."""
    def read(text):
        if not text.isascii() or not text.removeprefix("-").isdecimal() or len(text) > 20:
            raise argparse.ArgumentTypeError(f"must be a whole number; got {text[:60]!r}")
        if not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"must be {f'at least {low}' if int(text) < low else f'at most {high}'}; "
                                             f"got {int(text)}")
        return int(text)

    return read


def make_folder(parser, path, *, empty=False):
    """Make the folder named by --out and give its path; the parser ends the script where that is not possible."""
    if not path:
        parser.error("--out needs the name of a folder; got an empty one")
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(f"--out {folder} cannot be made: {getattr(error, 'strerror', None) or error}")
    if not os.access(folder, os.W_OK):
        parser.error(f"--out {folder} is not writable")
    if empty and any(folder.iterdir()):
        parser.error(f"--out {folder} must be a new or empty folder that can be written to")
    return folder


def require_file_place(parser, option, path):
    """Where a file can be written, the path; the parser ends the script elsewhere."""
    if not str(path) or str(path) == "." or Path(path).is_dir() or not os.access(Path(path).parent, os.W_OK):
        parser.error(f"{option} {str(path)!r} is no file that can be written; its folder must exist")
    return path
