"""Who does the work of a study: processes and threads that end soon after Ctrl-C."""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait

from tiocross.work import as_ready


_WAITING = 256  # units at most in an executor, a thread waits for each


class Crew:
    """Processes for training and figures, which hold the interpreter, and threads for transfers, which do not; or an
    executor for training and transfers.

    With one worker, training and figures run in this thread as they are handed in. Transfers and compilation are never
    in this thread, so that Ctrl-C always finds it awake. As a context it ends with its block: an interrupt leaves within
    a second, any other error waits until all is quiet.
    """

    def __init__(self, workers, executor=None):
        self.stop, self._executor = threading.Event(), executor
        self.compiled = None  # future of what judging in threads waits for
        self.n_ahead = _WAITING if executor is not None else 2 * workers if workers > 1 else 1
        self._threads = ThreadPoolExecutor(workers if executor is None else _WAITING, thread_name_prefix="tiocross")
        self._processes = None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            self._stop_processes = context.Event()
            self._processes = ProcessPoolExecutor(workers, context, _begin_process, (self._stop_processes,))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, KeyboardInterrupt):
            self._abandon()
        else:
            self._dismiss()

    def start(self, function, *arguments):
        """Future of ``function(*arguments)`` in a process or the executor; `stop_if_asked` sees whether to go on."""
        if self._executor is not None:
            return self._threads.submit(self._wait_for, function, arguments)
        return self.start_here(function, *arguments)

    def start_here(self, function, *arguments):
        """The same in a process of this computer, for what is not for an executor."""
        if self._processes is None:
            return _done_now(function, *arguments)
        with interrupts_held():  # a Ctrl-C while a process starts would leave it half made
            return self._processes.submit(function, *arguments)

    def each(self, function, jobs):
        """Yield a job's arguments and ``function(*arguments)``, done in processes, as they are ready."""
        waiting, running = list(jobs), {}
        while waiting or running:
            while waiting and len(running) < self.n_ahead:  # with one worker handing out is doing
                arguments = waiting.pop(0)
                running[self.start(function, *arguments)] = arguments
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()

    def start_thread(self, function, *arguments):
        """Future of ``function(*arguments)`` in a thread."""
        return self._threads.submit(function, *arguments)

    def start_judging(self, function, *arguments):
        """Future of ``function(*arguments, should_stop)`` in a thread, or of ``function(*arguments)`` in the executor."""
        if self._executor is not None:
            return self.start(function, *arguments)
        return self.start_thread(self._judge, function, arguments)

    def _judge(self, function, arguments):
        if self.compiled is not None:
            self.compiled.result()
        return function(*arguments, self.stop.is_set)

    def _wait_for(self, function, arguments):
        """What the executor makes of a unit."""
        (_, result), = as_ready(function, [arguments], self._executor, describe=lambda _: function.__name__.strip("_"),
                                should_stop=self.stop.is_set)
        return result

    def _dismiss(self):
        """Stop what runs, drop what waits, and return when all is quiet."""
        self.stop.set()
        if self._processes is not None:
            self._stop_processes.set()
            self._processes.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _abandon(self):
        """The same within a second: processes that do not stop by themselves are ended, threads are left to end at
        their next block of chips."""
        with interrupts_ignored():  # one is enough; what follows takes a moment
            self.stop.set()
            self._threads.shutdown(wait=False, cancel_futures=True)
            if self._processes is not None:
                self._stop_processes.set()
                closing = threading.Thread(target=self._processes.shutdown, kwargs={"cancel_futures": True}, daemon=True)
                closing.start()
                closing.join(0.5)
                for process in multiprocessing.active_children():
                    process.terminate()
                closing.join(0.2)  # Python 3.10 may wait for ended processes for ever
            self._processes = self._stop_processes = None
            gc.collect()  # gives the processes' semaphores back, which a process that ends without clean-up would leak


def stop_if_asked(done, total):
    """For ``on_progress`` of what runs in a process: raises InterruptedError once the crew is dismissed."""
    stop = getattr(multiprocessing.current_process(), "stop_asked", None)
    if stop is not None and done % 64 == 0 and stop.is_set():
        raise InterruptedError("training was asked to stop")


def _begin_process(stop_asked):
    """In a new process: the event can only be inherited, so it is kept with the process and not sent with each task."""
    multiprocessing.current_process().stop_asked = stop_asked
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """A parent that was killed dismisses nobody: without this its processes train on, and then wait for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _done_now(function, *arguments):
    future = Future()
    future.set_result(function(*arguments))
    return future


@contextlib.contextmanager
def interrupts_ignored():
    """Nothing comes of Ctrl-C in the block; in a thread that none reaches the block alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupts_held():
    """Deliver an interrupt after the block instead of within it; processes started in the block never get one."""
    if threading.current_thread() is not threading.main_thread():  # only that one is interrupted
        yield
        return
    arrived = []
    before = signal.signal(signal.SIGINT, lambda *_: arrived.append(True))
    masks = hasattr(signal, "pthread_sigmask")  # elsewhere (Windows) the processes ignore it once they run
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else None
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if arrived:
        raise KeyboardInterrupt
