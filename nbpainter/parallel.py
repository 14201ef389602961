"""Spread work over the cores of this machine, or over a Dask cluster."""

import contextlib
import math
import os
import signal
import threading
import time

import joblib
from joblib.externals.loky import process_executor

from nbpainter.errors import (
    NBPainterError,
    available_memory,
    keep_freed_memory,
)
from nbpainter.files import explain, refusing


@contextlib.contextmanager
def on_cluster(address):
    """Spread what a block spreads over a cluster instead of this machine.

    Its workers need the same packages, and see the same files by the same
    paths.

    Args:
        address: str, of a Dask scheduler, such as `"tcp://127.0.0.1:8786"`;
            `None` for this machine.

    Raises:
        NBPainterError: if `dask[distributed]` is missing or nobody answers.
    """
    if address is None:
        yield
        return
    sentence = (
        "No Dask cluster at {path} ({reason}). Start one with `dask scheduler` "
        "and `dask worker`; they need: pip install 'nbpainter[cluster]'"
    )
    with refusing(address, sentence, NBPainterError):
        from dask.distributed import Client

        client = Client(address, timeout=10)
    with client, joblib.parallel_config("dask", client=client):
        client.register_worker_callbacks(setup=_start_cluster_worker)
        yield


def spread(function, jobs, num_bytes):
    """Call a function for each job, in as many processes as there are cores.

    Fewer, where there is less memory; a single one is this process itself.
    `joblib.parallel_config` chooses other engines, such as a Dask cluster.

    Args:
        function: what is called; it can be imported by its name.
        jobs: list of tuples, the arguments of each call.
        num_bytes: int, memory that a process needs.

    Yields:
        What the calls return, in the order of the jobs.

    Raises:
        NBPainterError: if a process dies.
    """
    cores, fitting = joblib.cpu_count(), available_memory() / num_bytes
    num_processes = int(max(1, min(cores, fitting, len(jobs))))
    parallel = joblib.Parallel(
        num_processes,
        return_as="generator",
        pre_dispatch="n_jobs",
        initializer=start_worker,
        initargs=(cores // num_processes,),
    )
    stopped = ("BrokenProcessPool", "TerminatedWorkerError", "KilledWorker")
    try:
        yield from parallel(joblib.delayed(function)(*job) for job in jobs)
    except Exception as error:
        if type(error).__name__ not in stopped:
            raise
        raise NBPainterError(
            "A process of the work was stopped, maybe for want of memory "
            f"({explain(error)}). Close other programs and start again."
        ) from error


@contextlib.contextmanager
def on_interrupt(note):
    """Call a function at each Ctrl-C of a block, instead of leaving it.

    Nothing changes outside the main thread, where Python cannot listen, and
    in a process that ignores Ctrl-C, such as a worker.

    Args:
        note: function of the signal's two arguments.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    main = threading.current_thread() is threading.main_thread()
    if ignored or not main:
        yield
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start_worker(num_threads=1):
    """Make this process ready to work for another one.

    It ends with that one, not by a Ctrl-C of its own, and what libraries say
    does not get into that one's output.

    Args:
        num_threads: int, that TensorFlow may use. Default 1.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    # Networks need more than what else is taken for a leak.
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    _use_threads(num_threads)


def _start_cluster_worker():
    """As `start_worker`, for a worker that Dask has started for itself."""
    _use_threads(1)  # There is a worker for each core.
    keep_freed_memory()


def _use_threads(number):
    """Bound the threads of a TensorFlow that is not loaded yet."""
    os.environ.update(
        TF_NUM_INTRAOP_THREADS=str(number), TF_NUM_INTEROP_THREADS=str(number)
    )


def _end_with(parent):
    """End this process when that one has: joblib's would wait for ever."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
