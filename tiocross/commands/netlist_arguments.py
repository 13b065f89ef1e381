"""What ``tiocross netlist`` takes."""

from tiocross.commands.network_arguments import add_arrays
from tiocross.commands.options import add_command, real, whole


def add_netlist(commands):
    """Arguments of the command."""
    add = add_command(commands, "netlist", "an array, or a network on its chip, for SPICE programs",
                      "Write a netlist: every wire segment and device of one array, or a whole network with its "
                      "differential pairs, amplifiers and activations, for many inputs in one file. ngspice -b -r found.raw "
                      "circuit.cir solves it; i(vbottom0) is the current of bit line 0, v(logit0) the first answer of a "
                      "network. Only ngspice was run; for LTspice its help was followed, the text for Xyce is unchecked.",
                      "PLAN --out circuit.cir", "PLAN --readback PLAN_programmed --inputs 100 --out circuit.cir",
                      "conductances.csv --voltages voltages.csv --wire-resistance 2 --dialect ltspice --out circuit.cir")
    add("subject", metavar="PLAN|NETWORK|CONDUCTANCES.csv",
        help="folder that tiocross plan wrote; a network, npz file, whose targets are met; or the conductances of one "
             "array, CSV that states its unit")
    add("--out", required=True, metavar="FILE", help="the netlist to write, such as circuit.cir")
    add("--overwrite", action="store_true", help="replace the file; without it a file that is there is kept")
    add("--dialect", default="ngspice", metavar="PROGRAM", help="ngspice, xyce or ltspice (default: %(default)s)")
    add("--inputs", type=whole(), metavar="N",
        help="how many inputs, the first ones (default: 20 points, or all lines of the voltages)")
    add("--readback", metavar="DIR", help="of a plan: folder with the read-backs of its arrays, in place of its targets")
    add("--data", metavar="PATH", help="of a network: CSV file or folder with half moons whose test points are the inputs "
                                       "(default: the test points of what it was trained with)")
    add_arrays(add)
    add("--voltages", metavar="VOLTAGES.csv",
        help="of one array: one line for each input, one column for each word line; a comment states the unit")
    add("--wire-resistance", type=real, metavar="OHM",
        help="of one wire segment in ohm (default: 2 of a network's arrays, 0 of one array)")
    add("--periphery", metavar="NAME",
        help="of a network: converters, drivers and sensing, as for tiocross transfer (default: ideal)")
    add("--seed", type=whole(), default=0, metavar="N",
        help="of the gains and offsets of a chip's lines, where the periphery has such, unitless (default: %(default)s)")
    for name, what in (("source", "between each source and its word line"), ("sense", "between each bit line and ground")):
        add(f"--{name}-resistance", type=real, metavar="OHM", help=f"of one array: {what} in ohm (default: 0)")
    add("--iv", metavar="LAW:PARAMETER", help="of one array: law of its devices, as for tiocross solve, such as sinh:0.37 "
                                              "(default: Ohm's law)")
