"""What the commands take that work on points, networks and chips: train, transfer, tasks, and the points of others."""

from tiocross.commands.options import MOST_SEEDS, MOST_WORKERS, add_command, array_shape, real, whole


def add_points(add, default):
    """Arguments that say which points a command works on."""
    add("--task", metavar="TASK",
        help="moons, circles, spirals, patterns, yin-yang, iris, wine, breast-cancer, digits, letters or surface-code "
             f"(default: {default})")
    add("--data", metavar="PATH", help="points of yours: a CSV file with a header, one row a point; or a folder with "
                                       "moons_train.csv, moons_validation.csv and moons_test.csv")
    add("--label", metavar="COLUMN", help="the column of the file that holds the class (default: the last one)")
    add("--without", nargs="+", metavar="COLUMN", help="columns of the file to leave out")
    add("--split-seed", type=whole(), default=0, metavar="N",
        help="seed by which a file is split into 60 %% training, 20 %% validation and 20 %% test points, unitless "
             "(default: 0)")


def add_on_card(add):
    """Arguments of ``describe`` that put a network on a card."""
    add("--device", metavar="CARD",
        help="of a network: also say what training can compensate of this card's effects, and what each costs as it grows; "
             "a device as JSON, or the name of a card, such as TIO2")
    add_points(add, "as it was trained with")
    add("--points", metavar="PART",
        help="test points of the split, or all rows of a file (default: as of tiocross transfer)")
    _add_shapes(add)
    add("--wire-resistance", type=real, default=0.0, metavar="OHM",
        help="of one wire segment in ohm, an effect, too (default: %(default)s)")
    _add_use(add)
    add("--seed", type=whole(), default=0, metavar="N", help="of chips and points, unitless (default: %(default)s)")


def add_arrays(add):
    """Arguments that say on which arrays a network lies."""
    add("--device", metavar="CARD",
        help="a device as JSON, or the name of a card, such as TIO2_RETENTION (default: TIO2, the published card)")
    _add_shapes(add)


def _add_shapes(add):
    add("--array-shape", type=array_shape, metavar="ROWSxCOLUMNS",
        help="word lines and bit lines of every array, unitless (default: those of the device, or one array a layer)")
    add("--share-arrays", action="store_true",
        help="put blocks of all layers on shared arrays, the output bias in software")


def add_operation(add):
    """Arguments that say how chips are programmed, how long ago, and what stands between their arrays."""
    add("--passes", type=whole(), metavar="N",
        help="times that programming goes over an array, unitless: from the second on it writes again what is farther than "
             "1 %% from its target (default: 1; pulse by pulse 3)")
    _add_use(add)


def _add_use(add):
    add("--after", type=real, default=0.0, metavar="SECONDS",
        help="time since the last write in seconds; the device must have a retention, as TIO2_RETENTION has "
             "(default: %(default)s)")
    add("--periphery", metavar="NAME",
        help="converters, drivers and sensing: ideal, 8bit, 6bit, follow-up or a JSON file (default: ideal)")


def add_train(commands):
    add = add_command(commands, "train", "one trained network, as a file",
               "Train one network by a recipe of the study, or go on from one that is there. Beside the network a JSON file "
               "says how it came about. A network that is trained on a CSV file takes its values as they stand there.",
               "--recipe ROBUST --out network.npz", "--data my.csv --label species --hidden 16 --out mine.npz",
               "--data my.csv --label species --from mine.npz --epochs 20 --out tuned.npz")
    add_points(add, "moons")
    add("--recipe", default="ROBUST", metavar="NAME",
        help="regular, ROBUST, hardware-aware-paper or another row of tiocross compare --list (default: %(default)s)")
    add("--hidden", nargs="+", type=whole(), metavar="N", help="units of each hidden layer (default: as the recipe, 8)")
    add("--activation", metavar="NAME", help="of the hidden units (default: as the recipe)")
    add("--starts", type=whole(), metavar="N", help="starts, of which the most robust is kept (default: as the recipe)")
    add_arrays(add)
    add("--steps", type=whole(), metavar="N", help="steps of the optimiser (default: as the recipe)")
    add("--epochs", type=whole(), metavar="N",
        help="in place of steps: how often every training point is used (default: with --from 10)")
    add("--batch", type=whole(), metavar="N", help="points in a step (default: as the recipe, 256)")
    add("--chips", type=whole(), metavar="N", help="simulated chips in a step (default: as the recipe)")
    add("--rate", type=real, metavar="X", help="learning rate, unitless (default: as the recipe; with --from 0.005)")
    add("--seed", type=whole(), default=0, metavar="N",
        help="of weights, batches and chips, unitless (default: %(default)s)")
    add("--from", dest="start", metavar="NETWORK", help="network to start from, for fine-tuning")
    add("--out", required=True, metavar="FILE", help="the network to write, such as network.npz; network.json beside it")
    add("--overwrite", action="store_true", help="replace both files; without it files that are there are kept")


def add_import(commands):
    add = add_command(commands, "import", "a network from trained weights of elsewhere",
                      "Make a network of the weights in a file, .npz or .safetensors. Which array is what is told by their "
                      "names and shapes, and printed. Convolutions need --input-shape.",
                      "weights.safetensors --activation relu --out network.npz",
                      "weights.npz --activation relu tanh softmax --names fc1 fc2 out --out network.npz",
                      "cnn.npz --activation relu --input-shape 1x28x28 --padding 1 --pool 2 --out network.npz")
    add("weights", metavar="WEIGHTS", help="file of arrays, .npz or .safetensors; no pickle is ever loaded")
    add("--activation", nargs="+", required=True, metavar="NAME",
        help="sigmoid, tanh, relu, softplus, hardtanh or linear: one for all hidden layers; or one for each layer, the "
             "output included, which is linear, softmax or sigmoid")
    add("--orientation", metavar="WAY",
        help="in_out for weights (inputs, outputs), as Keras has them, out_in for (outputs, inputs), as PyTorch has "
             "them (default: recognised where only one fits)")
    add("--names", nargs="+", metavar="NAME",
        help="layers to take, in order: names of their weights, or what these begin with")
    add("--input-offset", type=real, nargs="+", metavar="X",
        help="the network sees (point - offset) * scale: one number, or one for each input, unitless (default: 0)")
    add("--input-scale", type=real, nargs="+", metavar="X", help="see --input-offset, unitless (default: 1)")
    add("--input-shape", metavar="SHAPE",
        help="of a point, for convolutions: channels x length or channels x height x width, such as 1x28x28, unitless")
    for name, default, what in (("stride", 1, "distance of the positions"), ("padding", 0, "zeros around the inputs"),
                                ("pool", 1, "size of the averages that follow, 1 for none")):
        add(f"--{name}", nargs="+", type=whole(), default=[default], metavar="N",
            help=f"{what}, of all convolutions or of each, unitless (default: {default})")
    add("--out", required=True, metavar="FILE", help="the network to write, such as network.npz")
    add("--overwrite", action="store_true", help="replace the file; without it a file that is there is kept")


def _add_judged(add):
    """A network, its points, and what it lies on."""
    add("network", metavar="NETWORK", help="the network, an npz file")
    add_points(add, "as it was trained with")
    add("--points", metavar="PART", help="test points of the split, or all rows of a file (default: test; all of a file "
                                         "that the network was not trained with)")
    add_arrays(add)
    add("--layout", metavar="PLAN", help="in place of shapes: the layout of the plan in this folder")
    add("--wire-resistance", type=real, default=0.0, metavar="OHM",
        help="of one wire segment in ohm (default: %(default)s)")


def _add_work(add):
    """Arguments that change no result."""
    add("--workers", type=whole(MOST_WORKERS), metavar="N", help="threads (default: one for each CPU)")
    add("--memory", type=real, default=1.0, metavar="GB",
        help="how much the work may take, all threads together, in gigabytes; it changes no result (default: %(default)s)")


def add_transfer(commands):
    add = add_command(commands, "transfer", "one network on simulated chips",
               "Put a trained network on thousands of simulated chips, and print which share of the points each gets right. "
               "Points are those that the network was trained with, in their test part, unless others are named.",
               "network.npz",
               "mine.npz --data my.csv --label species --array-shape 64x64 --wire-resistance 2 --out chips.npz")
    _add_judged(add)
    add_operation(add)
    add("--pulse-by-pulse", action="store_true",
        help="program every chip by simulated pulses, in place of the statistics of the card")
    add("--transfers", type=whole(), default=2_000, metavar="N", help="simulated chips (default: %(default)s)")
    add("--until", type=real, metavar="SHARE",
        help="judge no more chips once the share of points right on 95 %% of the chips is known to +- SHARE, such as 0.002 "
             "(default: all chips)")
    add("--seed", type=whole(), default=0, metavar="N", help="of the chips, unitless (default: %(default)s)")
    _add_work(add)
    add("--out", metavar="FILE", help="also write the outcome, such as transfer.npz, and its summary beside it as JSON")
    add("--overwrite", action="store_true", help="replace both files; without it files that are there are kept")


def add_effects(commands):
    add = add_command(commands, "effects", "what costs a network robust points",
                      "Put a trained network on simulated chips with every effect of the device, the wires and the "
                      "periphery, with each of them switched off, and with each alone. Prints the effects, the dearest "
                      "first, with intervals, and writes them as CSV, JSON and a figure. Points are as for tiocross "
                      "transfer.",
                      "network.npz --wire-resistance 2",
                      "mine.npz --data my.csv --label species --device device.json --out results/mine_effects")
    _add_judged(add)
    add_operation(add)
    add("--pulse-by-pulse", action="store_true",
        help="program every chip by simulated pulses, which are one effect then")
    add("--transfers", type=whole(), default=2_000, metavar="N",
        help="simulated chips under each condition (default: %(default)s)")
    add("--seed", type=whole(), default=0, metavar="N", help="of the chips, unitless (default: %(default)s)")
    _add_work(add)
    add("--out", default="results/effects", metavar="DIR", help="folder for table and figure (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace those of an earlier run; without it they are kept")


def add_energy(commands):
    add = add_command(commands, "energy", "what a classification takes: energy, time and power",
                      "Solve the circuits of a network's arrays for the inputs that it meets, and print the energy, time "
                      "and power of a classification, layer by layer: devices, wires, and what the parts of the periphery "
                      "state. With --pulse-by-pulse also what programming takes. Points are as for tiocross transfer.",
                      "network.npz --read-time 300e-9 --wire-resistance 2",
                      "network.npz --periphery follow-up --pulse-by-pulse")
    _add_judged(add)
    add("--periphery", metavar="NAME",
        help="read voltage, pulses, resistances and stated power: ideal, 8bit, 6bit, follow-up or a JSON file "
             "(default: ideal)")
    add("--read-time", type=real, metavar="SECONDS",
        help="how long inputs are driven, edges included, in seconds (default: the pulse length of the periphery)")
    add("--inputs", type=whole(), default=200, metavar="N", help="points whose circuits are solved (default: %(default)s)")
    add("--pulse-by-pulse", action="store_true", help="also program chips by simulated pulses, and say what that takes")
    add("--passes", type=whole(), metavar="N", help="of programming, unitless (default: 3)")
    add("--transfers", type=whole(), default=200, metavar="N", help="chips to be programmed (default: %(default)s)")
    add("--seed", type=whole(), default=0, metavar="N", help="of points and chips, unitless (default: %(default)s)")
    add("--out", metavar="DIR", help="folder for table and figure; without it they are not written")
    add("--overwrite", action="store_true", help="replace those of an earlier run; without it they are kept")


def add_tasks(commands):
    add = add_command(commands, "tasks", "tasks whose answer was published",
               "Train regular networks and ROBUST ones, with equal budgets, for tasks that were run on hardware or have an "
               "exact answer. Put each on simulated chips of the device that the paper states, else of the published TiO2 "
               "card, and print one table beside what was published.",
               "--quick", "--only iris letters --seeds 3")
    add("--only", nargs="+", metavar="NAME", help="tasks of these names, as --list shows them (default: all)")
    add("--list", action="store_true", help="show the names of the tasks, and nothing else")
    add("--quick", action="store_true", help="1 seed, 200 chips and a fifth of the steps, for a first look")
    add("--seeds", type=whole(MOST_SEEDS), metavar="N", help="number of training seeds (default: 3; with --quick 1)")
    add("--transfers", type=whole(), metavar="N",
        help="simulated chips for each network (default: 1000; with --quick 200)")
    add("--out", metavar="DIR", help="results folder (default: results/tasks; with --quick results/tasks_quick)")
    add("--overwrite", action="store_true",
        help="replace earlier results in the folder; without it a folder that holds some is refused")
    add("--resume", action="store_true", help="go on with an interrupted or killed run in the same folder, with the same "
                                              "options: what is finished there is not done again")
    add("--workers", type=whole(MOST_WORKERS), metavar="N", help="processes and threads (default: one for each CPU)")
