"""What wires and sneak paths do in a passive crossbar: four figures and their numbers.

Voltage lost along the wires (ir_drop), reads of one device (read_schemes), what the usual approximations are worth
(approximations), and V/2 writes (half_select), each as PNG and PDF.

    python scripts/crossbar_physics.py [--out DIR] [--quick]
"""

import argparse
import textwrap
from dataclasses import replace

import numpy as np
from options import make_folder

from tiocross import Crossbar, Sinh, plot, read_device, solve, write_device
from tiocross.storage import replacing
from tiocross.units import mV, ohm, percent, uS, uW

WINDOW = (100 * uS, 500 * uS)  # devices at random, uniform
UNIFORM = 300 * uS
READ_VOLTAGE = 200 * mV
WRITE_VOLTAGE = 1.5
V0 = 0.37  # sinh law of TiO2 devices, MemTorch's data-driven model [V]
WIRE = 2 * ohm
SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
DEVICES = "devices random in 100-500 uS"


@plot.house_style()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/crossbar_physics", metavar="DIR",
                        help="where the figures go (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small arrays and few of them: a first look")
    arguments = parser.parse_args()
    folder = make_folder(parser, arguments.out)
    for make in (ir_drop, read_schemes, approximations, half_select):
        figure, table = make(arguments.quick)
        save(figure, folder / make.__name__)
        print(table, end="\n\n")
    print(f"figures: {folder}")


def ir_drop(quick):
    """All word lines driven: maps of the device voltages, losses of the bit lines."""
    n, resistances = (8, (5.0, 20.0)) if quick else (64, (1.0, 5.0))
    conductances = random_conductances(0, 1, n)[0]
    figure, axes = plot.new_figure(1, 3, width=12.5, height=4.1)
    rows, random_losses, uniform_losses = [], {}, {}
    for panel, resistance in zip(axes[0], resistances):
        name = f"{resistance:g} ohm"
        read, random_losses[name] = read_all(conductances, resistance)
        uniform, uniform_losses[name] = read_all(np.full((n, n), UNIFORM), resistance)
        shares = read.device_voltages / READ_VOLTAGE
        plot.voltage_map(panel, read.device_voltages, ideal=READ_VOLTAGE, smooth=uniform.device_voltages,
                         colour_bar=False, title=f"{name} per segment")
        rows.append((name, shares.min(), random_losses[name][0], random_losses[name][-1], uniform_losses[name][0],
                     uniform_losses[name][-1]))
    plot.voltage_colour_bar(figure, list(axes[0, :2]), "device voltage / read voltage")
    plot.bit_line_losses(axes[0, 2], random_losses, uniform_losses, title="points: random, lines: all 300 uS")
    write_caption(figure, f"Read of all columns of a {n} x {n} array, {DEVICES}, ohmic; word lines driven at the left, "
                          "bit lines at 0 V at the bottom. Contours: all devices at 300 uS.")
    header = ("wires", "worst device", "first bit line", "last bit line", "first, 300 uS", "last, 300 uS")
    cells = [(name, f"{worst / percent:.1f} %", *(f"-{loss / percent:.1f} %" for loss in losses))
             for name, worst, *losses in rows]
    return figure, as_table(f"IR drop, {n} x {n}: voltage of the worst device; loss of bit lines", header, cells)


def read_schemes(quick):
    """One device in the middle read: error and power of each scheme against the size of the array."""
    sizes, n_arrays = ((4, 8), 3) if quick else (SIZES, 30)
    names = {"floating": "floating", "V/2": "V/2", "V/3": "V/3", "grounded": "grounded\n(reads low)"}
    errors = {name: np.empty((n_arrays, len(sizes))) for name in names.values()}
    powers = {scheme: np.empty((n_arrays, len(sizes))) for scheme in names}
    for k, n in enumerate(sizes):
        crossbar, middle = Crossbar(random_conductances(1, n_arrays, n), WIRE), n // 2
        ideal = crossbar.conductances[:, middle, middle] * READ_VOLTAGE
        for scheme, name in names.items():
            read = solve(crossbar, read_device(crossbar, middle, middle, READ_VOLTAGE, unselected=scheme))
            errors[name][:, k] = read.bit_line_currents[:, middle] / ideal - 1
            powers[scheme][:, k] = read.power
    figure, axes = plot.new_figure(1, 2, width=10.5, height=4.5)
    plot.read_errors(axes[0, 0], sizes, errors, title="sensed current against G V of the selected device")
    plot.read_powers(axes[0, 1], sizes, powers, title="power from all sources")
    write_caption(figure, f"Read of the device in the middle with 0.2 V, {WIRE:g} ohm per segment, {DEVICES}, ohmic. "
                          f"Medians and central 80 % of {n_arrays} arrays.")
    told = powers_of_two(sizes)
    header = ("scheme", *(f"{sizes[k]} x {sizes[k]}" for k in told), f"power at {sizes[-1]}")
    cells = [(scheme, *(f"{error / percent:+.1f} %" for error in np.median(errors[name][:, told], axis=0)),
              f"{np.median(powers[scheme][:, -1]) / uW:.0f} uW") for scheme, name in names.items()]
    return figure, as_table("Read of one device: median error of the sensed current, median power", header, cells)


def approximations(quick):
    """Ideal wires and the first order in the wire resistance against exact currents."""
    sizes, n_points, n_arrays = ((4, 8), 4, 2) if quick else ((8, 32, 64), 22, 10)
    resistances = np.geomspace(0.01, 30, n_points)
    figure, axes = plot.new_figure(1, 2, width=10.5, height=4.5)
    errors = {"ideal wires": {}, "first order": {}}
    for n in sizes:
        conductances = random_conductances(2, n_arrays, n)
        voltages = np.random.default_rng([3, n]).uniform(0, READ_VOLTAGE, (n_arrays, n))
        exact = np.stack([solve(Crossbar(conductances, resistance), voltages, rtol=1e-11).bit_line_currents
                          for resistance in resistances], axis=1)
        ideal = voltages[:, None] @ conductances
        first = ideal - resistances[:, None] * first_order_losses(conductances, voltages)[:, None]
        for name, approximate in (("ideal wires", ideal), ("first order", first)):
            errors[name][f"{n} x {n}"] = np.abs(approximate / exact - 1).max(axis=-1)
    for panel, (name, of_sizes) in zip(axes[0], errors.items()):
        plot.approximation_errors(panel, resistances, of_sizes, lowest=1e-5, highest=2e3, title=name)
    write_caption(figure, f"Read of all columns, {DEVICES}, inputs random in 0-0.2 V. Largest error of a bit line over its "
                          f"exact current, medians and central 80 % of {n_arrays} arrays. Grey: 1 %.")
    header = ("approximation", *errors["ideal wires"])
    cells = [(name, *(resistance_at(1 * percent, resistances, np.median(found, axis=0)) for found in of_sizes.values()))
             for name, of_sizes in errors.items()]
    return figure, as_table("Wire resistance at which the worst bit line is off by 1 %", header, cells)


def half_select(quick):
    """V/2 writes: what reaches the selected device, and what its neighbours see."""
    sizes, n_arrays, n, step = ((4, 8), 2, 8, 1) if quick else (SIZES, 10, 64, 3)
    names = "nearest corner", "half-selected", "farthest corner", "farthest, sinh law"
    shares = {name: np.empty((n_arrays, len(sizes))) for name in names}
    for k, size in enumerate(sizes):
        crossbar = Crossbar(random_conductances(4, n_arrays, size), WIRE)
        far = solve(crossbar, write_device(crossbar, 0, size - 1, WRITE_VOLTAGE))
        nonlinear = replace(crossbar, iv=Sinh(V0))
        found = (solve(crossbar, write_device(crossbar, size - 1, 0, WRITE_VOLTAGE)).selected_voltage,
                 half_selected(far, 0, size - 1), far.selected_voltage,
                 solve(nonlinear, write_device(nonlinear, 0, size - 1, WRITE_VOLTAGE)).selected_voltage)
        for name, voltages in zip(names, found):
            shares[name][:, k] = voltages / WRITE_VOLTAGE
    figure, axes = plot.new_figure(1, 2, width=11.5, height=4.5)
    plot.write_voltages(axes[0, 0], sizes, shares, title="selected device, and largest half-selected")
    of_places = [selected_shares(array, step) for array in (random_conductances(5, 1, n)[0], np.full((n, n), UNIFORM))]
    plot.voltage_map(axes[0, 1], of_places[0], ideal=1.0, smooth=of_places[1], step=step, colour_bar=False,
                              title=f"selected device at each place of {n} x {n}")
    plot.voltage_colour_bar(figure, [axes[0, 1]], "voltage of the selected device / write voltage")
    write_caption(figure, f"V/2 write with {WRITE_VOLTAGE:g} V, {WIRE:g} ohm per segment, {DEVICES}, ohmic or sinh(V / "
                          f"{V0:g} V) with that slope at 0 V. Half-selected: the largest voltage of another device on the "
                          f"two selected lines, write at the farthest corner. Medians and central 80 % of {n_arrays} "
                          "arrays. Contours: all 300 uS.")
    told = powers_of_two(sizes)
    cells = [(name, *(f"{share / percent:.1f} %" for share in np.median(shares[name][:, told], axis=0))) for name in names]
    header = ("device", *(f"{sizes[k]} x {sizes[k]}" for k in told))
    return figure, as_table("V/2 write: median device voltage over the write voltage", header, cells)


def random_conductances(stream, n_arrays, n):
    return np.random.default_rng([stream, n]).uniform(*WINDOW, (n_arrays, n, n))


def read_all(conductances, resistance):
    """Solution with all word lines driven, and the loss of each bit line against ideal wires."""
    read = solve(Crossbar(conductances, resistance), np.full(len(conductances), READ_VOLTAGE))
    return read, 1 - read.bit_line_currents / (READ_VOLTAGE * conductances.sum(axis=0))


def first_order_losses(conductances, voltages):
    """What one ohm per segment takes from each bit-line current, to first order [A/ohm]."""
    from_left = np.arange(1, conductances.shape[-1] + 1)
    from_bottom = np.arange(conductances.shape[-2], 0, -1)
    ideal = voltages[..., None] * conductances
    drops = ideal @ np.minimum.outer(from_left, from_left) + np.minimum.outer(from_bottom, from_bottom) @ ideal
    return (conductances * drops).sum(axis=-2)


def selected_shares(conductances, step):
    """Voltage of the selected device over the write voltage, for every ``step``-th place of one array."""
    crossbar, places = Crossbar(conductances, WIRE), np.arange(0, len(conductances), step)
    writes = [[solve(crossbar, write_device(crossbar, i, j, WRITE_VOLTAGE)) for j in places] for i in places]
    return np.array([[write.selected_voltage for write in row] for row in writes]) / WRITE_VOLTAGE


def half_selected(write, word_line, bit_line):
    """Largest voltage of a device that shares a line with the selected one."""
    along_word, along_bit = write.device_voltages[..., word_line, :], write.device_voltages[..., :, bit_line]
    others = np.delete(along_word, bit_line, axis=-1), np.delete(along_bit, word_line, axis=-1)
    return np.abs(np.concatenate(others, axis=-1)).max(axis=-1)


def resistance_at(error, resistances, errors):
    """Wire resistance with that error, between the computed ones on logarithmic scales, in words."""
    if not errors[0] <= error <= errors[-1]:
        return f"< {resistances[0]:g} ohm" if error < errors[0] else f"> {resistances[-1]:g} ohm"
    return f"{np.exp(np.interp(np.log(error), np.log(errors), np.log(resistances))):.2g} ohm"


def powers_of_two(sizes):
    """Where they stand among the sizes."""
    return [k for k, size in enumerate(sizes) if size & (size - 1) == 0]


def as_table(title, header, rows):
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = ["  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))) for row in (header, *rows)]
    return "\n".join((title, *("  " + line for line in lines)))


def write_caption(figure, text):
    figure.supxlabel(textwrap.fill(text, int(14 * figure.get_figwidth())), x=0.01, ha="left", fontsize=9)


def save(figure, path):
    for kind in ("png", "pdf"):
        with replacing(path.with_suffix(f".{kind}")) as temporary:
            figure.savefig(temporary, dpi=150)
        figure.set_layout_engine("none")  # laid out once; doing it again takes as long as drawing


if __name__ == "__main__":
    main()
