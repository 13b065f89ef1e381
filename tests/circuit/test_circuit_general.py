"""Random circuits with any wires, ends and devices against the dense reference, and the symmetries they must have."""

import numpy as np
import pytest
from circuit_cases import (
    ENDS,
    EPS,
    RESISTANCES,
    build,
    device_rounding,
    end_rounding,
    gross_current,
    highest_voltage,
    resistance_to_ends,
)
from oracle import dense_circuit, kirchhoff_sums, random_circuit

from tiocross import Crossbar, Cubic, Sinh, custom, solve

RTOL = 1e-9  # the default of solve


def draw(seed, **options):
    """Every third circuit ohmic, every third with strong signals."""
    rng = np.random.default_rng(seed)
    return random_circuit(rng, nonlinear=seed % 3 > 0, largest_voltage=2.0 if seed % 3 == 2 else 0.5, **options)


def assert_same(circuit, found, expected):
    """Everything a Solution tells, within what it claims itself."""
    rounding = device_rounding(circuit, expected.device_voltages)
    limit = found.uncertainty + rounding
    through = max(gross_current(circuit, expected.device_currents), np.abs(found.bit_line_currents).max())
    assert found.uncertainty <= RTOL * through * (1 + 1e-6) + rounding
    assert 0 <= found.unbalanced <= found.uncertainty
    for end in ENDS:
        error = np.abs(getattr(found.end_currents, end) - getattr(expected.end_currents, end))
        assert (error <= limit + end_rounding(circuit, end)).all(), end
        assert not getattr(found.end_currents, end)[np.isnan(circuit[end])].any()
    at_bottom = limit + np.maximum(end_rounding(circuit, "bottom"), end_rounding(circuit, "top"))
    assert (np.abs(found.bit_line_currents + expected.end_currents.bottom) <= at_bottom).all()
    # A current lacking at a node changes no device's current by more.
    assert (np.abs(found.device_currents - expected.device_currents) <= limit).all()
    of_words, of_bits = resistance_to_ends(circuit)
    rounded = 16 * EPS * highest_voltage(circuit)
    for values, reference, resistance in ((found.word_line_voltages, expected.word_line_voltages, of_words[:, None]),
                                          (found.bit_line_voltages, expected.bit_line_voltages, of_bits)):
        error = np.abs(values - reference)
        assert (error <= found.uncertainty * resistance + rounded).all()
        assert error.max() <= found.voltage_uncertainty


@pytest.mark.parametrize("seed", range(120))
def test_random_circuits_equal_the_dense_solution(seed):
    circuit = draw(seed)
    assert_same(circuit, solve(*build(circuit)), dense_circuit(**circuit))


@pytest.mark.parametrize("seed", range(60))
def test_random_circuits_of_devices_that_prefer_a_direction_equal_the_dense_solution(seed):
    """A law with two parameters; where the curve is flattest its slope is 5 % to 100 % of that at 0 V."""
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, largest_voltage=2.0 if seed % 2 else 0.5)
    shape = circuit["conductances"].shape if seed % 3 else None
    b = rng.uniform(0.1, 5.0, shape)
    circuit["iv"] = ("polynomial", (rng.uniform(-1, 1, shape) * np.sqrt(3 * 0.95 * b), b))
    assert_same(circuit, solve(*build(circuit)), dense_circuit(**circuit))


@pytest.mark.parametrize("seed", [39, 339, 1007, 1013])
def test_circuits_whose_tangents_are_kept_for_several_sweeps(seed):
    circuit = random_circuit(np.random.default_rng(seed), nonlinear=True)
    assert_same(circuit, solve(*build(circuit)), dense_circuit(**circuit))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 230))
def test_long_and_narrow_circuits_equal_the_dense_solution(seed):
    shape = [(2, 31), (23, 3), (1, 40), (37, 1), (13, 4)][seed % 5]
    circuit = draw(seed, shape=shape)
    assert_same(circuit, solve(*build(circuit)), dense_circuit(**circuit))


@pytest.mark.parametrize("seed", range(60))
def test_ends_obey_ohms_law_and_power_is_conserved(seed):
    circuit = draw(seed, zeros=False)
    solution = solve(*build(circuit))
    word, bit = solution.word_line_voltages, solution.bit_line_voltages
    to_words, to_bits = (circuit[wire] + np.asarray(circuit[extra])
                         for wire, extra in (RESISTANCES[::2], RESISTANCES[1::2]))
    rounding = device_rounding(circuit, solution.device_voltages)
    for end, nodes, resistance in (("left", word[:, 0], to_words), ("right", word[:, -1], to_words),
                                   ("top", bit[0], to_bits), ("bottom", bit[-1], to_bits)):
        by_ohm = np.nan_to_num((circuit[end] - nodes) / resistance)
        limit = solution.uncertainty + rounding + 4 * EPS * highest_voltage(circuit) / resistance
        assert (np.abs(getattr(solution.end_currents, end) - by_ohm) <= limit).all(), end
    ends = np.concatenate([getattr(solution.end_currents, end) for end in ENDS])
    gross = np.abs(ends).sum()
    assert abs(ends.sum()) <= solution.uncertainty + EPS * (ends.size * gross + rounding)
    # What is lacking at a node lacks there at no more than the highest voltage; products and sums are rounded.
    spent = solution.device_power + solution.wire_power
    slack = 2 * highest_voltage(circuit) * (2 * solution.uncertainty + 4 * rounding + 20 * EPS * gross)
    assert abs(solution.power - spent) <= slack
    assert solution.device_power >= 0 and solution.wire_power >= 0


@pytest.mark.parametrize("seed", range(60))
def test_reported_residuals_equal_an_independent_kirchhoff_sum(seed):
    circuit = draw(seed, zeros=False)
    crossbar, biasing = build(circuit)
    solution = solve(crossbar, biasing, rtol=1e-3)  # loose, so that something is left
    sums = np.abs(kirchhoff_sums(solution.word_line_voltages, solution.bit_line_voltages, **circuit))
    # The voltages were rounded: so much current through four neighbours' branches.
    smallest = min(np.min(circuit[name]) for name in RESISTANCES[:2])
    slopes = crossbar.conductances if crossbar.iv is None else crossbar.iv.slopes(crossbar.conductances,
                                                                                  solution.device_voltages)
    rounding = 5 * highest_voltage(circuit) * EPS * (1 / smallest + slopes.max())
    if crossbar.iv is None:
        assert abs(sums.max() - solution.unbalanced) <= rounding
        assert abs(sums.sum() - solution.uncertainty) <= rounding * sums.size
    else:  # residual of the tangents and twice what the devices deviate from them: an upper bound
        assert sums.max() <= solution.unbalanced + rounding
        assert sums.sum() <= solution.uncertainty + rounding * sums.size


def test_the_kirchhoff_sums_above_are_not_all_rounding():
    left_over = [float(solve(*build(draw(seed, zeros=False)), rtol=1e-3).uncertainty) for seed in range(60)]
    assert np.count_nonzero(np.array(left_over) > 1e-8) >= 20


# --- symmetries ----------------------------------------------------------------------------------------------------------


def end_currents(circuit, **options):
    """Currents of all ends, solved as exactly as float64 allows for any of these circuits; and what may be wrong."""
    solution = solve(*build(circuit), rtol=1e-12, **options)
    slack = solution.uncertainty + device_rounding(circuit, solution.device_voltages)
    return ({end: getattr(solution.end_currents, end) for end in ENDS},
            {end: slack + end_rounding(circuit, end) for end in ENDS})


def assert_alike(first, second, factor=1.0):
    """Currents, and what may be wrong, of two circuits that must give the same."""
    for end in ENDS:
        assert (np.abs(first[0][end] * factor - second[0][end]) <= abs(factor) * first[1][end] + second[1][end]).all(), end


@pytest.mark.parametrize("seed", range(30))
def test_exchanging_word_and_bit_lines(seed):
    circuit = draw(seed)
    other = {**circuit, "conductances": circuit["conductances"].T, "left": circuit["top"], "right": circuit["bottom"],
             "top": circuit["left"], "bottom": circuit["right"]}
    for name, partner in (RESISTANCES[:2], RESISTANCES[2:]):
        other[name], other[partner] = circuit[partner], circuit[name]
    if circuit["iv"]:
        other["iv"] = (circuit["iv"][0], np.transpose(circuit["iv"][1]))
    currents, slack = end_currents(other)
    names = dict(zip(ENDS, ("top", "bottom", "left", "right")))
    assert_alike(end_currents(circuit), ({end: currents[names[end]] for end in ENDS},
                                         {end: slack[names[end]] for end in ENDS}))


@pytest.mark.parametrize("seed", range(30))
def test_mirroring_left_and_right(seed):
    circuit = draw(seed)
    other = {**circuit, "conductances": circuit["conductances"][:, ::-1], "left": circuit["right"], "right": circuit["left"],
             "top": circuit["top"][::-1], "bottom": circuit["bottom"][::-1]}
    for name in RESISTANCES[1::2]:
        other[name] = circuit[name] if np.ndim(circuit[name]) == 0 else circuit[name][::-1]
    if circuit["iv"] and np.ndim(circuit["iv"][1]):
        other["iv"] = (circuit["iv"][0], circuit["iv"][1][:, ::-1])
    found = [{"left": values["right"], "right": values["left"], "top": values["top"][::-1], "bottom": values["bottom"][::-1]}
             for values in end_currents(other)]
    assert_alike(end_currents(circuit), found)


@pytest.mark.parametrize("seed", range(30))
def test_bit_lines_may_trade_places_on_word_lines_without_resistance(seed):
    circuit = draw(seed)
    circuit["word_line_resistance"] = 0.0
    bare = np.broadcast_to(circuit["source_resistance"] == 0.0, circuit["left"].shape)
    circuit["right"] = np.where(bare & ~np.isnan(circuit["left"]), np.nan, circuit["right"])
    order = np.random.default_rng(seed).permutation(len(circuit["top"]))
    other = {**circuit, "conductances": circuit["conductances"][:, order], "top": circuit["top"][order],
             "bottom": circuit["bottom"][order]}
    for name in RESISTANCES[1::2]:
        other[name] = circuit[name] if np.ndim(circuit[name]) == 0 else circuit[name][order]
    if circuit["iv"] and np.ndim(circuit["iv"][1]):
        other["iv"] = (circuit["iv"][0], circuit["iv"][1][:, order])
    back = np.argsort(order)
    found = [{**values, "top": values["top"][back], "bottom": values["bottom"][back]} for values in end_currents(other)]
    assert_alike(end_currents(circuit), found)


@pytest.mark.parametrize("seed", range(30))
def test_scaling_conductances_up_and_resistances_down(seed):
    circuit = draw(seed)
    other = {**circuit, "conductances": circuit["conductances"] * 3.7, **{r: circuit[r] / 3.7 for r in RESISTANCES}}
    assert_alike(end_currents(circuit), end_currents(other), 3.7)


@pytest.mark.parametrize("seed", range(0, 90, 3))
def test_superposition_and_reciprocity_of_ohmic_devices(seed):
    circuit, rng = draw(seed), np.random.default_rng(seed)
    drives = [np.where(np.isnan(circuit[end]), np.nan, rng.uniform(-1, 1, (2, len(circuit[end])))) for end in ENDS]
    first, second, both = ({**circuit, **dict(zip(ENDS, values))} for values in (
        [drive[0] for drive in drives], [drive[1] for drive in drives], [2 * drive[0] - 3 * drive[1] for drive in drives]))
    (one, slack_one), (two, slack_two) = end_currents(first), end_currents(second)
    total = {end: 2 * one[end] - 3 * two[end] for end in ENDS}
    assert_alike((total, {end: 2 * slack_one[end] + 3 * slack_two[end] for end in ENDS}), end_currents(both))
    # Tellegen for a reciprocal net: what the one's voltages and the other's currents make, summed over the ends.
    volts = [[np.nan_to_num(given[end]) for end in ENDS] for given in (first, second)]
    mixed = [sum((v * currents[end]).sum() for v, end in zip(volts[k], ENDS)) for k, currents in ((1, one), (0, two))]
    assert abs(mixed[0] - mixed[1]) <= sum(slack_one[end].sum() + slack_two[end].sum() for end in ENDS)


@pytest.mark.parametrize("seed", [seed for seed in range(45) if seed % 3])
def test_nonlinear_laws_are_odd(seed):
    circuit = draw(seed)
    assert_alike(end_currents({**circuit, **{end: -circuit[end] for end in ENDS}}), end_currents(circuit), -1.0)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_weak_nonlinear_laws_are_ohms(seed):
    circuit = draw(seed)
    crossbar, biasing = build(circuit)
    straight = solve(crossbar, biasing, rtol=1e-12)
    # Bent by (1 V / 1e9 V)^2 / 6 and 1e-20: far below rounding.
    for law in (Sinh(1e9), Cubic(0.0), Cubic(1e-20)):
        bent = Crossbar(circuit["conductances"], **{name: circuit[name] for name in RESISTANCES}, iv=law)
        found = solve(bent, custom(bent, **{end: circuit[end] for end in ENDS}), rtol=1e-12)
        limit = found.uncertainty + straight.uncertainty + device_rounding(circuit, straight.device_voltages)
        assert (np.abs(found.device_currents - straight.device_currents) <= limit).all()
