"""Standard output and error of the command: names cannot steer the terminal, and a full disk does not stop the work."""

import contextlib
import errno
import os
import re
import sys
import textwrap

# all that a terminal obeys instead of showing, save line feed and tab; also what turns the direction of reading
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TABLE = re.compile(r"\S {2,}\S")
_NARROWEST = 20  # columns, below which nothing is wrapped by words
OUTPUT_CLOSED = 141  # what a shell reports of a program whose reader went away, as of `yes | head`


class Stream:
    """A standard stream to print on. After a write that failed nothing more is tried; ``error`` keeps the first failure.

    On a terminal, lines of prose are wrapped between words; lines of tables stay as they are.
    """

    def __init__(self, stream):
        self._stream, self.error = stream, None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what is done does not fail for a letter that cannot be shown

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write text, control characters as visible escapes."""
        columns = width_of(self._stream)
        self.write_raw(printable(text) if columns is None else wrap(printable(text), columns))
        return len(text)

    def write_raw(self, text):
        """Write text as it is."""
        self._attempt(self._stream.write, text)

    def flush(self):
        """Hand over what is buffered."""
        self._attempt(self._stream.flush)

    def _attempt(self, act, *arguments):
        if self.error is None:
            try:
                act(*arguments)
            except (OSError, ValueError) as error:  # ValueError: somebody closed it
                self.error = error
                self._let_go()

    def _let_go(self):
        """Let what is still buffered go nowhere: Python would try again when the process ends, and fail."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def open_standard_streams():
    """Put a `Stream` in the place of standard output and error; one that was closed goes nowhere."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: a file opened later would take its number, and get what is printed
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name in ("stdout", "stderr"):
        setattr(sys, name, Stream(getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")))  # noqa: SIM115


def close_standard_streams(code):
    """Flush both streams; gives the exit code, which tells where output that was asked for did not arrive."""
    sys.stdout.flush()
    error = sys.stdout.error
    if error is not None and code == 0:
        gone = getattr(error, "errno", None) == errno.EPIPE
        if not gone:
            print(f"tiocross: failed: standard output: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        code = OUTPUT_CLOSED if gone else 1
    sys.stderr.flush()
    return code


def printable(text):
    """Text with control characters as visible escapes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def width_of(stream):
    """Columns of the terminal behind a stream; None if it is none."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (AttributeError, OSError, ValueError):
        return None
    return columns or None


def wrap(text, columns):
    """Text with its lines of prose wrapped between words; lines of tables and code stay whole."""
    if columns < _NARROWEST or max(map(len, text.split("\n"))) <= columns:
        return text
    return "\n".join(_wrap_line(line, columns) for line in text.split("\n"))


def _wrap_line(line, columns):
    if len(line) <= columns or _TABLE.search(line):
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return textwrap.fill(line.strip(" "), columns, initial_indent=indent, subsequent_indent=indent + "  ",
                         break_long_words=False, break_on_hyphens=False)
