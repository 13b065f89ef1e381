"""The jit options of every kernel, how kernels are kept between processes, and what is being compiled.

A kernel calls helpers. numba would optimise every helper and turn it into machine code for itself, and again as a part of
each function that calls it. Here helpers stay as they are written down until the kernel that uses them is finished, and all
are then optimised once, together: a third of the time.
"""

import gc
import hashlib
import logging
import os
import pickle
import time
from contextlib import contextmanager

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder

# nogil: a lab program's other threads go on. error_model: no branch before each division, which would stop
# vectorisation; no kernel relies on an error from dividing by zero. _nrt: kernels allocate nothing, so nothing needs to
# be counted; each part of an array costs fewer instructions, to run and to compile. No fastmath: fused or reordered sums
# would make a weight and its negative leave a rest, and results differ between kinds of processor.
_OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
_LONG = 1.0  # seconds of compiling after which it is reported
_DIGEST = hashlib.sha256().digest_size


def kernel(function):
    """Compile ``function`` on first call, cached between processes where a place to cache can be written."""
    dispatcher = numba.njit(pipeline_class=_KernelCompiler, **_OPTIONS)(function)
    if dispatcher is not function:  # with NUMBA_DISABLE_JIT it is
        try:
            dispatcher._cache = _Cache(function)
        except RuntimeError as error:  # no writable place for the cache: compile anew in every process
            _WATCH.lost = str(error)
    return dispatcher


def helper(function):
    """Compile ``function`` as part of the kernels that call it; it cannot be called from Python."""
    return numba.njit(no_cpython_wrapper=True, pipeline_class=_HelperCompiler, **_OPTIONS)(function)


def compiling() -> float:
    """Seconds that the compilation of a kernel, now under way in any thread, has taken; 0.0 if there is none."""
    since = _WATCH.since
    return 0.0 if since is None else time.monotonic() - since


def not_kept() -> str:
    """Why something compiled in this process cannot be kept for later ones; empty if all can."""
    return _WATCH.lost


class _Watch:
    """What is being compiled; numba lets one thread compile at a time."""

    def __init__(self):
        self.since, self.announced, self.place, self.lost = None, False, "", ""

    @contextmanager
    def compilation(self, name):
        """A kernel is compiled meanwhile; kernels that it calls count as part of it."""
        if self.since is not None:
            yield
            return
        collects = gc.isenabled()
        gc.disable()  # numba makes millions of small objects and hardly any that are garbage: a seventh of the time
        self.since, self.announced = time.monotonic(), False
        try:
            yield
            self.report(name)
        finally:
            self.since = None
            if collects:
                gc.enable()

    def report(self, name):
        """One line to the log, once it has taken long."""
        if not self.announced and compiling() > _LONG:
            self.announced = True
            kept = f"kept in {self.place}" if self.place else "not kept, for numba finds no folder for it"
            logging.getLogger("tiocross").info("compiling kernels for %s, once; %s", name, kept)


_WATCH = _Watch()


class _HelperLibrary(JITCodeLibrary):
    """Instructions of a helper and of what it calls, to be linked into kernels: never optimised, nor made executable."""

    def finalize(self):
        """Link what the helper calls."""
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name):
        """None, for there is no machine code."""
        return 0

    @property
    def codegen(self):
        """What would hand the helper its environment of Python objects, which it does not need."""
        return _NoEnvironment


class _NoEnvironment:
    @staticmethod
    def set_env(env_name, env):
        """Nothing to set."""


class _HelperCompiler(CompilerBase):
    """numba's passes into a `_HelperLibrary`."""

    def define_pipelines(self):
        """numba's own."""
        _WATCH.report(self.state.func_id.modname)
        self.state.library = _HelperLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


class _KernelCompiler(CompilerBase):
    """numba's passes, watched."""

    def compile_extra(self, func):
        """Compile ``func``."""
        with _WATCH.compilation(func.__module__):
            return super().compile_extra(func)

    def define_pipelines(self):
        """numba's own."""
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


class _Cache(FunctionCache):
    """numba's cache of compiled kernels, without which everything still works: a damaged file means to compile anew, one
    that cannot be written to compile again in the next process."""

    def __init__(self, function):
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), *_stamps_of_helpers(function))
        self._cache_file = _CheckedFile(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig, target_context):
        """What was kept for this signature, or None."""
        _WATCH.place = self.cache_path
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever pickle, numba and LLVM make of a damaged file
            self._forget()

    def save_overload(self, sig, data):
        """Keep ``data`` if that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # likewise; or no space, or a disk that is now read-only
            _WATCH.lost = f"{self.cache_path}: {error}"

    def _forget(self):
        try:
            self.flush()
        except OSError:
            pass


def _stamps_of_helpers(function):
    """Times and sizes of the other files of this package that ``function`` is compiled from: numba looks at its own only."""
    found, waiting = {}, [function]
    while waiting:
        for value in list(waiting.pop().__globals__.values()):
            source = getattr(value, "py_func", value)
            name = getattr(source, "__module__", None) or ""
            if name.startswith(f"{__package__}.") and name not in found and hasattr(source, "__globals__"):
                stat = os.stat(source.__code__.co_filename)
                found[name] = (name, stat.st_mtime, stat.st_size)
                waiting.append(source)
    return sorted(found.values())


class _CheckedFile(IndexDataCacheFile):
    """Files of the cache that begin with a digest: damaged machine code would not fail to load, but when it runs."""

    def _load_data(self, name):
        with open(self._data_path(name), "rb") as file:
            digest, data = file.read(_DIGEST), file.read()
        if hashlib.sha256(data).digest() != digest:
            raise ValueError(f"{name} is damaged")
        return pickle.loads(data)

    def _save_data(self, name, data):
        data = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(data).digest() + data)
