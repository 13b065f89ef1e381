"""The jit options of every kernel."""

import numba

# nogil: a lab program's other threads go on. error_model: no branch before each division, which would stop
# vectorisation; no kernel divides by zero.
_OPTIONS = {"nogil": True, "error_model": "numpy"}


def kernel(function):
    """Compile ``function`` on first call, cached between processes where a place to cache can be written."""
    return _compile(function, _OPTIONS)


def fused_kernel(function):
    """The same with fused multiply-add, which rounds once instead of twice: the last bit may differ between kinds of
    processor, so it is for results that do not hang on it."""
    return _compile(function, {**_OPTIONS, "fastmath": {"contract"}})


def _compile(function, options):
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no writable place for the cache: compile anew in every process
        return numba.njit(**options)(function)
