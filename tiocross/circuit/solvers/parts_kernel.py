"""The same as `circuits_kernel` for one large array, job by job, so that threads share the lines and Ctrl-C gets through.

Word lines do not depend on each other while the bit lines are held, nor do bit lines: each thread takes some vectors of
them. The order of all sums is as in `circuits_kernel`, and so are the bits, for any number of threads.

job             first, last         what is done
FACTOR_WORDS    vectors of word     attenuations
                lines
FACTOR_BITS     vectors of bit      likewise, and chunks are summed
                lines
PREPARE         -                   the coarse crossbars, the drive, and a first correction if ``flag``
WORDS           vectors of word     word lines solved; ``flag``: with a correction added before
                lines
BITS            vectors of bit      bit lines solved; ``flag``: with the devices' currents measured
                lines
CORRECT         -                   from what the word lines lack to a correction; ``flag``: what level 1 is given is there
JUDGE           -                   figures; ``flag``: as in BITS. Returns 1 while the circuit is open, else 0
TAKE            -                   currents and voltages stored

``numbers`` are those of a thread: scratch is its own. The other symbols are those of `circuits_kernel`, of one circuit.
"""

from tiocross.circuit.solvers.circuits_kernel import (
    clear,
    expand,
    find_correction,
    gather,
    guess,
    judge,
    prepare,
    take,
    take_drives,
)
from tiocross.circuit.solvers.lines_kernel import (
    B,
    M,
    PITCH,
    Q,
    factor_bit_lines,
    factor_word_lines,
    solve_all_bit_lines,
    solve_word_lines,
)
from tiocross.jit import kernel

FACTOR_WORDS, FACTOR_BITS, PREPARE, WORDS, BITS, CORRECT, JUDGE, TAKE = range(8)  # of ``job``


@kernel
def do_part(job, first, last, flag, strict, rtol, devices, drives, currents, figures, nodes, pool, tables, numbers, edges):
    """Do one job of the table above."""
    s, never, nowhere = numbers[0], job < 0, -len(numbers)
    if job == FACTOR_WORDS:
        factor_word_lines(s, first, last, never, devices, 0, pool, tables)
    elif job == FACTOR_BITS:
        factor_bit_lines(s, edges[0], first, last, never, devices, 0, pool, tables)
    elif job == PREPARE:
        prepare(edges, never, not never, devices, 0, pool, tables, numbers)
        take_drives(s, never, drives, 0, 1, 0, pool, tables)
        clear(pool, s[B], s[M] * s[PITCH])
        if flag:
            guess(edges, never, devices, 0, pool, tables, numbers)
    elif job == WORDS:
        solve_word_lines(s, edges[0], first, last, never, never, flag, devices, 0, pool, nowhere, pool, tables)
    elif job == BITS:
        solve_all_bit_lines(s, edges[0], first, last, never, flag, devices, 0, pool, nowhere, pool, tables)
    elif job == CORRECT:
        if not flag:
            gather(s, numbers[1], edges[0], never, not never, numbers[1, Q], pool, tables)
        find_correction(edges, never, pool, tables, numbers)
        expand(s, numbers[1], edges[0], never, pool, tables)
    elif job == JUDGE:
        return judge(s, never, flag, strict, rtol, pool, tables, figures[0])
    elif job == TAKE:
        take(s, 0, never, drives.shape[2], devices, 0, pool[:0], pool, tables, currents[0, 0], nodes[0, 0])
    return 0
