"""The jit options of every kernel."""

import numba

# nogil: a lab program's other threads go on. error_model: no branch before each division, which would stop
# vectorisation; no kernel relies on an error from dividing by zero. No fastmath: fused or reordered sums would make a
# weight and its negative leave a rest, and results differ between kinds of processor.
_OPTIONS = {"nogil": True, "error_model": "numpy"}


def kernel(function):
    """Compile ``function`` on first call, cached between processes where a place to cache can be written."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no writable place for the cache: compile anew in every process
        return numba.njit(**_OPTIONS)(function)


def helper(function):
    """Compile ``function`` as part of the kernels that call it: without entrance from Python it compiles a fifth faster."""
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)
