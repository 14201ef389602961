"""When to stop: time is up, or somebody pressed Ctrl-C."""

import contextlib
import signal
import threading
import time


class Budget:
    """Watches the time, and Ctrl-C.

    Args:
        seconds: float, how long from now. Default: no limit.
    """

    def __init__(self, seconds=None):
        self.started = time.perf_counter()
        self.seconds = seconds
        self.interrupted = False

    def passed(self):
        """Return the seconds since the start."""
        return time.perf_counter() - self.started

    def left(self):
        """Return the seconds that are left, a float; infinity for no limit."""
        if self.seconds is None:
            return float("inf")
        return self.seconds - self.passed()

    def is_spent(self):
        """Return whether to stop now."""
        return self.interrupted or self.left() <= 0

    @contextlib.contextmanager
    def watch(self):
        """Take the first Ctrl-C as a wish to stop soon.

        The second one raises `KeyboardInterrupt`, as ever. Outside the main
        thread Python cannot listen, and nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(*_):
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
