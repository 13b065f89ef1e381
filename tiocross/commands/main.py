"""The command ``tiocross``. Exit codes: 0 done, 1 the computation failed, 2 bad input, 130 interrupted."""

import argparse
import importlib
import os
import sys

from tiocross import __version__
from tiocross.commands.arguments import EPILOG, add_commands
from tiocross.checks import nearest_name


class _Parser(argparse.ArgumentParser):
    """Names the nearest option when one is unknown."""

    def error(self, message):
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            unknown = message[len(prefix) :].split()[0]
            hint = nearest_name(unknown.split("=")[0], set(self.all_options()))
            message = f"unknown argument {unknown!r}; {hint}"
        elif "invalid choice: " in message:
            unknown = message.split("invalid choice: ")[1].split(" (choose from")[0][1:-1]  # argparse puts it in quotes
            message = f"unknown command {unknown!r}; {nearest_name(unknown, self.all_commands())}"
        self.exit(2, f"{self.prog}: error: {message}\n")

    def all_options(self):
        """Option strings of this command and the commands below it."""
        names = []
        for action in self._actions:
            names += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    names += parser.all_options()
        return names

    def all_commands(self):
        """Names of the commands."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return [name for group in groups for name in group.choices]


def main(argv=None):
    """Run the command line with these arguments, those of the process without them; gives the exit code."""
    try:
        arguments = _make_parser().parse_args(argv)
        try:
            # numba and matplotlib come with it: not for --help
            job = importlib.import_module(f"tiocross.commands.{arguments.command}").prepare(arguments)
        except (ValueError, TypeError, OSError) as error:
            print(f"tiocross: error: {_describe(error)}", file=sys.stderr)
            return 2
        job()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError, ArithmeticError) as error:
        print(f"tiocross: failed: {_describe(error)}", file=sys.stderr)
        return 1
    return 0


def run_and_exit():
    """Run the command line and end the process with its exit code; after an interrupt without waiting for threads that
    are still compiling."""
    sys.stdout.reconfigure(errors="backslashreplace")  # what is done does not fail for a letter that cannot be shown
    code = main()
    if code == 130:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _describe(error):
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); ask for fewer transfers or smaller arrays"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _make_parser():
    parser = _Parser(prog="tiocross", description="Small neural networks on passive memristor crossbars.", epilog=EPILOG,
                     allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"tiocross {__version__}")
    add_commands(parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True,
                                       parser_class=_Parser))
    return parser
