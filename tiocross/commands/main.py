"""The command ``tiocross``. Exit codes: 0 done, 1 the computation failed, 2 bad input, 130 interrupted."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from tiocross import __version__
from tiocross.commands.arguments import EPILOG, INTRODUCTION, HelpText, add_commands, shortened
from tiocross.commands.streams import close_standard_streams, open_standard_streams, printable

_MODULES = {"import": "importing"}  # of commands whose name no module can have


def _nearest_name(name, names):
    """What to say after an unknown name; NumPy comes with it: not for --help."""
    return importlib.import_module("tiocross.checks").nearest_name(name, names)


class _Parser(argparse.ArgumentParser):
    """Names the nearest command when one is unknown."""

    def error(self, message):
        if "invalid choice: " in message:
            unknown = message.split("invalid choice: ")[1].split(" (choose from")[0][1:-1]  # argparse puts it in quotes
            message = f"unknown command {shortened(unknown)}; {_nearest_name(unknown, self.commands())}"
        elif message.endswith("required: COMMAND"):
            message = f"the command is missing; there are {', '.join(self.commands())}"
        self.exit(2, f"{self.prog}: error: {printable(message)}\n")

    def commands(self):
        """Parsers of the commands by their names."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return {name: parser for group in groups for name, parser in group.choices.items()}

    def refuse(self, command, unknown):
        """End with what is wrong with the first argument that a command does not know."""
        commands = self.commands()
        option = unknown[0].split("=")[0]
        if not option.startswith("-"):
            commands[command].error(f"one argument too many: {shortened(unknown[0])}; see tiocross {command} --help")
        options = [name for name in commands[command]._option_string_actions if name.startswith("--")]
        hint = _nearest_name(option, options)
        homes = [name for name, parser in commands.items() if option in parser._option_string_actions]
        if homes:
            hint = f"it belongs to tiocross {', '.join(homes[:-1])}{' and ' * (len(homes) > 1)}{homes[-1]}; {hint}"
        commands[command].error(f"unknown argument {shortened(option)}; {hint}")


def main(argv=None):
    """Run the command line with these arguments, those of the process without them; gives the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv:
        print(INTRODUCTION, file=sys.stderr)
        return 2  # a script whose variable was empty must not go on
    try:
        arguments = _parse(argv)
        try:
            # numba and matplotlib come with it: not for --help
            name = _MODULES.get(arguments.command, arguments.command)
            job = importlib.import_module(f"tiocross.commands.{name}").prepare(arguments)
        except (ValueError, TypeError, OSError, MemoryError, ArithmeticError) as error:
            _complain("error", error, argv)
            return 2
        job()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError, ArithmeticError) as error:
        _complain("failed", error, argv)
        return 1
    return 0


def run_and_exit():
    """Run the command line and end the process with its exit code; after an interrupt without waiting for threads that
    are still compiling."""
    open_standard_streams()
    try:
        code = main()
    except SystemExit as stop:  # of --help, or of bad arguments
        code = stop.code or 0
    except KeyboardInterrupt:  # a second one, while the first was told
        code = 130
    code = close_standard_streams(code)
    if code == 130:
        os._exit(code)
    sys.exit(code)


def _parse(argv):
    parser = _Parser(prog="tiocross", description="Small neural networks on passive memristor crossbars.", epilog=EPILOG,
                     formatter_class=HelpText, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"tiocross {__version__}")
    add_commands(parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True,
                                       parser_class=_Parser))
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.refuse(arguments.command, unknown)
    return arguments


def _complain(what, error, argv):
    text = _describe(error)
    for name in {form for argument in argv for form in (argument, str(Path(argument))) if "\n" in form}:
        text = text.replace(name, name.replace("\n", "\\n"))
    print(f"tiocross: {what}: {printable(text)}", file=sys.stderr)


def _describe(error):
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); ask for fewer transfers or smaller arrays"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
