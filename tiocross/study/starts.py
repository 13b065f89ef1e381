"""Networks of one recipe, trained from one start or from several, of which the best is kept.

What is best is told by training points on simulated chips of their own: neither test points nor the chips that judge.
"""

import numpy as np

from tiocross.checks import kind_of
from tiocross.learning.literature import duplicate_units
from tiocross.learning.network import MLP
from tiocross.learning.training import TrainingSettings, train_many
from tiocross.tasks import Dataset
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import judge_chips
from tiocross.transfers.summary import robust_fraction
from tiocross.transfers.wires import WiresInLoop

_CHIPS = 500  # that choose between starts


def train_starts(recipe, dataset, device, *, rngs, settings, sizes=None, on_progress=None):
    """Trained networks of a recipe, one for each generator, ready to be put on chips; ``sizes`` are layer sizes in place of
    the recipe's. All are trained in one pass; starts of one generator meet the same points and chips."""
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset must be a Dataset; got {kind_of(dataset)}")
    if not isinstance(settings, TrainingSettings):
        raise TypeError(f"settings must be TrainingSettings(...); got {settings!r}")
    settings = settings.for_points(len(dataset))
    n_starts, layout = len(recipe.activations), recipe.layout(sizes or recipe.sizes_for(dataset), device)
    networks = [start_network(recipe, dataset, chance, activation=activation, sizes=sizes)
                for rng in rngs for activation, chance in zip(recipe.activations, _split(rng, n_starts))]
    n_choices = len(networks) if n_starts > 1 else 0
    trained = train_many(networks, dataset, recipe.techniques, device=device, layout=layout,
                         rngs=[rng for rng in rngs for _ in range(n_starts)], settings=settings,
                         on_progress=_progress_of_part(on_progress, 0, settings.n_steps + n_choices))
    finished = [finish_network(recipe, network) for network in trained]
    if n_starts == 1:
        return finished
    chosen = []
    for k, rng in enumerate(rngs):
        first = k * n_starts
        progress = _progress_of_part(on_progress, settings.n_steps + first, settings.n_steps + n_choices)
        group = finished[first : first + n_starts]
        chosen.append(choose_start(recipe, group, dataset, device, rng=rng, on_progress=progress))
    return chosen


def choose_start(recipe, networks, dataset, device, *, rng, on_progress=None):
    """The network that is right on at least 95 % of 500 simulated chips at most points; of equal ones the first.

    The chips are the same for each, laid out as the recipe says, with the wires that it trains for."""
    wires = sum(technique.wire_resistance for technique in recipe.techniques if isinstance(technique, WiresInLoop))
    seed, shares = int(rng.integers(2**63)), []
    for network in networks:
        chips = Chips(network, device, layout=recipe.layout(network.shapes, device), wire_resistance=wires,
                      rng=np.random.default_rng(seed))
        shares.append(robust_fraction(judge_chips(dataset, chips, n_transfers=_CHIPS).rates, 0.95))
        if on_progress is not None:
            on_progress(len(shares), len(networks))
    return networks[int(np.argmax(shares))]


def _split(rng, n_starts):
    """Generators for the weights of several starts; of a single one the generator itself."""
    return [rng] if n_starts == 1 else [np.random.default_rng(int(seed)) for seed in rng.integers(2**63, size=n_starts)]


def _progress_of_part(on_progress, n_before, n_all):
    """``on_progress`` of one part of the work, of which ``n_before`` steps are done before it begins."""
    return None if on_progress is None else lambda done, total: on_progress(n_before + done, n_all)


def start_network(recipe, dataset, rng, *, activation, sizes=None):
    """An untrained network of a recipe; the dataset sets the range of the inputs."""
    network = MLP(*(sizes or recipe.sizes_for(dataset)), rng=rng, activation=activation)
    if recipe.centred:
        network.centre_inputs(dataset)
    return network


def finish_network(recipe, network):
    """What a trained network is before it is put on chips."""
    for technique in recipe.techniques:
        network = technique.finish(network)
    return duplicate_units(network, recipe.copies) if recipe.copies > 1 else network
