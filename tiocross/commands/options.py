"""What arguments are made of: types that refuse what cannot be meant, and the look of help."""

import argparse
import re
import textwrap

EPILOG = """\
exit codes: 0 done, 1 the computation failed, 2 bad input (nothing was written), 130 interrupted (finished results are
kept)"""
MOST_SEEDS, MOST_WORKERS = 10_000, 1_024
_MOST_COUNTED = 10**15  # of what is refused later with more to say; also what a float holds exactly
_MOST_DEVICES = 1024 * 1024  # of one array
_LONGEST_SHOWN = 60  # characters of what was typed


class HelpText(argparse.HelpFormatter):
    """Wraps prose to the terminal and leaves indented lines, the examples, as they are."""

    def _fill_text(self, text, width, indent):
        prose = (part if part.startswith(" ") or ":\n " in part else textwrap.fill(" ".join(part.split()), width)
                 for part in text.split("\n\n"))
        return "\n\n".join(prose)


def shortened(text):
    """What was typed, in quotes, at a length that can be read."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")


def add_command(commands, name, summary, text, *examples):
    """Add a command with examples of its use; what is given back adds its arguments."""
    title = "examples:" if len(examples) > 1 else "example:"
    shown = "\n".join((title, *(_on_lines(f"tiocross {name} {line}") for line in examples)))
    return commands.add_parser(name, help=summary, description=text, epilog=f"{shown}\n\n{EPILOG}", formatter_class=HelpText,
                               allow_abbrev=False).add_argument


def _on_lines(example):
    """An example on lines of at most 79 characters, as a shell takes them."""
    lines = ["  "]
    for word in re.findall(r"'[^']*'|\S+", example):
        if len(lines[-1]) + len(word) > 76:
            lines[-1] += "\\"
            lines.append("    ")
        lines[-1] += f"{word} "
    return "\n".join(lines).rstrip()


def whole(high=_MOST_COUNTED):
    """Type of a whole number up to ``high``; what is below its range is told later, by name."""
    def read(text):
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            raise argparse.ArgumentTypeError(f"must be a whole number; got {shortened(text)}")
        if len(text.lstrip("+-0")) > len(str(_MOST_COUNTED)) or int(text) > high:
            raise argparse.ArgumentTypeError(f"must be at most {high}; got {shortened(text)}")
        return int(text)

    return read


def as_float(text):
    """Number of a text in ASCII digits, without underscores; ValueError for another."""
    if not text.isascii() or "_" in text:
        raise ValueError(f"not a number: {shortened(text)}")
    return float(text)


def real(text):
    """Type of a number."""
    try:
        return as_float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number; got {shortened(text)}") from None


def array_shape(text):
    """Type of the shape of an array, which is left as text: one that is too large is refused at once."""
    sizes = re.fullmatch(r"([0-9]+)x([0-9]+)", text)
    if sizes and (len(text) > _LONGEST_SHOWN or int(sizes[1]) * int(sizes[2]) > _MOST_DEVICES):
        raise argparse.ArgumentTypeError(f"an array has at most {_MOST_DEVICES} devices; got {shortened(text)}")
    return text
