"""What later writes do to the devices of arrays, each by its own state: one pass forwards and one backwards in the order of
writing.

A write moves its device from the state that it finds to the target. How far, in which direction, and how hard the device
switches say which pulses it takes. All devices on the same word line and bit line see a share of each pulse, and under V/3
all others see it reversed. Each pulse adds to a dose of SET or of RESET. Forwards, the state that each write finds is what
the writes before it left, and its pulses follow. Backwards, the pulses of all later writes add up on lines and arrays. A
device that received the doses S of SET and R of RESET, evenly mixed, goes from G to

    G_end + (G - G_end) exp(-S - R),    G_end = (S g_on + R g_off) / (S + R),

so that what is left is constant + factor G. It also drifts and fluctuates, more slowly with every write after its own.

symbol       shape             meaning                                                                  unit
sequence     (n,) int64        devices in the order of writing
word_lines   (n,) int64        number of the word line of each device, among those of all arrays
bit_lines    (n,) int64        number of its bit line
arrays       (n,) int64        number of its array
due          (C, n) bool       devices that are written, on C chips
stuck        (C, n) bool       devices that answer to nothing: a write of one goes up to the limits
before       (C, n)            conductances before                                                      S
targets      (1 or C, n)       what is written                                                          S
traits       (C, 3, n) float32 drawn from N(0, 1): voltages of SET and RESET, drift                     -
walks        (C, n) float32    drawn from N(0, 1): fluctuation                                          -
ages         (C, n)            in, out: writes to the array since that of each device, -1 for never     -
law          (20,)             parameters, in the order of `LAW`
pulses       (n, 6)            for use here: what the write of each device adds to the doses of others, SET and RESET on
                               its lines, SET and RESET elsewhere; and its own factors of SET and RESET -
on_words     (n_words, 4)      for use here: sums of pulses on each word line                           -
on_bits      (n_bits, 4)       for use here: sums on each bit line                                      -
on_arrays    (n_arrays, 3)     for use here: sums of what arrives elsewhere on each array, number of writes
constant     (C, n)            out                                                                      S
factor       (C, n)            out                                                                      -
"""

import math

from tiocross.jit import helper, kernel

LAW = ("share", "reverses", "set_voltage", "set_spread", "set_scale", "reset_voltage", "reset_spread", "reset_exponent",
       "g_off", "g_on", "increment", "overshoot_set", "overshoot_reset", "stuck_set", "stuck_reset", "strength", "drift",
       "drift_spread", "fluctuation", "settling")
_CUT = 2.0  # standard deviations of a trait from the mean


@helper
def _cut(trait):
    """A trait, nothing beyond the ends of its law."""
    return min(max(float(trait), -_CUT), _CUT)


@helper
def _way(start, end, pole):
    """E-folds from one conductance to another, on the way to a pole."""
    left = abs(pole - end)
    return math.log(max(abs(pole - start), 1e-12) / max(left, 1e-12))


@helper
def _sets(way, harder, law, share):
    """Dose of a mean device at a share of SET pulses that take a device this way; ``harder`` [V] is its own voltage, less
    the mean."""
    if way <= 0.0:
        return 0.0
    ratio = math.exp(-law[10] / law[4])  # of a pulse's rate to that of the next
    largest = law[2] + harder + law[4] * math.log(way * (1.0 - ratio))
    return math.exp((share * largest - law[2]) / law[4]) / (1.0 - ratio**share)


@helper
def _reversed_sets(way, harder, law, share):
    """Dose of RESET of a mean device at a share of the same pulses, reversed."""
    if way <= 0.0:
        return 0.0
    largest = law[2] + harder + law[4] * math.log(way * (1.0 - math.exp(-law[10] / law[4])))
    return (share * max(largest, 0.0) / law[5]) ** law[7] * max(largest, 0.0) / (law[10] * (law[7] + 1.0))


@helper
def _reversed_resets(way, harder, law, share):
    """Dose of SET of a mean device at a share of RESET pulses, reversed; ``harder`` is a factor of the device's voltage."""
    if way <= 0.0:
        return 0.0
    p = law[7]
    largest = (way * (law[5] * harder) ** p * law[10] * (p + 1.0)) ** (1.0 / (p + 1.0))
    return math.exp((share * largest - law[2]) / law[4]) / (1.0 - math.exp(-law[10] * share / law[4]))


@helper
def _fill_pulses(start, target, held, set_trait, reset_trait, law, pulses):
    """What a write adds to the doses of others."""
    share, away = law[0], target - start
    harder_set, harder_reset = law[2] * law[3] * set_trait, 1.0 + law[6] * reset_trait
    if held:
        up, down = (law[13], 0.0) if away > 0.0 else (0.0, law[14])
        harder_set, harder_reset = 0.0, 1.0
    elif away > 0.0:
        peak = min(target + law[11] * away, 0.5 * (target + law[9]))
        up, down = _way(start, peak, law[9]), _way(peak, target, law[8])
    else:
        dip = max(target + law[12] * away, 0.5 * (target + law[8]))
        up, down = _way(dip, target, law[9]), _way(start, dip, law[8])
    pulses[0] = _sets(up, harder_set, law, share)
    pulses[1] = max(down, 0.0) * (share * harder_reset) ** law[7]
    pulses[2] = _reversed_resets(down, harder_reset, law, share) if law[1] > 0.0 else 0.0
    pulses[3] = _reversed_sets(up, harder_set, law, share) if law[1] > 0.0 else 0.0


@helper
def _doses(d, word_lines, bit_lines, arrays, pulses, on_words, on_bits, on_arrays, law):
    """Doses of SET and RESET of a device from the sums on its lines and its array."""
    w, b, a = word_lines[d], bit_lines[d], arrays[d]
    up = on_words[w, 0] + on_bits[b, 0]
    down = on_words[w, 1] + on_bits[b, 1]
    if law[1] > 0.0:
        up += max(on_arrays[a, 0] - on_words[w, 2] - on_bits[b, 2], 0.0)
        down += max(on_arrays[a, 1] - on_words[w, 3] - on_bits[b, 3], 0.0)
    return law[15] * up * pulses[d, 4], law[15] * down * pulses[d, 5]


@helper
def _add(pulses, w, b, a, on_words, on_bits, on_arrays):
    """Add the pulses of a write to the sums."""
    for kind in range(4):
        on_words[w, kind] += pulses[kind]
        on_bits[b, kind] += pulses[kind]
    on_arrays[a, 0] += pulses[2]
    on_arrays[a, 1] += pulses[3]
    on_arrays[a, 2] += 1.0


@helper
def _flow(up, down, law):
    """Constant and factor after these doses."""
    total = up + down
    if total == 0.0:
        return 0.0, 1.0
    factor = math.exp(-total)
    return (up * law[9] + down * law[8]) / total * (1.0 - factor), factor


@helper
def _wander(age, later, trait, walk, law):
    """Drift and fluctuation during ``later`` writes after the first ``age`` ones; a device never written is at rest."""
    if age < 0.0 or later == 0.0:
        return 0.0
    pace, end = math.exp(-age / law[19]), math.exp(-(age + later) / law[19])
    drifted = law[19] * (pace - end) * (law[16] + law[17] * trait)
    return law[15] * (drifted + law[18] * math.sqrt(0.5 * law[19] * (pace * pace - end * end)) * walk)


@kernel
def disturb(sequence, word_lines, bit_lines, arrays, due, stuck, before, targets, traits, walks, ages, law, pulses, on_words,
            on_bits, on_arrays, constant, factor):
    """Fill ``constant`` and ``factor``, of what a device's own write left or, where it was not due, of ``before``; returns
    the number of writes."""
    n_writes = 0
    for chip in range(due.shape[0]):
        of = chip if targets.shape[0] > 1 else 0
        on_words[:], on_bits[:], on_arrays[:] = 0.0, 0.0, 0.0
        for k in range(len(sequence)):
            d = sequence[k]
            set_trait, reset_trait = _cut(traits[chip, 0, d]), _cut(traits[chip, 1, d])
            pulses[d, 4] = math.exp(-law[2] * law[3] * set_trait / law[4])
            pulses[d, 5] = (1.0 + law[6] * reset_trait) ** -law[7]
            if not due[chip, d]:
                continue
            up, down = _doses(d, word_lines, bit_lines, arrays, pulses, on_words, on_bits, on_arrays, law)
            held = stuck[chip, d]
            left, share = _flow(up, down, law)
            start = before[chip, d] if held else left + share * before[chip, d]
            _fill_pulses(start, targets[of, d], held, set_trait, reset_trait, law, pulses[d])
            _add(pulses[d], word_lines[d], bit_lines[d], arrays[d], on_words, on_bits, on_arrays)
            n_writes += 1
        _suffer(chip, sequence, word_lines, bit_lines, arrays, due, stuck, traits, walks, ages, law, pulses, on_words,
                on_bits, on_arrays, constant, factor)
    return n_writes


@helper
def _suffer(chip, sequence, word_lines, bit_lines, arrays, due, stuck, traits, walks, ages, law, pulses, on_words, on_bits,
            on_arrays, constant, factor):
    """Devices that are not written suffer all writes, the others those that are later."""
    for of_all in (True, False):
        if not of_all:
            on_words[:], on_bits[:], on_arrays[:] = 0.0, 0.0, 0.0
        for k in range(len(sequence) - 1, -1, -1):
            d = sequence[k]
            if due[chip, d] == of_all:
                continue
            up, down = _doses(d, word_lines, bit_lines, arrays, pulses, on_words, on_bits, on_arrays, law)
            left, share = _flow(up, down, law)
            age, later = ages[chip, d], on_arrays[arrays[d], 2]
            if due[chip, d]:
                age = 0.0
                _add(pulses[d], word_lines[d], bit_lines[d], arrays[d], on_words, on_bits, on_arrays)
            left += _wander(age, later, _cut(traits[chip, 2, d]), walks[chip, d], law)
            constant[chip, d] = 0.0 if stuck[chip, d] else left
            factor[chip, d] = 1.0 if stuck[chip, d] else share
            if age >= 0.0:
                ages[chip, d] = age + later
    return 0
