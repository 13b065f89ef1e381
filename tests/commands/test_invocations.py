"""Exit codes: 0 done, 2 for what the user can mend, with one line that says how; 1 and 130 are in the neighbouring files."""

import os
import sys

import numpy as np
import pytest

from tiocross import MLP, TIO2, save_device, write_conductance_csv
from tiocross.commands.main import main

CASES = """
describe TIO2                                                        -> 0
describe device.json                                                 -> 0
describe network.npz                                                 -> 0
describe conductances.csv                                            -> 0
describe voltages.csv                                                -> 0
describe tuning.csv                                                  -> 0
describe half.json                                                   -> half.json begins like JSON but is none
describe huge.json                                                   -> huge.json: lrs_mean must be finite
describe plain.csv                                                   -> plain.csv is nothing that tiocross knows
describe empty.csv                                                   -> empty.csv is nothing that tiocross knows
describe binary.csv                                                  -> binary.csv is nothing that tiocross knows
describe dangling                                                    -> dangling: No such file
describe loop                                                        -> loop: Too many levels of symbolic links
describe hollow                                                      -> hollow is a folder with neither plan.json nor
describe mine.csv                                                    -> 0
describe nothing.csv                                                 -> nothing.csv: No such file
describe device.json more.json                                       -> one argument too many: 'more.json'; see tiocross describe
describe network.npz --device device.json --task moons --seed -1       -> --seed must be at least 0; got -1
describe network.npz --device device.json                            -> has no record of training beside it
describe network.npz --task moons                                    -> --task is for a network on a card: name the card with --device
describe device.json --device TIO2                                   -> --device is for a network on a card; device.json is a device
describe                                                             -> the following arguments are required
solve conductances.csv voltages.csv --iv sinh                        -> such as sinh:0.37
solve conductances.csv voltages.csv --iv sinh:0                      -> --iv 'sinh:0': v0 must be above zero; got 0
solve conductances.csv voltages.csv --iv sinh:1_0                    -> such as sinh:0.37
solve conductances.csv voltages.csv --iv cubc:1                      -> unknown law 'cubc'; did you mean 'cubic'?
solve conductances.csv voltages.csv --rtol 0                         -> --rtol must be finite and within
solve conductances.csv voltages.csv --rtol nan                       -> --rtol must be finite and within
solve conductances.csv voltages.csv --wire-resistance -1             -> --wire-resistance must be finite and within [0, 1e+15] ohm; got -1
solve conductances.csv voltages.csv --wire-resistance \u0661         -> must be a number; got '\u0661'
solve conductances.csv voltages.csv --wire-resistance 1_0            -> must be a number; got '1_0'
solve conductances.csv voltages.csv --out hollow                     -> cannot write the file 'hollow': it is a folder
solve conductances.csv voltages.csv --out no/such/file.csv           -> choose another with --out
solve conductances.csv voltages.csv --out ./conductances.csv         -> would take the place of conductances.csv, which is read
solve conductances.csv voltages.csv --out voltages.csv               -> would take the place of voltages.csv, which is read
solve voltages.csv conductances.csv                                  -> voltages.csv
solve conductances.csv turned.csv                                    -> transposed?
solve conductances.csv                                               -> the following arguments are required: VOLTAGES.csv
solve plain.csv voltages.csv                                         -> plain.csv: the unit is not stated
plan network.npz --out full                                          -> exists already; choose another with --out
plan network.npz --out loop/plan                                     -> choose another with --out
plan device.json --out new                                           -> device.json is not a network that tiocross saved
plan nothing.npz --out new                                           -> nothing.npz: No such file
plan network.npz --out new --array-shape 8                           -> must be word lines x bit lines, such as 8x8
plan network.npz --out new --array-shape 0x8                         -> must be word lines x bit lines, such as 8x8
plan network.npz --out new --array-shape 1000000x1000000             -> an array has at most 1048576 devices
plan network.npz --out new --order rastr                             -> did you mean 'raster'?
plan network.npz --out new --device half.json                        -> half.json is not JSON
plan network.npz --out new --data hollow                             -> moons_train.csv: No such file
program hollow --simulate                                            -> hollow/plan.json: No such file
program hollow --simulate --seed 1e3                                 -> must be a whole number; got '1e3'
calibrate tuning.csv                                                 -> the following arguments are required: --out
calibrate tuning.csv --out tuning.csv                                -> would take the place of tuning.csv, which is read
calibrate tuning.csv --out hollow                                    -> cannot write the file 'hollow': it is a folder
calibrate plain.csv --out new.json                                   -> plain.csv
calibrate tuning.csv --out new.json --g-min 500 --g-max 100          -> g_min must be below g_max
calibrate tuning.csv --out new.json --effects tunin                  -> did you mean 'tuning'?
calibrate nothing.csv --out new.json                                 -> nothing.csv: No such file
experiment --out full                                                -> holds files that tiocross did not write
experiment --out loop                                                -> choose another with --out
experiment --out device.json                                         -> device.json is not a folder; choose another with --out
experiment --seeds 1000000000                                        -> --seeds: must be at most 10000; got '1000000000'
experiment --transfers NINES                                         -> --transfers: must be at most 1000000000000000; got '9999
experiment --workers 100000                                          -> --workers: must be at most 1024; got '100000'
experiment --seeds two                                               -> --seeds: must be a whole number; got 'two'
experiment --seed 3                                                  -> '--seed'; it belongs to tiocross train, transfer, 
experiment --seed=3                                                  -> did you mean '--seeds'?
experiment --quik                                                    -> unknown argument '--quik'; did you mean '--quick'?
experiment --device voltages.csv                                     -> voltages.csv is not JSON
compare --seeds 1.5                                                  -> --seeds: must be a whole number; got '1.5'
compare --tasks moons                                                -> unknown argument '--tasks'; did you mean '--task'?
experiment --data mine.csv --label speces                            -> did you mean 'species'?
experiment --data mine.csv --task iris                               -> --data mine.csv and --task iris name two tasks
experiment --label species                                           -> name columns of a CSV file, but there is no --data
experiment --data hollow --label species                             -> hollow is a folder with half moons
experiment --data holes.csv                                          -> holes.csv, line 3, column 'length': the value is missing
experiment --data lengths.csv                                        -> look like a quantity, not like classes
experiment --data nothing.csv                                        -> nothing.csv: No such file
experiment --task irs                                                -> task 'irs' is unknown; did you mean 'iris'?
train                                                                -> the following arguments are required: --out
train --out new                                                      -> --out new must end with .npz
train --out network.npz                                              -> network.npz exists already; choose another
train --out hollow/new.npz --recipe robst                            -> recipe 'robst' is unknown; did you mean 'robust'?
train --out new.npz --steps 5 --epochs 1                             -> --steps and --epochs both say how long to train
train --out new.npz --steps 0                                        -> --steps must be at least 1; got 0
train --out new.npz --rate -1                                        -> --rate must be finite and at least 0; got -1
train --out new.npz --hidden 0                                       -> --hidden must be at least 1; got 0
train --out new.npz --activation tan                                 -> activation 'tan' is unknown; did you mean 'tanh'?
train --out new.npz --array-shape 8                                  -> --array-shape '8' must be word lines x bit lines
train --out new.npz --from network.npz --hidden 4                    -> --from states the network; leave out --hidden
train --out new.npz --from network.npz --data mine.csv               -> the network has 2 inputs but the dataset has 3 features
train --out new.npz --from device.json                               -> device.json is not a network that tiocross saved
train --out mine.npz --data mine.csv --label species --share-arrays  -> layers share arrays of a stated size
transfer                                                             -> the following arguments are required: NETWORK
transfer nothing.npz                                                 -> nothing.npz: No such file
transfer network.npz --data mine.csv                                 -> the network has 2 inputs but the dataset has 3 features
transfer network.npz --task moons --transfers 0                      -> --transfers must be at least 1; got 0
transfer network.npz --task moons --wire-resistance -1               -> --wire-resistance must be finite and within
transfer network.npz --task moons --memory 0                         -> --memory must be finite and at least 0.001 GB; got 0
transfer network.npz --task moons --points tests                     -> --points 'tests' is unknown; did you mean 'test'?
transfer network.npz --task moons --points all                       -> --points all needs --data, a CSV file
transfer network.npz --task moons --layout hollow                    -> hollow/plan.json: No such file
transfer network.npz --task moons --layout hollow --array-shape 8x8  -> --layout states where everything lies
transfer network.npz --task moons --out network.npz --overwrite      -> would take the place of network.npz, which is read
transfer network.npz --task moons --after 10                         -> has no retention: name a card that has it
transfer network.npz --task moons --after -1 --device TIO2_RETENTION -> --after must be finite and at least 0
transfer network.npz --task moons --passes 0                         -> --passes must be at least 1; got 0
transfer network.npz --task moons --periphery 9bit                   -> '9bit' is no preset and no file of a periphery
transfer network.npz --task moons --device RRAM_D                    -> RRAM_D is no file; cards that come with tiocross
effects                                                              -> the following arguments are required: NETWORK
effects network.npz                                                  -> has no record of training beside it
effects network.npz --task moons --transfers 0                       -> --transfers must be at least 1; got 0
effects network.npz --task moons --out device.json                   -> device.json is not a folder; choose another with --out
energy network.npz --task moons                                      -> give --read-time, in seconds, or a --periphery that
energy network.npz --task moons --read-time 0                        -> read_time must be above zero and hold two edges
energy network.npz --task moons --read-time 1e-6 --passes 2          -> --passes is of the programming of --pulse-by-pulse
energy network.npz --task moons --read-time 1e-6 --out device.json   -> device.json is not a folder; choose another with --out
tasks --only irs                                                     -> task 'irs' is unknown; did you mean 'iris'?
tasks --out full                                                     -> holds files that tiocross did not write
tasks --list                                                         -> 0
example                                                              -> the following arguments are required: --out
example --out full                                                   -> exists already; choose another with --out
--frobnicate                                                         -> the command is missing; there are experiment, compare
netlist conductances.csv --voltages voltages.csv --out nowhere/x.cir  -> nowhere is not a folder that can be written to
netlist conductances.csv --out x.cir                                 -> needs its inputs: give --voltages, one line for each
netlist conductances.csv --voltages turned.csv --out x.cir           -> must have shape
netlist conductances.csv --voltages voltages.csv --out voltages.csv  -> would take the place of voltages.csv
netlist conductances.csv --voltages voltages.csv --out device.json   -> device.json exists already; choose another with --out, or
netlist conductances.csv --voltages voltages.csv --inputs 0 --out x  -> --inputs must be at least 1; got 0
netlist conductances.csv --voltages voltages.csv --iv sinn:1 --out x -> unknown law 'sinn'; did you mean 'sinh'?
netlist conductances.csv --readback hollow --out x.cir               -> --readback is for a plan; conductances.csv is a file of
netlist network.npz --voltages voltages.csv --out x.cir              -> --voltages is for the conductances of one array
netlist network.npz --dialect spice --out x.cir                      -> --dialect 'spice' is unknown
netlist network.npz --wire-resistance -2 --out x.cir                 -> --wire-resistance must be finite and within
netlist network.npz --data mine.csv --out x.cir                      -> the network has 2 inputs but the dataset has 3 features
netlist network.npz --array-shape 8x1 --out x.cir                    -> array_shape must have at least 2 bit lines
netlist device.json --out x.cir                                      -> device.json is a file of the kind device
netlist full --out x.cir                                             -> full is a folder with neither plan.json nor
netlist nothing.npz --out x.cir                                      -> nothing.npz: No such file
netlist network.npz                                                  -> the following arguments are required
descrbe TIO2                                                         -> unknown command 'descrbe'; did you mean 'describe'?
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good files, and bad ones of every kind."""
    path = tmp_path_factory.mktemp("invocations")
    rng = np.random.default_rng(1)
    MLP(2, 3, 1, rng=rng).save(path / "network.npz")
    save_device(TIO2, path / "device.json")
    write_conductance_csv(path / "conductances.csv", rng.uniform(1e-4, 5e-4, (3, 2)))
    for name, text in {"voltages.csv": "# voltages [mV]\n200,-100,150\n50,50,0\n", "plain.csv": "1,2\n3,4\n", "empty.csv": "",
                       "mine.csv": "length,width,colour,species\n" + "".join(f"{k},{k % 5},{k % 3},kind {k % 2}\n" for k in range(12)),
                       "holes.csv": "length,species\n1,a\n,b\n", "lengths.csv": "a,b\n" + "".join(f"{k},{k}.5\n" for k in range(30)),
                       "turned.csv": "# voltages [mV]\n200,50\n-100,50\n150,0\n", "half.json": '{"format": "tiocross dev',
                       "tuning.csv": "target [uS],programmed [uS]\n100,101\n300,298\n",
                       "huge.json": (path / "device.json").read_text().replace("0.0005", "9" * 400)}.items():
        (path / name).write_text(text)
    (path / "binary.csv").write_bytes(bytes(range(256)))
    (path / "hollow").mkdir()
    (path / "full").mkdir()
    (path / "full" / "mine").touch()
    if sys.platform != "win32":
        os.symlink("nowhere", path / "dangling")
        os.symlink("loop", path / "loop")
    return path


@pytest.mark.parametrize("case", CASES.strip().splitlines(), ids=lambda case: case.partition(" ->")[0].strip())
def test_an_invocation_ends_with_its_exit_code_and_says_why(case, folder, monkeypatch, capsys):
    typed, wanted = (part.strip() for part in case.split("->"))
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    try:
        code = main(typed.replace("NINES", "9" * 5000).split())
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr()
    if wanted == "0":
        assert (code, shown.err) == (0, "") and shown.out
    else:
        assert code == 2 and wanted in shown.err, shown.err
        assert shown.out == "" and len(shown.err.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before  # nothing was made or removed
