"""The base class of techniques: its hooks, what they are given, the effects they let in; weights on devices and back."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, ConductanceDropout, Dataset, DifferentialPairs, LineFailures, NoiseInjection, RangePenalty, ReferenceColumn,
    Technique, TrainingSettings, arrange, share_arrays, train,
)
from tiocross.learning.on_devices import ChipSampler, WeightsOnDevices
from tiocross.learning.techniques import Course, split_layers, uses
from tiocross.learning.tensor import Tensor
from tiocross.learning.training import train_many
from tiocross.study.recipes import Recipe
from tiocross.study.starts import finish_network
from tiocross.units import uS

RNG = np.random.default_rng
SIZES, SHAPES, N_WEIGHTS = (2, 4, 1), [(3, 4), (5, 1)], 17
SHORT = TrainingSettings(n_steps=3, batch_size=16, n_chips=5)
FAULTY = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.1, probability_hrs=0.1),
                 lines=LineFailures(0.1, 0.1, 1 * uS, 2000 * uS, source="made up"))
EFFECTS = ("tuning", "disturb", "stuck", "lines")
HOOKS = ("perturb", "conduct", "penalty", "ascend", "finish")
LAYOUTS = {
    "pairs": arrange(SIZES), "small arrays": arrange(SIZES, (2, 4)), "one shared array": share_arrays(SIZES, (8, 8)),
    "digital output bias": arrange(SIZES, mapping=DifferentialPairs(digital_output_bias=True)),
    "reference column": arrange(SIZES, mapping=ReferenceColumn()),
    "reference column, digital output bias": arrange(SIZES, mapping=ReferenceColumn(digital_output_bias=True)),
}
by_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@pytest.fixture(scope="module")
def few():
    points = RNG(0).uniform(-1, 1, (60, 2))
    return Dataset(points, (points[:, 1] > points[:, 0] ** 2 - 0.3).astype(int))


def trained_bits(dataset, techniques, *, seed=1, **hardware):
    network = train(MLP(*SIZES, rng=RNG(2)), dataset, techniques, rng=RNG(seed), settings=SHORT, **hardware)
    return b"".join(array.tobytes() for array in network.arrays)


class Idle(Technique):
    """Does what the base class does: nothing."""


class Recorder(Technique):
    """Writes down what one hook is given, and changes nothing."""

    def __init__(self):
        self.seen = []


class SeesPerturb(Recorder):
    def perturb(self, weights, course):
        self.seen.append((weights, course))
        return weights


class SeesConduct(Recorder):
    def conduct(self, programmed, course):
        self.seen.append((programmed, course))
        return programmed


class SeesPenalty(Recorder):
    def penalty(self, arrays):
        self.seen.append(arrays)
        return Tensor(0.0)


class SeesAscend(Recorder):
    def ascend(self, weights, gradient, course):
        self.seen.append((weights.copy(), gradient.copy(), course))


@pytest.mark.parametrize("beside", [[], [NoiseInjection()], [NoiseInjection(), ConductanceDropout(), RangePenalty(1e-2)]],
                         ids=["alone", "beside noise", "beside everything"])
def test_a_technique_that_does_nothing_changes_no_bit(few, beside):
    without = trained_bits(few, beside, device=FAULTY)
    assert trained_bits(few, [*beside, Idle()], device=FAULTY) == without
    assert trained_bits(few, [Technique(), *beside], device=FAULTY) == without
    assert without != trained_bits(few, beside, device=FAULTY, seed=3)


@pytest.mark.parametrize("kind", [SeesPerturb, SeesPenalty, SeesAscend])
def test_a_technique_that_only_looks_changes_no_bit(few, kind):
    for beside in ([], [NoiseInjection()]):
        assert trained_bits(few, [kind(), *beside], device=FAULTY) == trained_bits(few, beside, device=FAULTY)


def test_a_technique_has_the_hooks_that_it_defines():
    for kind, hook in ((SeesPerturb, "perturb"), (SeesConduct, "conduct"), (SeesPenalty, "penalty"), (SeesAscend, "ascend")):
        assert [name for name in HOOKS if uses(kind(), name)] == [hook]
    assert not any(uses(technique, name) for technique in (Technique(), Idle(), NoiseInjection()) for name in HOOKS)


def seen_by(technique, dataset, beside=(), **hardware):
    """What the technique was given, at each step of training two networks together."""
    networks = [MLP(*SIZES, rng=RNG(seed)) for seed in (1, 2)]
    train_many(networks, dataset, [*beside, technique], rngs=[RNG(3), RNG(4)], settings=SHORT, **hardware)
    return technique.seen


def require_course(course, device, layout):
    assert (course.shapes, course.n_chips, len(course.rngs)) == (SHAPES, 5, 2)
    assert all(isinstance(rng, np.random.Generator) for rng in course.rngs)
    assert course.device == device and course.layout is layout


@pytest.mark.parametrize(("beside", "n_chips"), [([], 1), ([NoiseInjection()], 5)])
def test_perturb_is_given_the_weights_of_each_chip_below_one_another(few, beside, n_chips):
    layout = LAYOUTS["pairs"]
    seen = seen_by(SeesPerturb(), few, beside, device=TIO2, layout=layout)
    assert len(seen) == 3
    for weights, course in seen:
        assert isinstance(weights, Tensor) and weights.shape == (2, n_chips, N_WEIGHTS, 1)
        require_course(course, TIO2, layout)


def test_without_a_device_there_is_none_in_the_course(few):
    for _, course in seen_by(SeesPerturb(), few):
        require_course(course, None, None)


@by_layout
@pytest.mark.parametrize("beside", [[], [NoiseInjection(), ConductanceDropout()]], ids=["alone", "beside both"])
def test_conduct_is_given_the_conductances_of_each_chip(few, layout, beside):
    seen = seen_by(SeesConduct(), few, beside, device=FAULTY, layout=layout)
    assert len(seen) == 3
    n_devices = sum(rows * columns for rows, columns in layout.layer_shapes)
    for programmed, course in seen:
        assert isinstance(programmed, Tensor) and programmed.shape == (2, 5, n_devices)
        require_course(course, FAULTY, layout)
        assert (programmed.value >= 0).all()
        within = (programmed.value > TIO2.g_min * (1 - 1e-12)) & (programmed.value < TIO2.g_max * (1 + 1e-12))
        assert within.all() == (not beside)  # alone, arrays are programmed exactly


def test_penalty_is_given_one_array_a_layer(few):
    seen = seen_by(SeesPenalty(), few)
    assert len(seen) == 3
    for arrays in seen:
        assert all(isinstance(array, Tensor) for array in arrays)
        assert [array.shape for array in arrays] == [(2, 1, *shape) for shape in SHAPES]


def test_ascend_is_given_weights_and_their_gradient(few):
    layout = LAYOUTS["pairs"]
    seen = seen_by(SeesAscend(), few, device=TIO2, layout=layout)
    assert len(seen) == 3
    for weights, gradient, course in seen:
        assert type(weights) is type(gradient) is np.ndarray
        assert weights.shape == gradient.shape == (2, 1, N_WEIGHTS, 1) and np.abs(gradient).min() > 0
        require_course(course, TIO2, layout)


def test_where_ascend_moves_to_the_gradient_is_taken(few):
    class ToZero(Technique):
        def ascend(self, weights, gradient, course):
            return 0 * weights

    values = [weights.value for weights, _ in seen_by(SeesPerturb(), few, [ToZero()])]
    assert len(values) == 6 and all(value.any() for value in values[::2])
    assert all((value == 0).all() for value in values[1::2])


def test_finish_is_what_goes_on_a_chip():
    class Halves(Technique):
        def finish(self, network):
            return network.with_arrays([0.5 * array for array in network.arrays])

    network = MLP(*SIZES, rng=RNG(1))
    recipe = Recipe("halved twice", techniques=(Halves(), Idle(), Halves()))
    for array, finished in zip(network.arrays, finish_network(recipe, network).arrays):
        np.testing.assert_array_equal(finished, 0.25 * array)
    assert finish_network(Recipe("as it is", techniques=(Idle(), NoiseInjection())), network) is network


# Effects: a positive list.


def letting_in(*names):
    class Chosen(Technique):
        effects = names

    return Chosen()


@pytest.mark.parametrize("names", [(), *((name,) for name in EFFECTS), ("tuning", "stuck"), ("lines", "disturb"), EFFECTS],
                         ids=lambda names: "+".join(names) or "none")
def test_an_effect_that_is_not_named_is_never_drawn(few, names):
    let_in = trained_bits(few, [letting_in(*names)], device=FAULTY)
    assert let_in == trained_bits(few, [letting_in(*names)], device=FAULTY.only(*names))
    if names:
        assert let_in == trained_bits(few, [letting_in(*EFFECTS)], device=FAULTY.only(*names))
        for name in names:  # and each that is named is
            assert let_in != trained_bits(few, [letting_in(*names)], device=FAULTY.without(name))
    else:
        assert let_in == trained_bits(few, [])  # nothing is simulated at all


def test_noise_and_dropout_let_in_exactly_the_four_effects(few):
    techniques = [NoiseInjection(), ConductanceDropout()]
    assert (NoiseInjection.effects, ConductanceDropout.effects) == (("tuning", "disturb"), ("stuck", "lines"))
    sampler = ChipSampler(techniques, FAULTY, LAYOUTS["pairs"], SIZES)
    assert sampler.device == FAULTY and sorted(sampler.effects) == sorted(EFFECTS)
    assert trained_bits(few, techniques, device=FAULTY) == trained_bits(few, [letting_in(*EFFECTS)], device=FAULTY)
    for one, effects in zip(techniques, (EFFECTS[:2], EFFECTS[2:])):
        assert trained_bits(few, [one], device=FAULTY) == trained_bits(few, [one], device=FAULTY.only(*effects))


def test_what_lacks_its_device_or_names_no_effect_says_so(few):
    with pytest.raises(ValueError, match=r"Chosen simulates a device: say which, for example train\(\.\.\., device=TIO2\)"):
        trained_bits(few, [letting_in("stuck")])
    with pytest.raises(ValueError, match=r"SeesConduct simulates a device: say which"):
        trained_bits(few, [SeesConduct()])
    with pytest.raises(ValueError, match="effect 'stuk' is unknown; did you mean 'stuck'"):
        trained_bits(few, [letting_in("stuk")], device=FAULTY)


@pytest.mark.parametrize("kind", [Technique, Idle, NoiseInjection, RangePenalty])
def test_a_class_is_no_technique(few, kind):
    with pytest.raises(TypeError, match=r"techniques must be objects such as NoiseInjection\(\) or .*; got <class"):
        trained_bits(few, [kind], device=FAULTY)


# Weights on devices and back, and gradients through both.


def as_column(*networks):
    return np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays]) for network in networks])[:, None]


def biased(seed):
    network = MLP(*SIZES, rng=RNG(seed))
    return network.with_arrays([RNG(seed).normal(0, 1, array.shape) for array in network.arrays])


@by_layout
def test_weights_come_back_from_their_devices(layout):
    view, weights = WeightsOnDevices(TIO2, layout, SIZES), as_column(biased(1), biased(2), biased(3))
    scale, tensor = view.scale_of(weights), Tensor(weights)
    devices = view.conductances(tensor, scale)
    n_devices = sum(rows * columns for rows, columns in layout.layer_shapes)
    assert devices.shape == (3, 1, n_devices, 1)
    assert devices.value.min() >= TIO2.g_min * (1 - 1e-12) and devices.value.max() <= TIO2.g_max * (1 + 1e-12)
    back = view.weights(devices, scale, tensor)
    np.testing.assert_allclose(back.value, weights, rtol=0, atol=1e-13)
    slopes = RNG(4).normal(size=weights.shape)
    (back * slopes).sum().backward()
    np.testing.assert_allclose(tensor.grad, slopes, rtol=0, atol=1e-12)


def largest_of_layers(weights, layout):
    """Which weights set the scale of their layer."""
    view = WeightsOnDevices(TIO2, layout, SIZES)
    largest = np.zeros(weights.shape, dtype=bool)
    mapped = weights[..., : view.n_mapped, :]
    largest[..., : view.n_mapped, :] = np.abs(mapped) == view._largest(mapped)
    assert (largest.sum(axis=(1, 2, 3)) == len(SHAPES)).all()
    return largest


@pytest.mark.parametrize("through_scale", [False, True])
@pytest.mark.parametrize("effects", [("tuning", "disturb"), EFFECTS], ids="+".join)
@by_layout
def test_gradient_through_sampled_chips_agrees_with_central_differences(layout, effects, through_scale):
    """Weights on a chip's stuck devices are held, and without ``through_scale`` the scale is: they do not move here."""
    weights, rng = as_column(biased(5), biased(6)), RNG(7)
    sampler = ChipSampler([letting_in(*effects)], FAULTY, layout, SIZES)
    writes = sampler.draw(1, [RNG(8), RNG(9)])
    course = Course(SHAPES, 1, [RNG(0), RNG(0)], FAULTY, layout)
    slopes, largest = rng.normal(size=weights.shape), largest_of_layers(weights, layout)
    touched = WeightsOnDevices(FAULTY, layout, SIZES).touched(writes.stuck)
    tensor = Tensor(weights)
    (sampler.sample(tensor, writes, course, through_scale=through_scale) * slopes).sum().backward()
    assert touched.any() == ("stuck" in effects)
    if not through_scale:
        assert (tensor.grad[touched] == 0).all()
    free = ~touched if through_scale else ~touched & ~largest
    moves = [np.where(free, rng.normal(size=weights.shape), 0.0)]
    moves += [1.0 * (np.arange(N_WEIGHTS).reshape(1, 1, -1, 1) == k) * free for k in range(N_WEIGHTS)]
    for move in moves:
        ends = [(sampler.sample(Tensor(weights + step * move), writes, course).value * slopes).sum() for step in (1e-5, -1e-5)]
        expected = (ends[0] - ends[1]) / 2e-5
        # Third derivatives, of the scale, times the step squared; rounding of a sum of some 10 over the step.
        assert (tensor.grad * move).sum() == pytest.approx(expected, rel=1e-6, abs=1e-8)


@by_layout
def test_the_scale_takes_part_in_the_gradient_only_when_asked(layout):
    weights = as_column(biased(5))
    sampler = ChipSampler([NoiseInjection()], TIO2, layout, SIZES)
    writes, course = sampler.draw(4, [RNG(8)]), Course(SHAPES, 4, [RNG(0)], TIO2, layout)
    gradients = []
    for through_scale in (False, True):
        tensor = Tensor(weights)
        sampler.sample(tensor, writes, course, through_scale=through_scale).sum().backward()
        gradients.append(tensor.grad)
    differs = np.abs(gradients[0] - gradients[1]) > 1e-9
    np.testing.assert_array_equal(differs, largest_of_layers(weights, layout))
    parts = split_layers(gradients[1], SHAPES)
    assert [part.shape for part in parts] == [(1, 1, *shape) for shape in SHAPES]


class Misshapen(Technique):
    """One hook gives what it must not."""

    def __init__(self, hook, answer):
        setattr(self, "hook", hook)
        self.answer = answer

    def perturb(self, weights, course):
        return self.answer(weights) if self.hook == "perturb" else weights

    def conduct(self, programmed, course):
        return self.answer(programmed) if self.hook == "conduct" else programmed

    def penalty(self, arrays):
        return self.answer(arrays[0]) if self.hook == "penalty" else None

    def ascend(self, weights, gradient, course):
        return self.answer(weights) if self.hook == "ascend" else None


@pytest.mark.parametrize("hook, answer, told", [
    ("perturb", lambda weights: weights[..., :3, :], r"Misshapen.perturb must give a Tensor of shape \(1, None, 17, 1\); got Tensor"),
    ("perturb", lambda weights: weights.value, r"Misshapen.perturb must give .*; got ndarray \(1, 5, 17, 1\)"),
    ("conduct", lambda programmed: programmed[..., :3], r"Misshapen.conduct must give a Tensor of shape \(1, 5, 34\)"),
    ("penalty", lambda array: array, r"Misshapen.penalty must give a Tensor of shape \(\); got Tensor \(1, 1, 3, 4\)"),
    ("ascend", lambda weights: weights[..., :3, :], r"Misshapen.ascend must give weights of shape \(1, 1, 17, 1\)")])
def test_a_hook_that_gives_another_shape_is_named_before_the_kernels_run(hook, answer, told):
    points = Dataset(RNG(0).normal(size=(40, 2)), np.arange(40) % 2)
    with pytest.raises(ValueError, match=told):
        train(MLP(*SIZES, rng=RNG(1)), points, [NoiseInjection(), Misshapen(hook, answer)], device=TIO2, rng=RNG(2), settings=SHORT)
