"""What does not fit into memory is refused at once, with its size and the cure."""

import numpy as np
import pytest

import tiocross
from tiocross import tasks

DATA = tasks.Dataset([[0.1, 0.2], [0.3, 0.4], [0.5, 0.1]], [0, 1, 0])
NETWORK = tiocross.MLP(2, 1, rng=np.random.default_rng(7))


@pytest.mark.parametrize(("ask", "message"), [
    (lambda rng: tiocross.transfer(NETWORK, DATA, device=tiocross.TIO2, n_transfers=10**12, rng=rng),
     r"the verdicts on 3 points of 1000000000000 chips would take 1.1e\+04 GB of memory, .*; give a smaller n_transfers"),
    (lambda rng: tiocross.transfer(NETWORK, DATA, device=tiocross.TIO2, n_transfers=range(5, 10**12), rng=rng),
     r"of 999999999995 chips would take 1.1e\+04 GB of memory"),
    (lambda rng: tiocross.transfer(NETWORK, DATA, device=tiocross.TIO2, n_transfers=range(10**40), rng=rng),
     r"the largest of n_transfers must be at most 2\*\*53"),
    (lambda rng: tiocross.judge_plan(tiocross.plan(NETWORK, tiocross.TIO2), NETWORK, DATA, n_transfers=10**12, rng=rng),
     r"would take 1.1e\+04 GB of memory, .*; give a smaller n_transfers"),
    (lambda rng: tiocross.program([[1e-4, 2e-4, 3e-4]], tiocross.TIO2, n_chips=10**12, rng=rng),
     r"1000000000000 chips of 3 devices would take 1.92e\+05 GB of memory, .*; give a smaller n_chips"),
    (lambda rng: tiocross.SimulatedCrossbar((10**6, 2 * 10**6), rng=rng),
     r"an array of 1000000 x 2000000 devices would take 8e\+05 GB of memory, .*; simulate a smaller array"),
    (lambda rng: tiocross.MLP(10**6, 2 * 10**6, rng=rng), r"weights and biases would take 1.6e\+04 GB .*; give smaller layers"),
    (lambda rng: tasks.generate_moons(rng=rng, n_train=10**12), r"points would take 1e\+05 GB of memory, .*; ask for fewer"),
])
def test_what_fits_into_no_memory_is_refused_at_once(ask, message):
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    with pytest.raises(ValueError, match=message):
        ask(rng)
    assert rng.bit_generator.state == before
