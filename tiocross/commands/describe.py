"""``tiocross describe``: what a device, network or file holds, for people."""

import shutil
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np

from tiocross.checks import plural
from tiocross.commands.on_card import OF_A_CARD, prepare_on_card
from tiocross.commands.points import describe_points
from tiocross.commands.recognition import recognise
from tiocross.devices.files import load_device
from tiocross.devices.published import find_device, names_card
from tiocross.devices.tio2 import TIO2
from tiocross.study.tables import WIDTH, format_table
from tiocross.lab.resistance_maps import read_lab_map
from tiocross.lab.log import log_shape, read_events, tuning_pairs
from tiocross.lab.plans import load_plan
from tiocross.sheets import VOLTAGES, read_sheet
from tiocross.lab.tables import read_array, read_disturb_csv, read_tuning_csv, read_voltages
from tiocross.learning.network import Network
from tiocross.storage import read_json
from tiocross.tasks import read_task
from tiocross.transfers.outcomes import Transfer
from tiocross.units import kohm, percent, uS, us

_MOST_LISTED = 8
_ROUNDING = 1e-9  # of values in other units than siemens


def prepare(arguments):
    """The description of what the command line names, ready to be printed."""
    path = Path(arguments.subject)
    if names_card(arguments.subject):
        kind, text = "device", str(find_device(arguments.subject))
    else:
        kind = recognise(path)
        text = f"{path}: {kind}\n" + _DESCRIPTIONS[kind](path)
    if arguments.device is not None:
        return prepare_on_card(arguments, kind, text)
    if given := next((name for name in OF_A_CARD if getattr(arguments, name) not in (None, False, 0)), None):
        raise ValueError(f"--{given.replace('_', '-')} is for a network on a card: name the card with --device, a file or "
                         "TIO2")
    return lambda: print(text)


def describe_plan(plan):
    """A plan as text for people."""
    device, scheme = plan.device, plan.scheme
    lines = [f"for the network {plan.network_sha256[:12]}..., layers (word lines, bit lines) "
             + ", ".join(map(str, plan.layout.layer_shapes)),
             f"device {device.name}, window {device.g_min / uS:g} to {device.g_max / uS:g} uS",
             f"tolerance {scheme.tolerance / percent:g} %, SET {scheme.set_start:g} to {scheme.set_limit:g} V, RESET "
             f"{scheme.reset_start:g} to {scheme.reset_limit:g} V, in steps of {scheme.increment:g} V; "
             f"pulses of {scheme.width / us:g} us",
             f"{'array':>5}{'shape':>8}{'layers':>8}{'in use':>8}{'to write':>10}{'stuck':>7}{'targets (uS)':>14}"]
    layout = plan.layout
    for array, shape, blocks, used, targets, stuck in zip(layout.arrays, layout.shapes, layout.blocks_of, layout.used,
                                                          plan.targets, plan.stuck):
        wanted = targets[~np.isnan(targets)] / uS
        span = f"{wanted.min():.4g}-{wanted.max():.4g}" if len(wanted) else "none"
        layers = ",".join(map(str, dict.fromkeys(block.layer for block in blocks)))
        lines.append(f"{array:>5}{f'{shape[0]}x{shape[1]}':>8}{layers:>8}{int(used.sum()):>8}{len(wanted):>10}"
                     f"{int((~np.isnan(stuck)).sum()):>7}{span:>14}")
    return "\n".join(lines)


def _describe_plan(path):
    return describe_plan(load_plan(path if path.is_dir() else path.parent))


def _describe_run(path):
    file = path / "programming.json" if path.is_dir() else path
    content = read_json(file)
    try:
        lines = [f"plan {content['plan_sha256'][:12]}..., seed {content['seed']}, "
                 f"{content['wire_resistance [ohm]']:g} ohm per wire segment",
                 content["chip"]["switching"], content["chip"]["scheme"], *content["notes"],
                 *(f"array {array['array']}: {array['summary']}" for array in content["arrays"])]
        told = content["prediction"]
        if told is not None:
            lines.append(f"predicted accuracy on {told['n_points']} points ({told['data']}): "
                         f"{told['accuracy [-]'] / percent:.2f} % [{told['low [-]'] / percent:.2f}, "
                         f"{told['high [-]'] / percent:.2f}]; in software {told['nominal_accuracy [-]'] / percent:.2f} %")
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged, or of another version of tiocross: {error}") from None
    return "\n".join([*lines, *([content["why_no_prediction"]] if told is None else [])])


def _describe_network(path):
    network = Network.load(path)
    shapes = [(rows, 2 * columns) for rows, columns in network.shapes]
    lines = [f"{'-'.join(map(str, network.sizes))}, {network.activation} hidden units, {network.n_classes} classes"
             if network.is_plain and network.output == "linear" else f"{network}; {network.n_classes} classes",
             f"inputs: (x - offset) * scale, offset {_listed(network.input_offset)}, scale "
             f"{_listed(network.input_scale)}",
             f"as differential pairs {sum(rows * columns for rows, columns in shapes)} devices:"]
    for k, (array, (rows, columns), step) in enumerate(zip(network.arrays, shapes, network.steps)):
        reused = "" if step.seen is None else f", read at {len(step.seen)} positions"
        bias = "the last one the bias" if step.has_bias else "no bias"
        lines.append(f"  layer {k}: {rows} word lines ({bias}), {columns} bit lines{reused}; largest weight "
                     f"{np.abs(array[:-1]).max():.4g}, largest bias {np.abs(array[-1]).max():.4g} (unitless)")
    return "\n".join(lines)


def _describe_training(path):
    record = read_json(path)
    try:
        data, recipe, training = record["data"], record["recipe"], record["recipe"]["training"]
        shares = ", ".join(f"{share:.4f} of the {name} points" for name, share in record["software_accuracy"].items())
        lines = [record["command"], f"made {record['made']} with tiocross {record['versions']['tiocross']}",
                 f"points: {data['source']}", f"classes: {', '.join(data['class_names']) or 'numbered'}",
                 f"{recipe['name']}, {training['n_steps']} steps, {training['n_chips']} chips a step where chips are "
                 f"simulated, rate {training['learning_rate']:g}, seed {record['seed']}; for {record['device']['name']}",
                 *([f"started from {record['started_from']}"] if record["started_from"] else []),
                 f"in software right at {shares}"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not a whole record of tiocross train: {error!r} is missing or odd") from None
    return "\n".join(lines)


def _describe_transfer(path):
    outcome = Transfer.load(path)
    return f"{outcome.n_devices} devices, {outcome.wire_resistance:g} ohm per wire segment\n{outcome.summary()}"


def _describe_outcome(path):
    record = read_json(path)
    try:
        shares = [f"  {name.replace('_', ' ')} {share['value']:.4g} [{share['low']:.4g}, {share['high']:.4g}]"
                  for name, share in record.items() if isinstance(share, dict) and {"value", "low", "high"} <= set(share)]
        return "\n".join([f"{record['network']}, {record['n_devices']} devices of {record['device']}, "
                          f"{record['wire_resistance']:g} ohm per wire segment, seed {record['seed']}", record["points"],
                          *shares])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a whole record of tiocross transfer: {error!r} is missing or odd") from None


def _describe_experiment(path):
    content = read_json(path / "summary.json" if path.is_dir() else path)
    try:
        head = (f"{content['n_transfers']} simulated chips for each network, "
                f"{plural(len(content['seeds']), 'training seed')}"
                + ("" if content["complete"] else "; NOT COMPLETE: the run was stopped"))
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
        head = textwrap.fill(head, width)
        return f"{head}\n{format_table(content['rows'], width=width)}" if content["rows"] else head
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a whole summary of tiocross experiment: {error!r} is missing or odd") from None


def _describe_log(path):
    events, (n_rows, n_columns) = read_events(path), log_shape(path)
    done = Counter(event.outcome for event in events if event.kind == "done")
    n_passes = 1 + max((event.n_pass for event in events), default=-1)
    amplitudes = [event.amplitude for event in events if event.kind == "pulse"]
    lines = [f"array of {n_rows} x {n_columns}, {len(events)} events, {n_passes} passes begun, {len(amplitudes)} pulses"]
    if amplitudes:
        lines.append(f"amplitudes from {min(amplitudes):g} to {max(amplitudes):g} V")
    lines.append("tunings: " + (", ".join(f"{n} {outcome}" for outcome, n in done.most_common()) or "none ended"))
    targets, programmed = tuning_pairs(events)
    if len(targets):
        errors = programmed / targets - 1
        lines.append(f"error of the converged: mean {errors.mean() / percent:.3g} %, largest "
                     f"{np.abs(errors).max() / percent:.3g} %")
    return "\n".join(lines)


def _describe_lab_map(path):
    lab_map = read_lab_map(path)
    settings = "; ".join(f"{key} {value}" for key, value in lab_map.header.items())
    return (f"read as: [ohm], separated by semicolons, listed row (word line) by row\n{settings}\n"
            f"{_spread(lab_map.resistances / kohm, 'kohm')}\n{_describe_conductances(lab_map.conductances)}")


def _describe_conductances(conductances):
    known = conductances[~np.isnan(conductances)]
    head = f"{conductances.shape[0]} word lines x {conductances.shape[1]} bit lines; {_spread(known / uS, 'uS')}"
    if n_missing := conductances.size - len(known):
        head += f"\n{n_missing} of {conductances.size} devices have no value (nan)"
    if not len(known):
        return head
    inside = (known >= TIO2.g_min * (1 - _ROUNDING)) & (known <= TIO2.g_max * (1 + _ROUNDING))
    return (f"{head}\n{inside.mean() / percent:.1f} % lie within the window of the TiO2 card, {TIO2.g_min / uS:g} to "
            f"{TIO2.g_max / uS:g} uS")


def _describe_array(path):
    conductances, matrix = read_array(path, allow_missing=True)
    return f"{matrix}\n{_describe_conductances(conductances)}"


def _describe_voltages(path):
    matrix = read_voltages(path)
    voltages = matrix.values * VOLTAGES[matrix.unit]
    return (f"read as: [{matrix.unit}] ({matrix.unit_place}), {matrix.sheet}, one line for each input\n"
            f"{voltages.shape[0]} inputs for {voltages.shape[1]} word lines; {_spread(voltages, 'V')}")


def columns_as_read(path):
    """How the columns of a list were understood."""
    sheet = read_sheet(path)
    return f"read as: {', '.join(sheet.rows[0][1])} (line {sheet.rows[0][0]}), {sheet}"


def _describe_tuning(path):
    targets, programmed = read_tuning_csv(path)
    return (f"{columns_as_read(path)}\n{len(targets)} devices; targets: {_spread(targets / uS, 'uS')}\n"
            f"relative error: {_spread((programmed / targets - 1) / percent, '%')}")


def _describe_disturb(path):
    later, changes = read_disturb_csv(path)
    when = f" after {later.min()} to {later.max()} later writes" if len(later) else ""
    return f"{columns_as_read(path)}\n{len(later)} changes{when}: {_spread(changes / uS, 'uS')}"


def _listed(values):
    """Numbers in a row; one for all where they are many and equal, the first and the last of other long rows."""
    shown = [f"{value:.4g}" for value in values]
    if len(shown) <= _MOST_LISTED:
        return ", ".join(shown)
    return f"{shown[0]} for all" if len(set(shown)) == 1 else f"{shown[0]}, {shown[1]}, ..., {shown[-1]}"


def _spread(values, unit):
    if not np.size(values):
        return "no values"
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"{low:.4g} to {high:.4g} {unit}, median {middle:.4g} {unit}"


_DESCRIPTIONS = {
    "device": lambda path: str(load_device(path)), "network": _describe_network, "plan": _describe_plan,
    "experiment": _describe_experiment, "programming run": _describe_run,
    "pulse log": _describe_log, "lab map": _describe_lab_map,
    "tuning": _describe_tuning, "disturb": _describe_disturb,
    "conductances": _describe_array, "voltages": _describe_voltages,
    "points": lambda path: "\n".join(describe_points(read_task(path))),
    "training": _describe_training, "transfer": _describe_transfer, "outcome of a transfer": _describe_outcome,
}
