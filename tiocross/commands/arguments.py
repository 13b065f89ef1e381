"""What each command of ``tiocross`` takes. Nothing is imported here that ``--help`` would have to wait for."""

from tiocross.commands.netlist_arguments import add_netlist
from tiocross.commands.network_arguments import (
    add_effects, add_energy, add_import, add_on_card, add_points, add_tasks, add_train, add_transfer,
)
from tiocross.commands.options import (
    EPILOG, MOST_SEEDS, MOST_WORKERS, HelpText, add_command, array_shape, as_float, real, shortened, whole,
)

__all__ = ["EPILOG", "INTRODUCTION", "HelpText", "add_commands", "as_float", "shortened"]
INTRODUCTION = """\
tiocross takes neural networks to passive memristor crossbars.
Three commands to try:

  tiocross experiment --quick    networks on simulated chips
  tiocross example --out first   a project to start your own
  tiocross describe TIO2         the published device

tiocross --help lists all commands."""


def add_commands(commands):
    """Add a parser for each command; the module of the same name has its ``prepare``."""
    for add_arguments in (_add_experiment, _add_compare, add_train, add_import, add_transfer, add_effects, add_energy,
                          add_tasks, _add_plan, _add_program, _add_judge, _add_calibrate, _add_report, _add_describe,
                          _add_solve, add_netlist, _add_example, _add_warmup):
        add_arguments(commands)


def _add_going_on(add):
    add("--resume", action="store_true", help="go on with an interrupted or killed run in the same folder, with the same "
                                              "options: what is finished there is not done again")
    add("--until", type=real, metavar="SHARE",
        help="judge no more chips of a network once its share of points right on 95 %% of the chips is known to +- SHARE, "
             "such as 0.002 (default: all chips)")


def _add_experiment(commands):
    add = add_command(commands, "experiment", "the paper's experiment, end to end",
               "Train a regular network, hardware-aware ones and one by the recommended recipe on half moons or your "
               "points, transfer each to thousands of simulated passive TiO2 crossbars, solve their circuits, and report "
               "how robust each network is.",
               "--quick", "--data my.csv --label species", "--seeds 5 --wire-resistance 0 2 10 --out results/five_seeds")
    add("--out", metavar="DIR", help="results folder (default: results/experiment; with --quick results/experiment_quick)")
    add("--overwrite", action="store_true",
        help="replace earlier results in the folder; without it a folder that holds some is refused")
    _add_going_on(add)
    add_points(add, "the shipped half moons")
    add("--device", metavar="FILE", help="device as JSON (default: the published TiO2 card)")
    add("--quick", action="store_true", help="the rows of the figures, 1 seed and 2 000 chips: a first look")
    add("--hidden", nargs="+", type=whole(), metavar="N", help="units of each hidden layer, in every row (default: 8)")
    add("--more", action="store_true", help="two more rows: weight decay alone, and regular training with centred inputs")
    add("--seeds", type=whole(MOST_SEEDS), metavar="N", help="number of training seeds (default: 3; with --quick 1)")
    add("--transfers", type=whole(), metavar="N",
        help="simulated chips for each network (default: 20000; with --quick 2000)")
    add("--wire-resistance", type=real, nargs="+", default=[0.0, 2.0], metavar="OHM",
        help="resistances of one wire segment in ohm (default: 0 2)")
    add("--workers", type=whole(MOST_WORKERS), metavar="N", help="processes and threads (default: one for each CPU)")


def _add_compare(commands):
    add = add_command(commands, "compare", "the recommended training compared with other methods",
               "Train networks on half moons, another task or your points: by the recommended recipe, by this recipe "
               "without each of its parts, by the recipe of the paper, and by methods of the literature, all with the "
               "same budget; learning rates and strengths are chosen from grids of one size on validation points. "
               "Transfer each network to thousands of simulated chips and print one table. Three of the rows are also "
               "judged on chips with more stuck devices, stronger write disturb or longer wires, and trained anew for "
               "other numbers of devices.",
               "--quick", "--only regular ROBUST --seeds 3 --out results/two_rows")
    add("--out", metavar="DIR", help="results folder (default: results/compare; with --quick results/compare_quick)")
    add("--overwrite", action="store_true",
        help="replace earlier results in the folder; without it a folder that holds some is refused")
    _add_going_on(add)
    add("--only", nargs="+", metavar="NAME",
        help="rows of these names, as in the table or as --list shows them (default: all)")
    add("--list", action="store_true", help="show the names of the rows, and nothing else")
    add_points(add, "half moons that had no part in tuning")
    add("--device", metavar="FILE", help="device as JSON (default: the published TiO2 card on 8 x 8 arrays)")
    add("--quick", action="store_true",
        help="2 seeds, 2 000 chips and five rows with values chosen before, for a first look")
    add("--seeds", type=whole(MOST_SEEDS), metavar="N", help="number of training seeds (default: 10; with --quick 2)")
    add("--transfers", type=whole(), metavar="N",
        help="simulated chips for each network (default: 5000; with --quick 2000)")
    add("--wire-resistance", type=real, nargs="+", default=[0.0, 2.0, 10.0], metavar="OHM",
        help="resistances of one wire segment in ohm (default: 0 2 10)")
    add("--workers", type=whole(MOST_WORKERS), metavar="N", help="processes and threads (default: one for each CPU)")


def _add_plan(commands):
    add = add_command(commands, "plan", "the programming targets of a network",
               "Map a trained network on physical arrays. The plan states conductance targets, order, tolerance and pulse "
               "scheme of each array, as JSON and CSV, and holds a copy of the network.",
               "network.npz --out PLAN", "network.npz --out PLAN --stuck chip_a.csv chip_b.csv --order 'sensitive last'")
    add("network", metavar="NETWORK", help="the network, an npz file that MLP.save wrote")
    add("--out", required=True, metavar="DIR", help="new folder of the plan")
    add("--device", metavar="FILE", help="device as JSON (default: the published TiO2 card)")
    add("--array-shape", type=array_shape, default="8x8", metavar="ROWSxCOLUMNS",
        help="word lines and bit lines of every array, unitless (default: %(default)s)")
    add("--share-arrays", action="store_true",
        help="put blocks of all layers on shared arrays, the output bias in software: 2-8-1 fills one array of 8x8")
    add("--scheme-from", metavar="LABCSV", help="pulse scheme (volt, seconds) from the header of a resistance map of the "
                                                "lab (default: that of a measured array)")
    add("--stuck", nargs="+", metavar="MAP",
        help="maps, one for each array at hand: measured ones (resistance maps of the lab (ohm), or CSV that states its "
             "unit), in which devices more than 10 %% outside the window count as stuck; or CSV with numbers where devices "
             "are stuck and nan elsewhere. The weights are placed around them")
    add("--order", default="raster", metavar="ORDER",
        help="'raster', or 'sensitive last': devices that change the outputs most come last (default: %(default)s)")
    add("--data", metavar="PATH", help="CSV file or folder with half moons, whose training points show which devices are "
                                       "sensitive (default: what the network was trained with)")


def _add_program(commands):
    add = add_command(commands, "program", "program a plan on simulated chips",
               "Write the targets of a plan by write-verify, each array on a simulated chip. Read the chips back, and "
               "predict the accuracy of the network on them. Real instruments are driven from Python, with program_array.",
               "PLAN --simulate --out RUN", "PLAN --simulate --out RUN --resume")
    add("plan", metavar="PLAN", help="folder that tiocross plan wrote")
    add("--simulate", action="store_true", help="use simulated chips; required, as the command drives no others")
    add("--out", metavar="DIR", help="folder for logs, read-backs (siemens) and reports (default: PLAN_programmed)")
    add("--seed", type=whole(), default=0, metavar="N",
        help="seed of the simulated chips, unitless (default: %(default)s)")
    add("--max-passes", type=whole(), default=3, metavar="N",
        help="most passes over an array, unitless (default: %(default)s)")
    add("--wire-resistance", type=real, default=2.0, metavar="OHM",
        help="of one wire segment of the chips in ohm (default: %(default)s)")
    add("--resume", action="store_true", help="go on with an interrupted run in the same folder, with the same options")
    add("--go-on", action="store_true", help="do not stop when very many devices in a row end stuck, or three move against "
                                             "their pulses")
    add("--overwrite", action="store_true", help="replace earlier results in the folder; without it a folder that holds "
                                                 "some is refused")
    add("--data", metavar="PATH", help="CSV file or folder with half moons to judge the network by (default: the test "
                                       "points of what it was trained with)")


def _add_judge(commands):
    add = add_command(commands, "judge", "how well a planned network works on its chip",
               "Say how accurate a network will be on the chip that it was planned for, with the stuck devices that the "
               "plan knows: simulated many times over, with what writing leaves behind, or, once the chip is programmed "
               "and read back, as it is.",
               "PLAN", "PLAN --readback PLAN_programmed --out figures.json")
    add("plan", metavar="PLAN", help="folder that tiocross plan wrote")
    add("--readback", metavar="DIR",
        help="folder with the read-backs of the plan's arrays, array_00_readback.csv and so on, as tiocross program writes "
             "them")
    add("--data", metavar="PATH", help="CSV file or folder with half moons to judge the network by (default: the test "
                                       "points of what it was trained with)")
    add("--wire-resistance", type=real, default=2.0, metavar="OHM",
        help="of one wire segment in ohm (default: %(default)s)")
    add("--unknown-faults", action="store_true",
        help="further devices may be stuck and lines fail, as often as the device's card says (default: the plan knows all)")
    add("--transfers", type=whole(), metavar="N", help="how often the chip is programmed (default: 2000)")
    add("--seed", type=whole(), default=0, metavar="N", help="seed of the writes, unitless (default: %(default)s)")
    add("--out", metavar="FILE", help="also write the figures and their 95 %% intervals as JSON")


def _add_calibrate(commands):
    add = add_command(commands, "calibrate", "a device from measured files",
               "Fit tuning error, write disturb and faults to measured data, with 95 % intervals and goodness of fit, and "
               "write the device as JSON. The kind of a file is recognised by its content.",
               "tuning.csv disturb.csv --g-min 100 --g-max 500 --out device.json --figures FIGURES")
    add("files", nargs="+", metavar="FILE",
        help="CSV with the columns 'target [S],programmed [S]', or 'n_later_writes [-],delta_conductance [S]'; maps of "
             "arrays (conductances or resistances, with the unit), also those of the lab; pulse logs, each of one chip")
    add("--g-min", type=real, metavar="US",
        help="low end of the tuning window in microsiemens (default: 100, as of the published TiO2 card)")
    add("--g-max", type=real, metavar="US",
        help="high end of the tuning window in microsiemens (default: 500)")
    add("--out", required=True, metavar="device.json", help="the device file to write")
    add("--effects", nargs="+", default=["tuning", "disturb", "faults"], metavar="EFFECT",
        help="what to fit: any of tuning, disturb and faults (default: all for which there are data)")
    add("--figures", metavar="DIR", help="also draw what was measured beside what was fitted, as PNG, in this folder, "
                                  "with all fits in calibration.json")
    add("--dead", action="store_true", help="count every device of the resistance maps as stuck; without it only those "
                                            "more than 10 %% outside the window")
    add("--name", metavar="NAME", help="what to call the device (default: the name of the file)")
    add("--source", metavar="TEXT", help="where the data come from (default: the names of the files)")


def _add_report(commands):
    add = add_command(commands, "report", "a page for people from a results folder",
               "Write report.html into a results folder: question, answer, tables, figures, what was assumed, how to do it "
               "again. The page needs no network and no script. experiment, compare, program and calibrate write it "
               "themselves; this command makes it anew.", "results/experiment")
    add("folder", metavar="DIR", help="finished results of experiment, compare, tasks, effects, program or calibrate")


def _add_describe(commands):
    add = add_command(commands, "describe", "what a device, network or file holds",
               "Say what a file holds, in units that people read: a device (JSON), a network (npz), a resistance map of the "
               "lab, a pulse log, conductances or voltages (CSV), the folder of a plan or of an experiment. The kind is "
               "recognised by the content.",
               "TIO2", "device.json", "network.npz --device TIO2 --wire-resistance 2")
    add("subject", metavar="DEVICE|NETWORK|FILE", help="a file or folder, or TIO2, the published card")
    add_on_card(add)


def _add_solve(commands):
    add = add_command(commands, "solve", "the currents of one crossbar",
               "Solve a crossbar with its wires: word lines driven at the left, bit lines at 0 V at the bottom. Prints the "
               "current of every bit line in uA beside that with ideal wires.",
               "conductances.csv voltages.csv --wire-resistance 2",
               "conductances.csv voltages.csv --iv sinh:0.37 --out currents.csv")
    add("conductances", metavar="CONDUCTANCES.csv",
        help="one line for each word line, one column for each bit line; a comment states the unit, such as "
             "'# conductances [uS]' or '# resistances [kohm]'")
    add("voltages", metavar="VOLTAGES.csv",
        help="one line for each input, one column for each word line; a comment states the unit: '# voltages [mV]'")
    add("--wire-resistance", type=real, metavar="OHM", help="of one wire segment in ohm (default: 0)")
    add("--word-line-resistance", type=real, metavar="OHM", help="of one segment of the word lines, if different, in ohm")
    add("--bit-line-resistance", type=real, metavar="OHM", help="of one segment of the bit lines, if different, in ohm")
    add("--source-resistance", type=real, default=0.0, metavar="OHM",
        help="between each source and its word line in ohm (default: 0)")
    add("--sense-resistance", type=real, default=0.0, metavar="OHM",
        help="between each bit line and ground in ohm (default: 0)")
    add("--iv", metavar="LAW:PARAMETER", help="current-voltage law of the devices: sinh:V0 with V0 in volt, such as "
                                              "sinh:0.37, cubic:C in 1/V^2, such as cubic:1.5, polynomial:A,B "
                                              "in 1/V and 1/V^2, such as polynomial:0.5,1, or absolutepolynomial:A,B "
                                              "in A/V^2 and A/V^3 (default: Ohm's law)")
    add("--rtol", type=real, default=1e-9, metavar="FRACTION",
        help="bound on the error relative to the largest gross current of a bit line, unitless (default: %(default)s)")
    add("--out", metavar="FILE", help="also write the currents with full precision, in ampere, as CSV")


def _add_example(commands):
    add = add_command(commands, "example", "a small project to start from",
               "Write a folder with a device, measured-like data and a script that calibrates, trains, plans, simulates and "
               "judges. The data are generated from the published statistics of TiO2 devices, and say so; put yours in "
               "their place.",
               "--out first")
    add("--out", required=True, metavar="DIR", help="new folder of the project")


def _add_warmup(commands):
    add_command(commands, "warmup", "compile everything beforehand",
         "Compile all that tiocross computes with, which otherwise happens where it is first needed, and say how long it "
         "took. The result is kept by numba beside the package or, with NUMBA_CACHE_DIR, in that folder.",
         "")
