"""Devices in a row that say something about the instrument, not about themselves: silent, moving the wrong way, or stuck."""

from tiocross.checks import plural
from tiocross.lab.write_verify import is_far
from tiocross.units import uS

N_SILENT = 3  # devices in a row without a valid reading after which the instrument counts as dead
N_AGAINST = 3  # that moved against their pulses: the polarity is inverted
N_FAR = 3  # that, the first of all, read far above their targets: readings are in another unit
N_LINES = 2  # so many lines of stuck devices in a row are no longer dead lines
N_STUCK = 16  # and at least so many devices
_FAR = 5.0  # tolerances that a device must have moved against its pulses: further than noise and drift


class Suspicion:
    """What the devices tuned last have in common. ``go_on`` is asked for by who knows that the chip is like that."""

    def __init__(self, shape, scheme, go_on):
        self.scheme, self.go_on = scheme, go_on
        self.n_stuck = max(N_STUCK, N_LINES * max(shape) + 1)
        self.silent, self.against, self.stuck = [], [], []  # (row, column) of the devices in a row
        self.against_in = {}  # as against, of each line: one whose leads alone are exchanged
        self.far, self.is_unit_right = [], False

    def note(self, place, device, outcome):
        """Take in a device at ``place`` whose tuning ended with ``outcome``; text of what it makes plain, or none."""
        is_pulsed = device.n_pulses > 0
        went_back = device.moved < -_FAR * self.scheme.tolerance * device.g_target
        _count(self.silent, place, outcome == "read_error", True)
        is_against = is_pulsed and went_back and outcome != "converged"
        _count(self.against, place, is_against, is_pulsed)
        for line in (("word line", place[0]), ("bit line", place[1])):
            _count(self.against_in.setdefault(line, []), place, is_against, is_pulsed)
        self._note_far(place, device)
        _count(self.stuck, place, outcome.startswith("stuck"), is_pulsed)
        if len(self.silent) >= N_SILENT:
            return (f"{N_SILENT} devices in a row gave no valid reading, last row {place[0]}, column {place[1]}: "
                    f"{device.reading:g} S. Nothing more is pulsed; check the instrument, then resume, or leave out devices "
                    f"that are open with mask={unit_hint(device.reading, device.g_target)}")
        if self.go_on:
            return ""
        if len(self.far) >= N_FAR:
            return (f"the first {N_FAR} devices all read far above their targets, last row {place[0]}, column {place[1]}: "
                    f"{device.reading:g} S where {device.g_target:g} S is wanted"
                    f"{unit_hint(device.reading, device.g_target) or '.'} None of them was pulsed. Correct read(), or leave "
                    "out shorted devices with mask=, then resume; go_on=True, or --go-on, goes on anyway")
        inverted, where = self._inverted()
        if inverted:
            return (f"{N_AGAINST} devices in a row{where} moved against their pulses, last row {place[0]}, column "
                    f"{place[1]}, by {device.moved / uS:+.3g} uS. Nothing more is pulsed. A positive amplitude must raise "
                    "the conductance: exchange the leads, or turn the sign in pulse(), then resume; go_on=True, or --go-on, "
                    "goes on anyway")
        if len(self.stuck) >= self.n_stuck:
            return self._say_stuck(place, device)
        return ""

    def _note_far(self, place, device):
        """Take in whether the device was read as far above its target as no other unit but siemens explains."""
        far = device.n_pulses == 0 and is_far(device.reading, device.g_target)
        self.is_unit_right |= 0 <= device.reading <= 1 and not far
        _count(self.far, place, far and not self.is_unit_right, self.is_unit_right)

    def _inverted(self):
        """Devices in a row that moved against their pulses, and on which line, if on one: none if there are too few."""
        rows = [(self.against, ""), *((places, f" on {name} {k}") for (name, k), places in self.against_in.items())]
        return next(((places, where) for places, where in rows if len(places) >= N_AGAINST), ([], ""))

    def _say_stuck(self, place, device):
        scheme = self.scheme
        return (f"{plural(len(self.stuck), 'device')} in a row ended stuck, last row {place[0]}, column {place[1]} at "
                f"{device.reading:g} S{unit_hint(device.reading, device.g_target)}. Nothing more is pulsed. Check that "
                f"pulses reach the devices, and whether SET to {scheme.set_limit:g} V and RESET to {scheme.reset_limit:g} V "
                "move them; leave out dead lines with mask=. Then resume; go_on=True, or --go-on, goes on anyway")

    def release(self):
        """Places of the devices that led to a text, to be tried again; the counts begin anew."""
        found = [self.silent] * (len(self.silent) >= N_SILENT)
        if not self.go_on:
            found += [self._inverted()[0], self.far * (len(self.far) >= N_FAR)]
            found += [self.stuck] * (len(self.stuck) >= self.n_stuck)
        places = {place for row in found for place in row}
        self.silent, self.against, self.stuck, self.against_in, self.far = [], [], [], {}, []
        return places


def unit_hint(reading, wanted):
    """What to add to an error about a ``reading`` that is far above the ``wanted`` [S]: the unit that it may be in."""
    if not reading > 30 * wanted or reading == float("inf"):
        return ""
    as_siemens = {"microsiemens: multiply by tiocross.units.uS": reading * 1e-6,
                  "millisiemens: multiply by tiocross.units.mS": reading * 1e-3, "ohm: give 1 / ohm": 1 / reading,
                  "kiloohm: give 1 / (1000 ohm)": 1e-3 / reading}
    unit, value = min(as_siemens.items(), key=lambda item: max(item[1] / wanted, wanted / item[1]))
    return f". Readings must be in siemens; is this {unit}?" if 0.05 < value / wanted < 20 else ""


def _count(places, place, is_one, tells):
    if is_one:
        places.append(place)
    elif tells:
        places.clear()
