"""What happens on a simulated array: time passes, pulses switch devices, readings see them. One call is one step or a pass.

A pulse is integrated in time. The selected device is the port of the circuit, so the voltages follow its conductance without
another solution: V_k = A (v_k - z_k i), i = v / (1 / h + z) at the port. A step is so short that the rate of the selected
device changes by at most a twentieth within it, and is taken with the rate in its middle. Others move little in one pulse:
what they take from the port is added up to first order, and beyond a limit the circuit is solved anew.

symbol    shape           meaning                                                                  unit
f, lines  see port_kernel
c         (N_NUMBERS,)    the chip's numbers: model, place in the circuits, clock, energies
k         (N_COUNTS,)     its whole numbers: size, what is selected, draws used, pulses, reads
active    (M N,) int64    devices that a pulse may reach
noise     (n,)            normal draws; k[DRAWN] of them are used. The caller fills it up: kernels draw nothing
done      (M N,) int8     outcome of each device's tuning (-1 none); pulses (M N,) int64 given to each
goals     (M N,)          targets; due (M N,) bool, sequence (M N,) int64 devices in their turn            S
sets, resets (n,)         amplitudes of the pulses, weakest first                                  V
"""

import math

import numpy as np

from tiocross.jit import helper, kernel
from tiocross.lab.port_kernel import (
    D, DRIFTS, FACTORS, FREE, G, HELD_B, HELD_W, PACES, READINGS, RESETS, SECANTS, SETS, SOURCE_B, SOURCE_W, V_PULSE, V_READ,
    Z_PULSE, Z_READ, factor, solve_array,
)

(WIRE, SERIES, COMPLIANCE, QUIET, ON, OFF, SET_SCALE, EXPONENT, WIDTH_0, CYCLE, SETTLING, FLUCTUATION, V_0, READ_VOLTS, SLOPE,
 READ_NOISE, READ_STEP, READ_OFFSET, EDGES, READ_TIME, OVERHEAD, OTHER_WORDS, OTHER_BITS, READ_WORDS, READ_BITS,
 CLOCK, SINCE_OTHERS, SINCE_PORT, STALE, LESS, POWER, DRIVER, DRIVER_GAIN, BESIDE, GAIN, STALE_READ, LESS_READ, PULSE_ENERGY,
 READ_ENERGY, AMPLITUDE, WIDTH, TOLERANCE, GOAL, READING, AT_LIMIT, FINENESS, N_NUMBERS) = range(47)  # of c
(ROWS, COLUMNS, PORT, PULSE_PORT, READ_PORT, DRAWN, N_ACTIVE, N_PULSES, N_READS, N_SOLVED, FLOATS, GROUNDED, ROW, COLUMN,
 STAGE, TURN, GIVEN, REVERSALS, POLARITY, LEVEL, INSIDE, FAILED, LIMITED, CONFIRMATIONS, MOST_PULSES, MOST_REVERSALS,
 MOST_LIMITED, ALLOWED, N_COUNTS) = range(29)  # of k
PULSE, READ, READ_ALL, WAIT, PASS = range(5)  # what a call is for
FINISHED, MORE_NOISE = range(2)  # what it returns
OPEN_PULSE, OPEN_READ, WHOLE_READ = range(3)  # circuits
BEGIN, LOOK, GIVE = range(3)  # stages of a pass
CONVERGED, BUDGET, STUCK_LOW, STUCK_HIGH, ABORTED, READ_ERROR = range(6)  # as OUTCOMES of write_verify
_MOST_STALE = 5e-4  # share of the port's voltage that others may take before the circuit is solved anew
_SECANT_CHANGE = 1e-4  # of a device's conductance at read, relative, below which it counts as found
_MOST_SECANTS = 300
_LEAST_STEP = 1e-6  # of the width of a pulse
_LEAST_REACHED = 0.02  # of the amplitude: 0.2 V of 10 V; devices that see less keep their state


# Time.

@helper
def _pass_time(f, c, k, noise):
    """Drift and fluctuation of all devices until now; what was solved is of another array then."""
    clock, settling = c[CLOCK], c[SETTLING]
    if clock > min(c[SINCE_OTHERS], c[SINCE_PORT]):
        at = k[DRAWN]
        k[DRAWN] += k[ROWS] * k[COLUMNS]
        rest = math.exp((c[SINCE_OTHERS] - clock) / settling)
        walk = c[FLUCTUATION] * math.sqrt(0.5 * settling * (1.0 - rest * rest))
        for q in range(k[ROWS] * k[COLUMNS]):
            if q != k[PORT] and f[PACES, q] > 0.0 and f[FREE, q] > 0.0:
                _drift(f, q, settling * (1.0 - rest), walk * noise[at + q], rest)
        if k[PORT] >= 0:
            _pass_time_at_port(f, c, k, noise[at + k[PORT]])
        k[PULSE_PORT] = k[READ_PORT] = -1
    c[SINCE_OTHERS] = c[SINCE_PORT] = clock


@helper
def _pass_time_at_port(f, c, k, draw):
    """The same for the selected device alone."""
    q, settling = k[PORT], c[SETTLING]
    if c[CLOCK] > c[SINCE_PORT] and f[PACES, q] > 0.0 and f[FREE, q] > 0.0:
        rest = math.exp((c[SINCE_PORT] - c[CLOCK]) / settling)
        walk = c[FLUCTUATION] * math.sqrt(0.5 * settling * (1.0 - rest * rest))
        _drift(f, q, settling * (1.0 - rest), walk * draw, rest)
    c[SINCE_PORT] = c[CLOCK]


@helper
def _drift(f, q, seconds, walk, rest):
    pace = f[PACES, q]
    f[G, q] = min(max(f[G, q] + pace * (seconds * f[DRIFTS, q] + walk), 0.0), 1.0)
    f[PACES, q] = pace * rest


@helper
def _select(f, c, k, noise, port):
    """Turn to a device: for all others time has passed."""
    if port != k[PORT]:
        _pass_time(f, c, k, noise)
        k[PORT] = port
    else:
        k[DRAWN] += 1
        _pass_time_at_port(f, c, k, noise[k[DRAWN] - 1])


# Circuits.

@helper
def _drive(lines, k, port, volts, words, bits):
    """Sources of all lines where the port's word line is at ``volts`` and its bit line at 0 V; NaN for others that float."""
    for i in range(k[ROWS]):
        own = i == port // k[COLUMNS]
        lines[HELD_W, i] = 1.0 if own or not math.isnan(words) else 0.0
        lines[SOURCE_W, i] = volts if own else (words * volts if not math.isnan(words) else 0.0)
    for j in range(k[COLUMNS]):
        own = j == port % k[COLUMNS]
        lines[HELD_B, j] = 1.0 if own or not math.isnan(bits) else 0.0
        lines[SOURCE_B, j] = bits * volts if not (own or math.isnan(bits)) else 0.0


@helper
def _solve(f, lines, c, k, port, what):
    """Solve a circuit: OPEN_PULSE and OPEN_READ with the port open, WHOLE_READ with its device. Of a reading the secants are
    repeated until they are those of the voltages, damped where the law bends so much that they would not settle."""
    m, n, is_pulse, is_open = k[ROWS], k[COLUMNS], what == OPEN_PULSE, what != WHOLE_READ
    volts, falls = V_PULSE if is_pulse else V_READ, Z_PULSE if is_pulse else Z_READ
    _drive(lines, k, port, 1.0 if is_pulse else c[READ_VOLTS], c[OTHER_WORDS if is_pulse else READ_WORDS],
           c[OTHER_BITS if is_pulse else READ_BITS])
    first = port // n * n if k[GROUNDED] > 0 else 0  # grounded, all other word lines' devices see some millivolts
    end, share, last = first + n if k[GROUNDED] > 0 else m * n, 1.0, 1e300
    for trial in range(_MOST_SECANTS):
        for q in range(m * n):
            secant = 1.0 if is_pulse else (f[SECANTS, q] if first <= q < end else c[SLOPE])
            f[D, q] = _branch(c, f[G, q] * secant)
        if is_open:
            f[D, port] = 0.0
        factor(f, lines, m, n, c[WIRE])
        solve_array(f, lines, m, n, c[WIRE], port, is_open, volts, falls)
        if is_pulse:
            break
        change, current = 0.0, _current_at_port(f, c, port, f[V_READ, port]) if is_open else 0.0
        for q in range(first, end):
            if q != port or not is_open:
                before = f[SECANTS, q]
                secant = _secant(f, c, q, f[V_READ, q] - f[Z_READ, q] * current)
                change = max(change, abs(secant - before))
                f[SECANTS, q] = before + share * (secant - before)
        if change <= _SECANT_CHANGE:
            break
        share, last = max(0.7 * share, 0.02) if change > 0.7 * last else share, change
    k[N_SOLVED] += 1


@helper
def _take_pulse(f, lines, c, k, active):
    """What a solved pulse says of the port, the sources and the devices that are reached."""
    m, n, port, n_active, power, driver, gain = k[ROWS], k[COLUMNS], k[PORT], 0, 0.0, 0.0, 1.0
    for i in range(m):
        for j in range(n):
            q = i * n + j
            power += (lines[SOURCE_W, i] - lines[SOURCE_B, j]) * f[D, q] * f[V_PULSE, q]
            if q == port or abs(f[V_PULSE, q]) > _LEAST_REACHED:
                active[n_active] = q
                n_active += 1
            if i == port // n:
                driver += f[D, q] * f[V_PULSE, q]
                gain -= f[D, q] * f[Z_PULSE, q]
    c[POWER], c[DRIVER], c[DRIVER_GAIN], c[STALE], c[LESS] = power, driver, gain, 0.0, 0.0
    k[N_ACTIVE], k[PULSE_PORT] = n_active, port


@helper
def _sensed(f, c, k, column, is_open):
    """Current of a bit line from the voltages of a reading [A], that of an open port left out; and how much of the port's
    current is sensed."""
    current, gain = 0.0, 1.0
    for q in range(column, k[ROWS] * k[COLUMNS], k[COLUMNS]):
        current += f[D, q] * f[V_READ, q]
        if is_open:
            gain -= f[D, q] * f[Z_READ, q]
    return current, gain


@helper
def _branch(c, g):
    """A device and what is in series with it [S]."""
    return g / (1.0 + c[SERIES] * g)


@helper
def _secant(f, c, q, volts):
    """Of a device at a voltage across it and what is in series with it."""
    x = volts / (1.0 + c[SERIES] * f[G, q] * f[SECANTS, q]) / c[V_0]
    return c[SLOPE] * (math.sinh(x) / x if abs(x) > 1e-6 else 1.0)


@helper
def _current_at_port(f, c, port, opened):
    """Current of the port's device [A] at its open voltage, by Newton's method from above: the law bends upwards."""
    g, r = f[G, port] * c[SLOPE], f[Z_READ, port] + c[SERIES]
    volts = opened / (1.0 + r * g)
    for trial in range(50):
        exponential = math.exp(volts / c[V_0])
        current = 0.5 * g * c[V_0] * (exponential - 1.0 / exponential)
        slope = 0.5 * g * (exponential + 1.0 / exponential)
        step = (volts + r * current - opened) / (1.0 + r * slope)
        volts -= step
        if abs(step) <= 1e-9 * abs(opened):
            break
    return g * c[V_0] * math.sinh(volts / c[V_0])


# Pulses.

@helper
def _log_rate(f, c, q, volts, width_share):
    """Logarithm of how far a pulse of so many reference widths, a logarithm, drives a device at a voltage across it."""
    if volts > 0.0:
        return width_share + (volts - f[SETS, q]) / c[SET_SCALE]
    return width_share + c[EXPONENT] * math.log(-volts / f[RESETS, q])


@helper
def _share(log_rate):
    """Of the way to the end, 1 - exp(-r)."""
    r = math.exp(min(log_rate, 50.0))
    return r * (1.0 - r * (0.5 - r * (1.0 / 6.0 - r * (1.0 / 24.0)))) if r < 1e-3 else 1.0 - math.exp(-r)


@helper
def _moved(c, g, volts, share):
    """A conductance after a share of the way to the end of a polarity; nothing comes back from beyond an end."""
    way = (c[ON] if volts > 0.0 else c[OFF]) - g
    return g + way * share if (way > 0.0) == (volts > 0.0) else g


@helper
def _port_current(f, c, port, g):
    """Current through the port per volt of amplitude [A/V], for a conductance of its device."""
    h = _branch(c, g)
    return h * (f[V_PULSE, port] - c[LESS]) / (1.0 + h * f[Z_PULSE, port])


@helper
def _held_back(c, amplitude, current):
    """Amplitude that the compliance of the word line's driver leaves."""
    drawn = abs(amplitude * (c[DRIVER] + c[DRIVER_GAIN] * current))
    return amplitude * (c[COMPLIANCE] / drawn) if drawn > c[COMPLIANCE] else amplitude


@helper
def _volts(f, c, q, amplitude, current):
    """Across a device other than the port's."""
    return amplitude * (f[V_PULSE, q] - f[Z_PULSE, q] * current) / (1.0 + c[SERIES] * f[G, q])


@helper
def _port_volts(c, g, amplitude, current):
    return amplitude * current / g if g > 0.0 else amplitude


@helper
def _begin_pulse(f, c, k, active, noise):
    """Draw the speed of every device that the pulse reaches; returns whether the selected one is among them."""
    port, amplitude, reached = k[PORT], c[AMPLITUDE], False
    current = _port_current(f, c, port, f[G, port])
    amplitude = _held_back(c, amplitude, current)
    for a in range(k[N_ACTIVE]):
        q = active[a]
        volts = _port_volts(c, f[G, port], amplitude, current) if q == port else _volts(f, c, q, amplitude, current)
        f[FACTORS, q] = math.nan
        if abs(volts) > c[QUIET] and f[FREE, q] > 0.0:
            f[FACTORS, q] = c[CYCLE] * noise[k[DRAWN]]
            k[DRAWN] += 1
            reached = reached or q == port
    return reached


@helper
def _middle(f, c, port, current, width):
    """Current and amplitude at the port in the middle of a step of so many reference widths, the logarithm of its rate there
    and by how much that differs from the one at the beginning, where the current is ``current``."""
    amplitude = _held_back(c, c[AMPLITUDE], current)
    if math.isnan(f[FACTORS, port]):
        return current, amplitude, 0.0, 0.0
    g, log_width = f[G, port], f[FACTORS, port] + math.log(width)
    rate = _log_rate(f, c, port, _port_volts(c, g, amplitude, current), log_width)
    half = _moved(c, g, amplitude, _share(rate - 0.6931471805599453))
    current = _port_current(f, c, port, half)
    amplitude = _held_back(c, c[AMPLITUDE], current)
    middle = _log_rate(f, c, port, _port_volts(c, half, amplitude, current), log_width)
    return current, amplitude, middle, abs(middle - rate)


@helper
def _give_pulse(f, c, k, active):
    """Integrate the pulse, step by step."""
    port, left, step, width = k[PORT], 1.0, 1.0, c[WIDTH] / c[WIDTH_0]
    while left > 0.0:
        step = min(step, left)
        start = _port_current(f, c, port, f[G, port])
        current, amplitude, rate, change = _middle(f, c, port, start, width * step)
        if change > c[FINENESS] and step > _LEAST_STEP:
            step *= 0.5
            continue
        c[PULSE_ENERGY] += c[WIDTH] * step * amplitude * amplitude * (
            c[POWER] + (f[V_PULSE, port] - c[LESS]) * current)
        for a in range(k[N_ACTIVE]):
            q = active[a]
            if q == port or math.isnan(f[FACTORS, q]):
                continue
            volts = _volts(f, c, q, amplitude, current)
            share = _share(_log_rate(f, c, q, volts, f[FACTORS, q] + math.log(width * step)))
            _disturb(f, c, q, _moved(c, f[G, q], volts, share))
        if not math.isnan(f[FACTORS, port]):
            f[G, port] = _moved(c, f[G, port], amplitude, _share(rate))
        left -= step
        step *= 2.0


@helper
def _disturb(f, c, q, g):
    """Give a device other than the port's a conductance; what that takes from the port, to first order."""
    change = _branch(c, g) - _branch(c, f[G, q])
    f[G, q] = g
    taken = f[Z_PULSE, q] * change
    c[LESS] += taken * f[V_PULSE, q]
    c[LESS_READ] += taken
    c[POWER] += change * f[V_PULSE, q] * f[V_PULSE, q]
    c[STALE] += abs(taken * f[V_PULSE, q])
    c[STALE_READ] += abs(taken)


# Readings.

@helper
def _seen(f, c, k, noise, current):
    """A current after noise and converter, as a conductance; what is below zero is none [S]."""
    current *= 1.0 + c[READ_NOISE] * noise[k[DRAWN]]
    k[DRAWN] += 1
    k[N_READS] += 1
    if c[READ_STEP] > 0.0:
        current = np.rint((current - c[READ_OFFSET]) / c[READ_STEP]) * c[READ_STEP] + c[READ_OFFSET]
    return max(current, 0.0) / c[READ_VOLTS]


@helper
def _missing(c, k, action):
    """The circuit that has to be solved before something is done at the port, or -1."""
    if action == PULSE:
        is_known = k[PULSE_PORT] == k[PORT] and c[STALE] <= _MOST_STALE and k[FLOATS] == 0
        return -1 if is_known else OPEN_PULSE
    if action == READ_ALL or k[GROUNDED] == 0:
        return WHOLE_READ
    return -1 if k[READ_PORT] == k[PORT] and c[STALE_READ] <= _MOST_STALE else OPEN_READ


@helper
def _look(f, c, k, noise, port, what):
    """Reading of a device [S]; ``what`` was solved for it."""
    current, gain = c[BESIDE], c[GAIN]
    if what >= 0:
        current, gain = _sensed(f, c, k, port % k[COLUMNS], what == OPEN_READ)
    if what == OPEN_READ:
        c[BESIDE], c[GAIN], c[STALE_READ], c[LESS_READ], k[READ_PORT] = current, gain, 0.0, 0.0, port
    if what != WHOLE_READ:
        current += gain * _current_at_port(f, c, port, f[V_READ, port] * (1.0 - c[LESS_READ]))
    c[READ_ENERGY] += c[READ_VOLTS] * abs(current) * c[READ_TIME]
    return _seen(f, c, k, noise, current)


@helper
def _act(action, f, lines, c, k, active, noise):
    """A pulse or a reading of the selected device, or readings of all, each alone."""
    port, end, step, what = k[PORT], k[PORT] + 1, 1, _missing(c, k, action)
    if action == READ_ALL:
        port, end, step = 0, k[ROWS] * k[COLUMNS], k[COLUMNS] if k[GROUNDED] > 0 else 1  # one circuit serves a word line
    for p in range(port, end, step):
        if what >= 0:
            _solve(f, lines, c, k, p, what)
        if action == PULSE:
            if what >= 0:
                _take_pulse(f, lines, c, k, active)
            if _begin_pulse(f, c, k, active, noise):
                f[PACES, p] = 1.0
            _give_pulse(f, c, k, active)
        else:
            for q in range(p, p + step):
                f[READINGS, q] = _look(f, c, k, noise, q, what)
    c[CLOCK] += c[OVERHEAD] + (c[WIDTH] + c[EDGES] if action == PULSE else (end - port) * c[READ_TIME])
    k[N_PULSES] += 1 if action == PULSE else 0
    if what == WHOLE_READ:
        k[PULSE_PORT] = k[READ_PORT] = -1


# Write-verify, decision by decision as `WriteVerify`.

@helper
def _begin(c, k, goal):
    c[GOAL], c[READING], c[AT_LIMIT] = goal, math.nan, math.nan
    for place in (GIVEN, REVERSALS, POLARITY, LEVEL, INSIDE, FAILED, LIMITED):
        k[place] = 0
    k[STAGE] = LOOK


@helper
def _decide(c, k, sets, resets, g):
    """What follows a reading: the code of an outcome, or -1 with the stage set to what is next."""
    c[READING], goal = g, c[GOAL]
    failed = not 0.0 <= g <= 1.0
    if failed or k[GIVEN] == 0 and g > (30.0 if g > 0.01 else 100.0) * goal:
        k[INSIDE], k[FAILED] = 0, k[FAILED] + 1
        return (READ_ERROR if failed else STUCK_HIGH) if k[FAILED] > 2 else -1
    margin, error = c[TOLERANCE] * goal, g - goal
    if -margin <= error <= margin:
        k[INSIDE], k[LIMITED] = k[INSIDE] + 1, 0
        return CONVERGED if k[INSIDE] >= k[CONFIRMATIONS] else -1
    k[INSIDE] = 0
    return _choose_pulse(c, k, sets if error < 0.0 else resets, 1 if error < 0.0 else -1, g)


@helper
def _choose_pulse(c, k, ladder, polarity, g):
    turns_back = k[POLARITY] == -polarity
    if polarity != k[POLARITY]:
        k[POLARITY], k[LEVEL], k[LIMITED] = polarity, 0, 0
    elif k[LIMITED] >= k[MOST_LIMITED]:
        if polarity * (g - c[AT_LIMIT]) <= c[TOLERANCE] * max(c[GOAL], c[AT_LIMIT]):
            return STUCK_LOW if polarity > 0 else STUCK_HIGH
        k[LIMITED] = 0
    if k[ALLOWED] * polarity < 0 or k[GIVEN] >= k[MOST_PULSES] or turns_back and k[REVERSALS] >= k[MOST_REVERSALS]:
        return BUDGET
    c[AMPLITUDE] = ladder[k[LEVEL]]
    if k[LEVEL] < len(ladder) - 1:
        k[LEVEL] += 1
    else:
        c[AT_LIMIT] = c[AT_LIMIT] if k[LIMITED] > 0 else g
        k[LIMITED] += 1
    k[GIVEN] += 1
    k[REVERSALS] += 1 if turns_back else 0
    k[FAILED], k[STAGE] = 0, GIVE
    return -1


@helper
def _next(c, k, goals, due, sequence):
    """What is to be done next in a pass, and at which device; READ_ALL is the last."""
    while k[STAGE] == BEGIN:
        if k[TURN] == len(sequence):
            return READ_ALL, -1
        if due[sequence[k[TURN]]]:
            _begin(c, k, goals[sequence[k[TURN]]])
        else:
            k[TURN] += 1
    return PULSE if k[STAGE] == GIVE else READ, sequence[k[TURN]]


@helper
def _follow(f, c, k, action, port, sets, resets, done, pulses):
    """Take in what was done in a pass."""
    if action == PULSE:
        pulses[port] += 1
        k[STAGE] = LOOK
    elif action == READ:
        outcome = _decide(c, k, sets, resets, f[READINGS, port])
        if outcome >= 0:
            done[port] = outcome
            k[TURN] += 1
            k[STAGE] = BEGIN


@kernel
def operate(job, f, lines, c, k, active, noise, goals, due, sequence, sets, resets, done, pulses):
    """Do a job, of PULSE, READ, READ_ALL, WAIT, PASS; returns MORE_NOISE where more draws are needed to go on."""
    while len(noise) - k[DRAWN] >= 2 * k[ROWS] * k[COLUMNS] + 2:
        action, port = job, k[ROW] * k[COLUMNS] + k[COLUMN]
        if job == PASS:
            action, port = _next(c, k, goals, due, sequence)
        if action == WAIT:
            c[CLOCK] += c[WIDTH]
        if action == PULSE or action == READ:
            _select(f, c, k, noise, port)
        else:
            _pass_time(f, c, k, noise)
            k[PORT] = -1 if action == READ_ALL else k[PORT]
        if action != WAIT:
            _act(action, f, lines, c, k, active, noise)
        if job != PASS or action == READ_ALL:
            return FINISHED
        _follow(f, c, k, action, port, sets, resets, done, pulses)
    return MORE_NOISE
