"""``tiocross train``: one network by a recipe, from the start or from a network that is there."""

import time
from dataclasses import replace

import numpy as np

from tiocross.checks import as_count, as_number, nearest_name
from tiocross.commands.networks import arrangement_of, require_fitting, require_free, save_network
from tiocross.commands.points import chosen_task, describe_points
from tiocross.commands.progress import ProgressLine
from tiocross.devices.published import find_device
from tiocross.devices.tio2 import TIO2
from tiocross.learning.network import Network
from tiocross.learning.settings import TrainingSettings
from tiocross.learning.training import train
from tiocross.study.experiment import MORE_ROWS
from tiocross.study.methods import COMPARED
from tiocross.study.recipes import ExperimentSettings, training_generator
from tiocross.study.results import file_name
from tiocross.study.starts import train_starts
from tiocross.study.measured import as_measured, taking_measured

RECIPES = {recipe.name: recipe for recipe in (*COMPARED, *MORE_ROWS)}  # of equal names those of the experiment


def prepare(arguments):
    """The training that the command line asks for, ready to be called."""
    recipe = recipe_of(arguments)
    device = TIO2 if arguments.device is None else find_device(arguments.device)
    task = chosen_task(arguments)
    recipe = replace(recipe, arrangement=arrangement_of(arguments, recipe.arrangement), weight_decay=0.0,
                     training=settings_of(arguments, recipe, len(task.train)))
    as_count("--seed", arguments.seed, low=0)
    start = None if arguments.start is None else _start_of(arguments, task)
    recipe.layout(recipe.sizes_for(task.train) if start is None else start.shapes, device)  # what is impossible is told now
    require_free(arguments.out, arguments.overwrite, *filter(None, (arguments.start, arguments.data)))
    return lambda: _train_and_save(arguments, recipe, device, task, start)


def find_recipe(name):
    """A recipe by its name or short name."""
    short = {file_name(full).lower().replace("_", "-"): full for full in RECIPES}
    known = {full.lower(): full for full in RECIPES} | short
    if name.lower() not in known:
        raise ValueError(f"recipe {name!r} is unknown; {nearest_name(name.lower(), known)}")
    return RECIPES[known[name.lower()]]


def recipe_of(arguments):
    """The recipe with the units and starts that the command line states."""
    recipe = find_recipe(arguments.recipe)
    if arguments.hidden is not None:
        hidden = [as_count("--hidden", size) for size in arguments.hidden]
        recipe = replace(recipe, sizes=(recipe.sizes[0], *hidden, recipe.sizes[-1]))
    if arguments.starts is not None:
        n_starts = as_count("--starts", arguments.starts)
        kinds = recipe.activations
        recipe = replace(recipe, activations=tuple(kinds[k % len(kinds)] for k in range(n_starts)))
    if arguments.activation is not None:
        recipe = replace(recipe, activations=(arguments.activation,) * len(recipe.activations))
    return recipe


def settings_of(arguments, recipe, n_points):
    """Training settings of a recipe, or of fine-tuning, changed as the command line states."""
    settings = recipe.training or replace(ExperimentSettings().training, weight_decay=recipe.weight_decay)
    if arguments.start is not None:
        settings = replace(TrainingSettings.fine_tuning(), weight_decay=settings.weight_decay)
    if arguments.steps is not None and arguments.epochs is not None:
        raise ValueError("--steps and --epochs both say how long to train; leave one of them out")
    counts = {"n_steps": "steps", "batch_size": "batch", "n_chips": "chips"}
    changes = {field: as_count(f"--{option}", getattr(arguments, option)) for field, option in counts.items()
               if getattr(arguments, option) is not None}
    if arguments.rate is not None:
        changes["learning_rate"] = as_number("--rate", arguments.rate, low=0.0)
    if arguments.epochs is not None:
        changes["n_epochs"] = as_count("--epochs", arguments.epochs)
    elif arguments.steps is not None:
        changes["n_epochs"] = None
    return replace(settings, **changes).for_points(n_points)


def _start_of(arguments, task):
    """The network to start from, which must fit the task as it was measured."""
    if arguments.hidden is not None or arguments.activation is not None or arguments.starts is not None:
        raise ValueError("--from states the network; leave out --hidden, --activation and --starts")
    network = Network.load(arguments.start)
    require_fitting(arguments.start, network, task.train, arguments.data or arguments.task or "moons")
    return network


def _train_and_save(arguments, recipe, device, task, start):
    for line in describe_points(task):
        print(line)
    began, progress = time.monotonic(), ProgressLine(steps=recipe.training.n_steps)
    progress.start()
    try:
        network = _trained(recipe, device, task, start, training_generator(arguments.seed),
                           lambda done, total: progress.update("steps", min(done, recipe.training.n_steps)))
    finally:
        progress.close()
    measured = as_measured(task)
    accuracies = {name: float(np.mean(network.predict(part.points) == part.labels)) for name, part in measured.parts.items()}
    record = save_network(network, arguments, recipe, device, task, accuracies, time.monotonic() - began)
    shown = ", ".join(f"{accuracy:.4f} of the {'training' if name == 'train' else name} points"
                      for name, accuracy in accuracies.items())
    print(f"{network!r}, {recipe.name}: in software right at {shown} ({record['seconds']:g} s)\n"
          f"the network is in {arguments.out}; put it on chips with tiocross transfer {arguments.out}")


def _trained(recipe, device, task, start, rng, on_progress):
    """A network that takes values as they were measured."""
    if start is None:
        network, = train_starts(recipe, task.train, device, rngs=[rng], settings=recipe.training, on_progress=on_progress)
        return taking_measured(network, task.scaling)
    layout = recipe.layout(start.shapes, device)
    return train(start, as_measured(task).train, recipe.techniques, device=device, layout=layout, rng=rng,
                 settings=recipe.training, on_progress=on_progress)
