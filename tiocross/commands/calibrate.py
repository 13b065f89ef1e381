"""``tiocross calibrate``: a device from measured files."""

import os
import textwrap
from pathlib import Path

import numpy as np

from tiocross import plot
from tiocross.storage import require_new_folder, require_writable_file, save_json
from tiocross.commands.describe import columns_as_read
from tiocross.commands.destinations import require_no_input, save_figure
from tiocross.commands.recognition import recognise
from tiocross.devices.calibration.card import calibrate, to_json
from tiocross.devices.device import Device
from tiocross.devices.files import save_device
from tiocross.devices.tio2 import TIO2
from tiocross.checks import require_name
from tiocross.lab.log import later_changes, log_shape, read_events, stuck_map, tuning_pairs
from tiocross.lab.tables import read_array, read_conductance_csv, read_disturb_csv, read_tuning_csv
from tiocross.mapping.faults import stuck_outside_window
from tiocross.report.write import REPORT, write_report
from tiocross.units import uS

_FEWEST_CHIPS = 3  # that tell offsets of chips apart
_MOST_COLUMNS = 4  # of a figure
_MOST_OUTSIDE = 0.9  # share of devices outside the window beyond which the window is a slip of units
EFFECTS = ("tuning", "disturb", "faults")
FORMAT = "tiocross calibration 1"
CONTENT = "calibration.json"  # beside the figures


def prepare(arguments):
    """The calibration that the command line asks for, done and ready to be written."""
    name = _plain(Path(arguments.out).stem) if arguments.name is None else arguments.name
    source = arguments.source or "measured: " + ", ".join(_plain(Path(path).name) for path in arguments.files)
    ends, borrowed = _ends(arguments)
    source += f"; {borrowed}" if borrowed else ""
    window = Device(*ends, name=name, source=source)
    for effect in arguments.effects:
        require_name("effect", effect, EFFECTS)
    figures = None if arguments.figures is None else Path(arguments.figures)
    _require_destinations(arguments.out, figures, arguments.files)
    measured = _Measured(window, arguments.dead, arguments.effects)
    for path in arguments.files:
        measured.add(path)
    measured.require_window()
    calibration = calibrate(g_min=window.g_min, g_max=window.g_max, name=name, source=source, **measured.arguments())
    notes = [*([f"{borrowed}; give --g-min and --g-max where yours is another"] if borrowed else []), *measured.notes]
    return lambda: _finish(calibration, measured, arguments.out, figures, notes)


def _ends(arguments):
    """Ends of the window [S], and what to say of those that nobody gave."""
    given = {"g_min": arguments.g_min, "g_max": arguments.g_max}
    ends = [getattr(TIO2, end) if value is None else value * uS for end, value in given.items()]
    of_card = [f"{end} {getattr(TIO2, end) / uS:g} uS" for end, value in given.items() if value is None]
    return ends, f"window of the published TiO2 card: {', '.join(of_card)}" if of_card else ""


def _plain(name):
    """A file's name as text that any file can hold."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _require_destinations(out, figures, files):
    """Raise ValueError unless the device and the figures can be written, each to a place of its own."""
    require_writable_file(out)
    require_no_input(out, *files)
    if figures is None:
        return
    if figures.is_dir():
        require_writable_file(figures / "a file")
    else:
        require_new_folder(figures)
    own = [figures / name for name in (CONTENT, REPORT, *(f"{effect}.png" for effect in EFFECTS))]
    for path in own:
        require_no_input(path, *files)
    if any(os.path.realpath(out) == os.path.realpath(path) for path in (figures, *own)):
        raise ValueError(f"--out {out} and --figures {figures} would write one over the other; choose another for --out")


class _Measured:
    """What the files hold, sorted by effect."""

    def __init__(self, window, dead, effects):
        self.window, self.dead, self.effects = window, dead, effects
        self.tuning, self.disturb, self.maps, self.map_files, self.files, self.notes = [], [], [], [], [], []
        self._mapped = []  # conductances of all maps [S]

    def add(self, path):
        """Read one file of whatever kind."""
        readers = {"tuning": self._add_tuning, "disturb": self._add_disturb, "lab map": self._add_map,
                   "conductances": self._add_map, "pulse log": self._add_log}
        kind = recognise(path)
        if kind in readers:
            self.files.append({"name": _plain(Path(path).name), "kind": kind, "understood": _understood(kind, path)})
        if kind not in readers:
            raise ValueError(f"{path} ({kind}) tells nothing of how devices are written; calibrate takes lists of tuning "
                             "(target [S],programmed [S]) and of disturb (n_later_writes [-],delta_conductance [S]), "
                             "maps of an array (conductances or resistances, with the unit) and pulse logs")
        readers[kind](path)

    def arguments(self):
        """Data as `calibrate` takes them."""
        found = {"maps": self.maps} if self.maps and "faults" in self.effects else {}
        if self.tuning and "tuning" in self.effects:
            sizes = [len(targets) for targets, _ in self.tuning]
            chips = [np.repeat(np.arange(len(sizes)), sizes)] if len(sizes) >= _FEWEST_CHIPS else []
            found["tuning"] = (*map(np.concatenate, zip(*self.tuning)), *chips)
        if self.disturb and "disturb" in self.effects:
            found["disturb"] = tuple(map(np.concatenate, zip(*self.disturb)))
        return found

    def require_window(self):
        """Raise ValueError if nearly all devices of maps, or targets of tunings, lie outside the window."""
        found = {"maps": self._mapped if "faults" in self.effects and not self.dead else [],
                 "lists of tuning": [targets for targets, _ in self.tuning] if "tuning" in self.effects else []}
        for what, lists in found.items():
            values = np.concatenate([*lists, []])
            outside = ~np.isnan(stuck_outside_window([values], g_min=self.window.g_min, g_max=self.window.g_max)) \
                if len(values) else np.zeros(0, bool)
            if outside.sum() > _MOST_OUTSIDE * len(values):
                raise ValueError(f"{outside.sum()} of {len(values)} devices in the {what} lie outside the window of "
                                 f"{self.window.g_min / uS:g} to {self.window.g_max / uS:g} uS; they are at "
                                 f"{values.min() / uS:.4g} to {values.max() / uS:.4g} uS. Give --g-min and --g-max in "
                                 "microsiemens" + (", or --dead if no device answers" if what == "maps" else ""))

    def _without_missing(self, path, conductances):
        """The part of a map in which every device was read; what is left out is noted."""
        known = ~np.isnan(conductances)
        if known.all():
            return conductances
        if 2 * known.sum() < known.size:
            raise ValueError(f"{path}: {(~known).sum()} of {known.size} devices have no value (nan), so that the map does "
                             "not tell how many are stuck. Give a measured map of all devices, 0 for open ones")
        rows, columns = _whole_part(known)
        kept = conductances[np.ix_(rows, columns)]
        self.notes.append(f"{path}: {(~known).sum()} devices without a value (nan) were not read; their lines are left out, "
                          f"{kept.size} of {known.size} devices count")
        return kept

    def _add_tuning(self, path):
        self.tuning.append(read_tuning_csv(path))

    def _add_disturb(self, path):
        self.disturb.append(read_disturb_csv(path))

    def _add_map(self, path):
        conductances = self._without_missing(path, read_conductance_csv(path, allow_missing=True))
        self._mapped.append(conductances.ravel())
        self.map_files.append(path)
        self.maps.append(conductances if self.dead else
                         stuck_outside_window(conductances, g_min=self.window.g_min, g_max=self.window.g_max))

    def _add_log(self, path):
        events = read_events(path)
        pairs, changes = tuning_pairs(events), later_changes(events)
        if len(pairs[0]):
            self.tuning.append(pairs)
        if len(changes[0]):
            self.disturb.append(changes)
        stuck = _of_tested(events, stuck_map(events, log_shape(path)))
        if stuck.size:
            self.maps.append(stuck)
            self.map_files.append(path)


def _whole_part(known):
    """Rows and columns, as booleans, of a part of a map without gaps: the line with the largest share of gaps goes first."""
    rows, columns = (np.ones(size, dtype=bool) for size in known.shape)
    while not (part := known[np.ix_(rows, columns)]).all():
        of_rows, of_columns = (~part).mean(axis=1), (~part).mean(axis=0)
        if of_rows.max() >= of_columns.max():
            rows[np.flatnonzero(rows)[of_rows.argmax()]] = False
        else:
            columns[np.flatnonzero(columns)[of_columns.argmax()]] = False
    return rows, columns


def _understood(kind, path):
    """One line for people: how a file was read."""
    if kind == "conductances":
        return str(read_array(path, allow_missing=True)[1])
    return columns_as_read(path) if kind in ("tuning", "disturb") else f"read as: {kind}"


def _of_tested(events, stuck):
    """The part of a stuck map in which every device was tuned: of the others nobody knows whether they answer."""
    tested = np.zeros(stuck.shape, dtype=bool)
    for event in events:
        if event.kind == "done" and event.outcome not in ("aborted", "read_error"):
            tested[event.row, event.column] = True
    columns = tested.any(axis=0)
    rows = tested[:, columns].all(axis=1) & columns.any()
    return stuck[np.ix_(rows, columns)]


@plot.house_style()
def _finish(calibration, measured, out, figures, notes):
    save_device(calibration.device, out)
    if figures is not None:
        figures.mkdir(exist_ok=True)
        drawn = {}
        for name, figure in _draw(calibration, measured):
            save_figure(figure, figures / f"{name}.png")
            drawn[name] = f"{name}.png"
        save_json(figures / CONTENT, _content(calibration, measured, out, drawn))
        page = write_report(figures)
    print("\n".join([str(calibration), "", *(f"note: {note}" for note in notes), f"the device is in {out}"]))
    if figures is not None:
        print(f"figures are in {figures}, all fits in {figures / CONTENT}, a page for people is {page}")


def _content(calibration, measured, out, drawn):
    """What a page about the calibration needs; numbers in SI units."""
    return {"format": FORMAT, **to_json(calibration), "device_file": _plain(Path(out).name), "files": measured.files,
            "effects asked": list(measured.effects), "all devices dead": measured.dead, "figures": drawn}


def _draw(calibration, measured):
    """Names and figures of what was measured beside what was fitted; warnings stand above."""
    data = measured.arguments()
    for effect, draw in (("tuning", plot.tuning_fit), ("disturb", plot.disturb_fit)):
        if effect in data:
            figure, axes = plot.new_figure()
            fit = calibration.fits[effect]
            draw(axes[0, 0], *data[effect][:2], fit.value, title=textwrap.fill(fit.warning, 80))
            axes[0, 0].title.set_fontsize(8)
            yield effect, figure
    shown = [pair for pair in zip(data.get("maps", ()), measured.map_files) if not np.isnan(pair[0]).all()]
    if shown:
        n_columns = min(len(shown), _MOST_COLUMNS)
        n_rows = -(-len(shown) // n_columns)
        figure, axes = plot.new_figure(n_rows, n_columns, width=4.5 * n_columns, height=3.6 * n_rows)
        for panel, (devices, path) in zip(axes.flat, shown):
            plot.fault_map(panel, devices, title=Path(path).name)
            panel.title.set_fontsize(8)
        for panel in axes.flat[len(shown):]:
            panel.set_axis_off()
        yield "faults", figure
