"""Slow, obvious references. NumPy only, nothing of tiocross.

Crossbars with any wires, ends and devices: `dense_circuit`, the one oracle of the circuit equations, and closed forms.

Symbols: M word lines i, N bit lines j. Word line i joins its left end, nodes (i, 0) .. (i, N-1) and its right end; bit
line j its top end, nodes (0, j) .. (M-1, j) and its bottom end. An end that is NaN floats. Positive end currents flow
into the array, positive device currents from word line to bit line. Closed forms quote their number in FACTS.md section 5.
"""

from typing import NamedTuple

import numpy as np

LONG = np.longdouble


class EndCurrents(NamedTuple):
    left: np.ndarray  # (M,) [A] into the array, as all four
    right: np.ndarray
    top: np.ndarray  # (N,)
    bottom: np.ndarray


class DenseSolution(NamedTuple):
    word_line_voltages: np.ndarray  # (M, N) [V]
    bit_line_voltages: np.ndarray
    device_voltages: np.ndarray  # rounded after the subtraction, so better than the difference of the two above
    device_currents: np.ndarray  # (M, N) [A]
    end_currents: EndCurrents
    device_power: float  # [W]
    wire_power: float  # [W], source and sense resistances and end segments included


# --- the circuit ---------------------------------------------------------------------------------------------------------


def dense_circuit(conductances, left, right, top, bottom, *, word_line_resistance, bit_line_resistance,
                  source_resistance=0.0, sense_resistance=0.0, iv=None):
    """Solve one array: node voltages by Newton's method, currents along each line by Kirchhoff's current law.

    conductances (M, N) [S]; left, right (M,) and top, bottom (N,) or scalars [V], NaN where floating; resistances scalar
    or one per line [ohm], zero allowed, or of wires one per segment, (M, N + 1) from the left and (M + 1, N) from the top,
    infinite where broken: nodes that no path joins to a connected end are NaN then; iv None, ("sinh", v0) with
    I = G v0 sinh(V / v0) or ("cubic", c) with I = G (V + c V^3) or ("polynomial", (a, b)) with
    I = G (V + a V^2 + b V^3), v0 [V], c and b [1/V^2], a [1/V] scalar or (M, N). Raises ValueError where, without a broken
    segment, a line has no path to a connected end, and where both ends of a line without any resistance are connected (the
    split of the current is undetermined, or the two voltages contradict each other).

    Accuracy: everything is in np.longdouble (64-bit mantissa on x86) until the record is filled, the linear systems are
    solved without a subtraction (``star_mesh``), Newton steps go on until they are rounding. So voltages are right to
    about 1e-17 of the largest end voltage and then rounded to float64, whatever the ratio of wires to devices; a current
    is right to about 1e-17 of what its line's devices would carry at that voltage. Where np.longdouble is np.float64,
    read 1e-14 for 1e-17.
    """
    g, ends, along_word, along_bit = _arrange(conductances, left, right, top, bottom, word_line_resistance,
                                              bit_line_resistance, source_resistance, sense_resistance)
    nodes, wires, fixed = _join(g.shape, ends, along_word, along_bit)
    n = g.size
    devices = (nodes[:n], nodes[n : 2 * n], g.ravel())
    broken = np.isinf(along_word).any() or np.isinf(along_bit).any()
    lost = _lost_nodes(nodes.max() + 1, len(fixed), (wires, devices)) if broken else np.zeros(0, int)
    # Whatever voltage lost nodes are given, nothing flows: each is tied to the first fixed node, and forgotten.
    ties = lost, np.full(len(lost), nodes.max() + 1 - len(fixed)), np.ones(len(lost), LONG)
    wires = tuple(np.concatenate(pair) for pair in zip(wires, ties))
    volts = _newton(nodes.max() + 1, fixed, wires, devices, _device_law(iv, g.shape))
    volts[lost] = np.nan
    word, bit = (volts[nodes[k * n : (k + 1) * n]].reshape(g.shape) for k in range(2))
    across = np.where(np.isnan(word - bit), 0, word - bit)
    current = _device_law(iv, g.shape)[0](g.ravel(), across.ravel()).reshape(g.shape)
    in_word = np.array([_line_currents(ends[0][i], ends[1][i], current[i], along_word[i]) for i in range(len(g))])
    in_bit = np.array([_line_currents(ends[2][j], ends[3][j], -current[:, j], along_bit[j]) for j in range(g.shape[1])])
    entering = (in_word[:, 0], -in_word[:, -1], in_bit[:, 0], -in_bit[:, -1])
    entering = (np.where(np.isnan(end), 0, amps).astype(float) for end, amps in zip(ends, entering))
    return DenseSolution(
        word.astype(float), bit.astype(float), (word - bit).astype(float), current.astype(float), EndCurrents(*entering),
        device_power=float((current * across).sum()),
        wire_power=float(sum((np.where(np.isinf(along), 0, along) * amps**2).sum()
                             for along, amps in ((along_word, in_word), (along_bit, in_bit)))),
    )


# Activations as formulas, of real and complex arrays; those with kinks go by the real part, as their derivatives do.
ACTIVATION_FORMULAS = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.where(np.real(x) > 0, x, 0.0),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "hardtanh": lambda x: np.where(np.abs(np.real(x)) < 1, x, np.sign(np.real(x))),
    "linear": lambda x: x,
}


def dense_crossbar(conductances, voltages, wire_resistance):
    """Currents out [A] and node voltages [V] of one array: word lines driven at the left, bit lines at 0 V at the bottom."""
    solution = dense_circuit(**plain_read(conductances, voltages, wire_resistance))
    return -solution.end_currents.bottom, solution.word_line_voltages, solution.bit_line_voltages


def plain_read(conductances, voltages, wire_resistance):
    """Arguments of ``dense_circuit`` for one array whose word lines are driven at the left, bit lines at 0 V at the bottom."""
    return {"conductances": conductances, "left": voltages, "right": np.nan, "top": np.nan, "bottom": 0.0,
            "word_line_resistance": wire_resistance, "bit_line_resistance": wire_resistance}


def _arrange(conductances, left, right, top, bottom, r_word, r_bit, r_source, r_sense):
    """Conductances, the four ends, and the resistances met along each line: (M, N + 1) and (N, M + 1)."""
    g = np.asarray(conductances, dtype=LONG)
    m, n = g.shape
    ends = zip((left, right, top, bottom), (m, m, n, n))
    ends = [np.broadcast_to(np.asarray(end, dtype=LONG), lines) for end, lines in ends]
    along = []
    for wire, extra, lines, segments in ((r_word, r_source, m, n + 1), (r_bit, r_sense, n, m + 1)):
        wire, extra = np.asarray(wire, dtype=LONG), np.broadcast_to(np.asarray(extra, dtype=LONG), lines)
        if wire.ndim == 2:
            resistances = (wire.T if along else wire).copy()  # word lines come first
        else:
            resistances = np.repeat(np.broadcast_to(wire, lines)[:, None], segments, axis=1)
        resistances[:, 0] += extra
        resistances[:, -1] += extra
        along.append(resistances)
    return g, ends, *along


def _join(shape, ends, along_word, along_bit):
    """Nodes after merging those that zero resistance joins, wires (p, q, siemens), voltages of the fixed nodes.

    Before merging: word-line nodes, bit-line nodes, left, right, top, bottom ends.
    """
    m, n = shape
    word, bit = np.arange(m * n).reshape(shape), np.arange(m * n, 2 * m * n).reshape(shape)
    left, right = (2 * m * n + k * m + np.arange(m) for k in range(2))
    top, bottom = (2 * m * n + 2 * m + k * n + np.arange(n) for k in range(2))
    lines = [([left[i], *word[i], right[i]], along_word[i], ends[0][i], ends[1][i]) for i in range(m)]
    lines += [([top[j], *bit[:, j], bottom[j]], along_bit[j], ends[2][j], ends[3][j]) for j in range(n)]
    parent = list(range(2 * (m * n + m + n)))

    def find(p):
        while parent[p] != p:
            p = parent[p]
        return p

    wires, fixed = [], {}
    for path, resistances, first, last in lines:
        if not resistances.sum() > 0 and not np.isnan(first) and not np.isnan(last):
            raise ValueError("both ends of a line without resistance are connected: its currents are undetermined")
        links = list(zip(path, path[1:], resistances))
        links = links[int(np.isnan(first)) : len(links) - int(np.isnan(last))]  # a floating end is no node
        for p, q, r in links:
            if r == 0:
                parent[find(p)] = find(q)
            elif r < np.inf:
                wires.append((p, q, 1 / r))
        fixed.update({path[k]: volts for k, volts in ((0, first), (-1, last)) if not np.isnan(volts)})
    # Free nodes first, then fixed ones; a floating end shares the number of the first node and takes part in nothing.
    roots = [find(p) for p in range(len(parent))]
    known = {roots[p]: volts for p, volts in fixed.items()}
    free = sorted(set(roots[: 2 * m * n]) - set(known))
    number = {root: k for k, root in enumerate([*free, *known])}
    nodes = np.array([number.get(root, 0) for root in roots])
    p, q, siemens = ([wire[k] for wire in wires] for k in range(3))
    wires = (nodes[np.array(p, int)], nodes[np.array(q, int)], np.array(siemens, dtype=LONG))
    return nodes, wires, np.array(list(known.values()), dtype=LONG)


def _lost_nodes(n_nodes, n_fixed, branches):
    """Nodes that no path leads from to a fixed one, which are the last; by going from node to node."""
    found = np.arange(n_nodes) >= n_nodes - n_fixed
    for _ in range(n_nodes):
        for p, q, siemens in branches:
            joined = np.asarray(siemens) > 0
            found[p[joined & found[q]]] = True
            found[q[joined & found[p]]] = True
    return np.flatnonzero(~found)


def _device_law(iv, shape):
    """Current [A] and slope [S] of devices, functions of (G, V)."""
    if iv is None:
        return lambda g, v: g * v, lambda g, v: g
    kind, parameters = iv
    parameters = parameters if isinstance(parameters, tuple) else (parameters,)
    p = [np.broadcast_to(np.asarray(values, dtype=LONG), shape).ravel() for values in parameters]
    if kind == "sinh":
        return lambda g, v: g * p[0] * np.sinh(v / p[0]), lambda g, v: g * np.cosh(v / p[0])
    if kind == "cubic":
        return lambda g, v: g * (v + p[0] * v**3), lambda g, v: g * (1 + 3 * p[0] * v**2)
    if kind == "polynomial":
        return lambda g, v: g * (v + p[0] * v**2 + p[1] * v**3), lambda g, v: g * (1 + 2 * p[0] * v + 3 * p[1] * v**2)
    raise ValueError(f"unknown device law {kind!r}")


def _newton(n_nodes, fixed, wires, devices, law):
    """Voltages of all nodes, those in ``fixed`` last.

    The balanced voltages are the only minimum of the total co-content (the integrals of I dV over all branches, convex),
    whose downhill gradient is the imbalance. A Newton step goes downhill at first; it is halved until the minimum along
    it is not left far behind. The first step is the ohmic solution. Done when the next step is rounding, so whatever
    the way there, what is returned balances.
    """
    n_free = n_nodes - len(fixed)
    volts = np.concatenate([np.zeros(n_free, dtype=LONG), fixed])
    scale = np.abs(fixed).max(initial=0) or LONG(1)
    branches = ((*wires, *_device_law(None, ())), (*devices, *law))

    def imbalance(volts):
        into = np.zeros(n_nodes, dtype=LONG)
        for p, q, g, current, _ in branches:
            amps = current(g, volts[p] - volts[q])
            np.subtract.at(into, p, amps)
            np.add.at(into, q, amps)
        return into

    for _ in range(500):
        mesh = np.zeros((n_nodes, n_nodes), dtype=LONG)
        for p, q, g, _, slope in branches:
            np.add.at(mesh, (p, q), slope(g, volts[p] - volts[q]))
            np.add.at(mesh, (q, p), slope(g, volts[p] - volts[q]))
        into = imbalance(volts)
        step = np.concatenate([star_mesh(mesh, into, n_free), np.zeros(len(fixed), dtype=LONG)])
        if np.abs(step).max() <= 1e3 * np.finfo(LONG).eps * scale:
            return volts + step
        downhill = into @ step
        while -imbalance(volts + step) @ step > 0.1 * downhill:
            step = step / 2
        volts = volts + step
    raise RuntimeError(f"Newton's method has not settled: the last step is {float(np.abs(step).max()):.3g} V")


def star_mesh(mesh, into, n_free):
    """Voltages [V] of the first ``n_free`` nodes of a net, the others at zero, with currents ``into`` the nodes [A].

    ``mesh[p, q]`` is the conductance between nodes p and q [S]; the diagonal is not looked at. Nodes go one by one: a
    node k with branches g_kp is replaced by branches g_kp g_kq / sum_p g_kp between its neighbours, which share its
    current in proportion. Only positive numbers are added, multiplied and divided: no digits are lost, however far
    apart the conductances are.
    """
    mesh, into = mesh.copy(), into.copy()
    total = np.zeros(n_free, dtype=mesh.dtype)
    for k in range(n_free):
        branches = mesh[k, k + 1 :]
        total[k] = branches.sum()
        if total[k] == 0:
            raise ValueError("a node has no path to a connected end")
        into[k + 1 :] += into[k] * (branches / total[k])
        mesh[k + 1 :, k + 1 :] += branches[:, None] * (branches / total[k])
    volts = np.zeros(len(mesh), dtype=mesh.dtype)
    for k in reversed(range(n_free)):
        volts[k] = into[k] / total[k] + (mesh[k, k + 1 :] / total[k] * volts[k + 1 :]).sum()
    return volts[:n_free]


def _line_currents(first, last, leaving, resistances):
    """Currents in the segments of a line from its first to its last end, where ``leaving`` leaves at its nodes [A].

    The current falls by what leaves. It starts as all that leaves if the last end floats, as zero if the first floats;
    with both connected, the drops along the line add up to the difference of the ends. Nothing flows in a broken segment.
    """
    broken = np.flatnonzero(np.isinf(resistances))
    if len(broken):
        k = broken[0]
        resistances = np.where(np.arange(len(resistances)) == k, 0, resistances)
        before = _line_currents(first, np.nan, leaving[:k], resistances[: k + 1])
        return np.concatenate([before[:-1], [LONG(0)], _line_currents(np.nan, last, leaving[k:], resistances[k:])[1:]])
    gone = np.concatenate([np.zeros(1, dtype=LONG), np.cumsum(leaving)])
    if np.isnan(first):
        return -gone
    if np.isnan(last):
        return gone[-1] - gone
    return (first - last + (resistances * gone).sum()) / resistances.sum() - gone


def kirchhoff_sums(word_line_voltages, bit_line_voltages, conductances, left, right, top, bottom, *, word_line_resistance,
                   bit_line_resistance, source_resistance=0.0, sense_resistance=0.0, iv=None):
    """Current that arrives less current that leaves at each word-line and each bit-line node, two (M, N) arrays [A].

    Needs resistances above zero: of the wires, and of each connected end with its segment. Arguments as ``dense_circuit``.
    """
    word, bit, g = (np.asarray(values, dtype=LONG) for values in (word_line_voltages, bit_line_voltages, conductances))
    m, n = g.shape
    column = [np.broadcast_to(np.asarray(r, dtype=LONG), m)[:, None] for r in (word_line_resistance, source_resistance)]
    row = [np.broadcast_to(np.asarray(r, dtype=LONG), n)[None, :] for r in (bit_line_resistance, sense_resistance)]
    device = _device_law(iv, g.shape)[0](g.ravel(), (word - bit).ravel()).reshape(g.shape)
    word_sum, bit_sum = -device, device.copy()
    flow = (word[:, :-1] - word[:, 1:]) / column[0]  # to the right
    word_sum[:, 1:] += flow
    word_sum[:, :-1] -= flow
    flow = (bit[:-1] - bit[1:]) / row[0]  # downwards
    bit_sum[1:] += flow
    bit_sum[:-1] -= flow
    for end, j in ((left, 0), (right, -1)):
        end = np.broadcast_to(np.asarray(end, dtype=LONG), m)
        word_sum[:, j] += np.where(np.isnan(end), 0, (end - word[:, j]) / (column[0] + column[1])[:, 0])
    for end, i in ((top, 0), (bottom, -1)):
        end = np.broadcast_to(np.asarray(end, dtype=LONG), n)
        bit_sum[i] += np.where(np.isnan(end), 0, (end - bit[i]) / (row[0] + row[1])[0])
    return word_sum.astype(float), bit_sum.astype(float)


# --- random circuits -----------------------------------------------------------------------------------------------------


def random_circuit(rng, *, shape=None, zeros=True, nonlinear=False, largest_voltage=0.5, segments=False):
    """Arguments of ``dense_circuit`` for a solvable circuit, as a dict.

    shape: None draws 1 .. 9 each, never square. zeros: resistances and conductances may be zero, otherwise none is.
    nonlinear: draw a device law too. largest_voltage: ends lie within +- this [V]. segments: of the lines of one side or
    both, each segment has its own resistance, and some may be broken.
    """
    if shape is None:
        shape = tuple(int(count) for count in rng.choice(np.arange(1, 10), size=2, replace=False))
    m, n = shape
    if rng.random() < 0.5:
        g = 10 ** rng.uniform(-9, -2, shape)
        if zeros:
            g[rng.random(shape) < 0.15] = 0.0
    else:
        g = rng.uniform(100e-6, 500e-6, shape)
    names = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
    circuit = {name: _random_resistance(rng, lines, zeros) for name, lines in zip(names, (m, n, m, n))}
    for side in rng.permutation(2)[: rng.integers(1, 3)] if segments else ():
        circuit[names[side]] = _random_segments(rng, [(m, n + 1), (m + 1, n)][side], zeros)
    ends = [_random_end(rng, lines, largest_voltage) for lines in (m, m, n, n)]
    for first, last, wire, extra in ((*ends[:2], names[0], names[2]), (*ends[2:], names[1], names[3])):
        bare = np.broadcast_to(circuit[wire] == 0, len(first)) if np.ndim(circuit[wire]) < 2 else (
            circuit[wire] == 0).all(axis=1 if wire == names[0] else 0)
        bare = bare & np.broadcast_to(circuit[extra] == 0, len(first))
        last[bare & ~np.isnan(first)] = np.nan
    # Every line needs a path to a connected end: follow the devices, and ground a line wherever none is found.
    while True:
        word, bit = (~np.isnan(a) | ~np.isnan(b) for a, b in (ends[:2], ends[2:]))
        for _ in range(m + n):
            word = word | (g[:, bit] > 0).any(axis=1)
            bit = bit | (g[word] > 0).any(axis=0)
        lost = [(0, i) for i in np.flatnonzero(~word)] + [(3, j) for j in np.flatnonzero(~bit)]
        if not lost:
            break
        end, line = lost[rng.integers(len(lost))]
        ends[end][line] = 0.0
    circuit.update(conductances=g, **dict(zip(("left", "right", "top", "bottom"), ends)), iv=None)
    if nonlinear:
        kind, low, high = [("sinh", 0.15, 0.6), ("cubic", 0.1, 5.0)][rng.integers(2)]
        circuit["iv"] = (kind, rng.uniform(low, high, shape if rng.random() < 0.5 else None))
    return circuit


def _random_resistance(rng, lines, zeros):
    kind = rng.choice(["zero", "scalar", "lines", "some zero"] if zeros else ["scalar", "lines"])
    if kind == "zero":
        return 0.0
    if kind == "scalar":
        return 10 ** rng.uniform(-3, 2)
    values = 10 ** rng.uniform(-3, 2, lines)
    if kind == "some zero":
        values[rng.random(lines) < 0.4] = 0.0
    return values


def _random_segments(rng, shape, zeros):
    values = 10 ** rng.uniform(-3, rng.choice([2, 5]), shape)
    if zeros:
        values[rng.random(shape) < rng.choice([0.0, 0.2, 0.7])] = 0.0
    values[rng.random(shape) < rng.choice([0.0, 0.1, 0.3])] = np.inf
    return values


def _random_end(rng, lines, largest):
    kind = rng.choice(["driven", "grounded", "floating", "mixed"])
    driven = rng.uniform(-largest, largest, lines)
    choice = {"driven": 0, "grounded": 1, "floating": 2}.get(kind, rng.integers(0, 3, lines))
    return np.choose(np.broadcast_to(choice, lines), [driven, np.zeros(lines), np.full(lines, np.nan)])


# --- closed forms (FACTS.md, section 5), for the default read unless said ---------------------------------


def series_current(g, voltage, r_word, r_bit, r_source=0.0, r_sense=0.0):
    """5.1, one device: I = V / (R + r_w + r_b + R_source + R_load) [A]."""
    return voltage / (1 / g + r_word + r_bit + r_source + r_sense)


def uniform_ladder(g, r, voltage, n):
    """Device voltages [V], nearest to the resistive line's connected end first, and the current [A] in at that end.

    5.2, one row (r_b = 0), uniform g: 2 sinh(t/2) = sqrt(r g); V_j = V cosh((N + 1/2 - j) t) / cosh((N + 1/2) t);
    I_in = 2 V sinh(N t) sinh(t/2) / (r cosh((N + 1/2) t)). One column (r_w = 0, all at V): the same with M.
    """
    t = 2 * np.arcsinh(np.sqrt(r * g) / 2)
    volts = voltage * np.cosh((n + 0.5 - np.arange(1, n + 1)) * t) / np.cosh((n + 0.5) * t)
    return volts, 2 * voltage * np.sinh(n * t) * np.sinh(t / 2) / (r * np.cosh((n + 0.5) * t))


def spectral_device_voltages(g, voltages, n_bit, r_word, r_bit):
    """Device voltages (M, N) [V] of a uniform array, r_w, r_b > 0; I_j = g sum_i u_ij.

    5.3: lam_m = (4/r_b) sin^2((2m-1) pi / (2(2M+1))), mu_n = (4/r_w) sin^2((2n-1) pi / (2(2N+1)));
    Phi_im = sqrt(4/(2M+1)) sin((2m-1) pi (M+1-i)/(2M+1)), Psi_jn = sqrt(4/(2N+1)) sin((2n-1) pi j/(2N+1));
    u = Phi [(Phi^T V 1^T Psi) / (1 + g/lam_m + g/mu_n)] Psi^T.
    """
    m, n = np.arange(1, len(voltages) + 1), np.arange(1, n_bit + 1)
    a, b = 2 * len(m) + 1, 2 * n_bit + 1
    lam = 4 / r_bit * np.sin((2 * m - 1) * np.pi / (2 * a)) ** 2
    mu = 4 / r_word * np.sin((2 * n - 1) * np.pi / (2 * b)) ** 2
    phi = np.sqrt(4 / a) * np.sin(np.outer(len(m) + 1 - m, 2 * m - 1) * np.pi / a)
    psi = np.sqrt(4 / b) * np.sin(np.outer(n, 2 * n - 1) * np.pi / b)
    modes = phi.T @ np.outer(voltages, np.ones(n_bit)) @ psi
    return phi @ (modes / (1 + g / lam[:, None] + g / mu)) @ psi.T


def first_order_currents(g, voltages, r_word, r_bit):
    """Bit-line currents [A] to first order in the resistances.

    5.6 and 5.7: V G, then dI_j = -sum_i G_ij [r_w sum_k min(j,k) V_i G_ik + r_b sum_l min(M+1-i, M+1-l) V_l G_lj].
    """
    i, j = np.arange(1, g.shape[0] + 1), np.arange(1, g.shape[1] + 1)
    ideal = np.asarray(voltages)[:, None] * g
    drop = r_word * ideal @ np.minimum.outer(j, j)
    drop = drop + r_bit * np.minimum.outer(len(i) + 1 - i, len(i) + 1 - i) @ ideal
    return ideal.sum(axis=0) - (g * drop).sum(axis=0)


def reduced_crossbar(conductances, voltages, r_word, r_bit):
    """5.4: currents and largest gross current of a bit line [A], from the equation for the device voltages u alone:

    u + r_b K_b (G o u) + r_w (G o u) K_w = V 1^T with K_w[j, k] = min(j, k), K_b[i, l] = min(M + 1 - i, M + 1 - l),
    which is regular at zero resistance.
    """
    currents = reduced_device_currents(conductances, [voltages], r_word, r_bit)[0]
    return currents.sum(axis=0), np.abs(currents).sum(axis=0).max()


def reduced_device_currents(conductances, inputs, r_word, r_bit):
    """Currents (K, M, N) [A] of the devices for each of ``inputs`` (K, M) [V], by the equation above."""
    g = np.asarray(conductances, dtype=float)
    n_word, n_bit = g.shape
    j, i = np.arange(1, n_bit + 1), np.arange(1, n_word + 1)
    k_word = np.minimum.outer(j, j)
    k_bit = np.minimum.outer(n_word + 1 - i, n_word + 1 - i)
    system = np.eye(g.size) + (r_bit * np.kron(k_bit, np.eye(n_bit)) + r_word * np.kron(np.eye(n_word), k_word)) * g.ravel()
    u = np.linalg.solve(system, np.repeat(np.asarray(inputs, dtype=float), n_bit, axis=1).T).T
    return g * u.reshape(-1, *g.shape)


def floating_read_current(r_selected, r_word_line, r_bit_line, r_others, n_word, n_bit, voltage):
    """Current [A] of one device read with all other lines floating, r = 0, M, N > 1, resistances uniform in each group.

    5.8: R_sneak = R1/(N-1) + R3/((M-1)(N-1)) + R2/(M-1) in parallel with the device; R1 = ``r_word_line`` shares the
    selected word line, R2 = ``r_bit_line`` the selected bit line, R3 = ``r_others`` neither [ohm].
    """
    sneak = r_word_line / (n_bit - 1) + r_others / ((n_word - 1) * (n_bit - 1)) + r_bit_line / (n_word - 1)
    return voltage / r_selected + voltage / sneak


def half_select_power(g, voltage, n_word, n_bit):
    """5.9, V/2 write, r = 0, uniform g: P = g V^2 (1 + (M+N-2)/4) [W]."""
    return g * voltage**2 * (1 + (n_word + n_bit - 2) / 4)


def third_select_power(g, voltage, n_word, n_bit):
    """5.9, V/3 write, r = 0, uniform g: P = g V^2 (1 + (MN-1)/9) [W]."""
    return g * voltage**2 * (1 + (n_word * n_bit - 1) / 9)


def cubic_in_series(g, c, resistance, voltage):
    """Voltage [V] over a device I = G (u + c u^3), c > 0, behind a resistance > 0 [ohm].

    5.10, Cardano: u^3 + p u + q = 0 with p = (1 + R G) / (R G c), q = -V / (R G c) has one real root, written with
    sinh, where nothing cancels: u = -2 sqrt(p/3) sinh(asinh((3 q / (2 p)) sqrt(3/p)) / 3).
    """
    p, q = (1 + resistance * g) / (resistance * g * c), -voltage / (resistance * g * c)
    return -2 * np.sqrt(p / 3) * np.sinh(np.arcsinh(3 * q / (2 * p) * np.sqrt(3 / p)) / 3)


# --- networks -----------------------------------------------------------------------------------------------------------


def classify_one_by_one(layers, points, activation):
    """Classes by a loop over points, layers and units; ``layers`` is a list of (weights, bias)."""
    classes = []
    for point in points:
        signal = list(point)
        for depth, (weights, bias) in enumerate(layers):
            sums = [sum(x * w for x, w in zip(signal, weights[:, k])) + bias[k] for k in range(len(bias))]
            signal = sums if depth == len(layers) - 1 else [float(ACTIVATION_FORMULAS[activation](z)) for z in sums]
        classes.append(int(signal[0] > 0) if len(signal) == 1 else int(np.argmax(signal)))
    return np.array(classes)
