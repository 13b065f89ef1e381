"""The command ``tiocross``. Exit codes: 0 done, 1 the computation failed, 2 bad input, 130 interrupted."""

import argparse
import os
import sys

from tiocross import __version__
from tiocross.errors import nearest_name

_EPILOG = """\
exit codes: 0 done, 1 the computation failed, 2 bad input (nothing was written), 130 interrupted (finished results are
kept)"""


class _Parser(argparse.ArgumentParser):
    """Names the nearest option when one is unknown."""

    def error(self, message):
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            unknown = message[len(prefix) :].split()[0]
            hint = nearest_name(unknown.split("=")[0], self.all_options())
            message = f"unknown argument {unknown!r}; {hint}"
        elif "invalid choice: " in message:
            unknown = message.split("invalid choice: ")[1].split("'")[1]
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
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process without it (unitless).

    Returns
    -------
    int
        Exit code (unitless).
    """
    arguments = _make_parser().parse_args(argv)
    try:
        try:
            job = arguments.prepare(arguments)
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
    code = main()
    if code == 130:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _describe(error):
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); ask for fewer transfers"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _make_parser():
    parser = _Parser(prog="tiocross", description="Small neural networks on passive memristor crossbars.", epilog=_EPILOG,
                     allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"tiocross {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    _add_experiment(commands)
    return parser


def _add_experiment(commands):
    text = ("Train a regular and hardware-aware networks on half moons, transfer each to thousands of simulated passive "
            "TiO2 crossbars, solve their circuits, and report how robust each network is.")
    parser = commands.add_parser("experiment", help="the paper's experiment, end to end", description=text, epilog=_EPILOG,
                                 allow_abbrev=False)
    add = parser.add_argument
    add("--out", default="results/experiment", metavar="DIR", help="results folder (default: %(default)s)")
    add("--data", metavar="DIR", help="folder with moons_train.csv, moons_validation.csv and moons_test.csv "
                                      "(default: the shipped set)")
    add("--device", metavar="FILE", help="device as JSON (default: the published TiO2 card)")
    add("--quick", action="store_true", help="1 seed and 2 000 chips instead of 3 and 20 000, for a first look")
    add("--more", action="store_true", help="two more rows: weight decay alone, and regular training with centred inputs")
    add("--seeds", type=int, metavar="N", help="number of training seeds (default: 3; with --quick 1)")
    add("--transfers", type=int, metavar="N", help="simulated chips for each network (default: 20000; with --quick 2000)")
    add("--wire-resistance", type=float, nargs="+", default=[0.0, 2.0], metavar="OHM",
        help="resistances of one wire segment in ohm (default: 0 2)")
    add("--workers", type=int, metavar="N", help="processes and threads (default: one for each CPU)")
    parser.set_defaults(prepare=_prepare_experiment)


def _prepare_experiment(arguments):
    """The run, ready to be called, with everything that could be wrong with its arguments checked."""
    from tiocross.commands.experiment import Experiment  # numba and matplotlib: not for --help
    from tiocross.experiment.half_moons import MORE_RECIPES, RECIPES

    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Experiment(
        recipes=(*RECIPES, *MORE_RECIPES) if arguments.more else RECIPES,
        out=arguments.out,
        data=arguments.data,
        device=arguments.device,
        n_seeds=arguments.seeds if arguments.seeds is not None else (1 if arguments.quick else 3),
        n_transfers=arguments.transfers if arguments.transfers is not None else (2_000 if arguments.quick else 20_000),
        wire_resistances=arguments.wire_resistance,
        workers=workers if arguments.workers is None else arguments.workers,
    ).run
