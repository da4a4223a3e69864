"""When a run must save and stop: a signal, the end of its starter, or the end of its time."""

import os
import signal
import threading
import time

# Assumed speed of the disk in bytes per second, until the first checkpoint is measured.
_DISK = 50e6
# The next checkpoint may take half as long again as the longest so far.
_ROOM = 1.5
# Seconds that the process needs to notice the limit and to exit.
_REST = 2.0


class Stop:
    """Hears SIGUSR1, SIGTERM, SIGINT, and the end of the process that started this one."""

    def __init__(self, watch_input):
        self.asked, self._parent = False, os.getppid()
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)
        if watch_input:
            threading.Thread(target=self._watch_input, daemon=True).start()

    def _hear(self, _number, _frame):
        self.asked = True

    def _watch_input(self):
        """regrow holds the other end of the input: it closes it to ask for a stop, and so does its death."""
        try:
            while os.read(0, 256):
                pass
        except OSError:
            pass
        self.asked = True

    def is_asked(self):
        # torchrun was killed: nobody would notice if another process of this run failed.
        return self.asked or os.getppid() != self._parent


class Limit:
    """The end of the time, and the longest duration so far of a step, an evaluation and a save."""

    def __init__(self, end, weights):
        # 12 bytes a weight: the weight and two moments, in f32.
        self.end, self.save, self.measured = end, 12 * weights / _DISK, False
        self.step = self.evaluation = 0.0

    def is_reached(self, evaluates):
        """Whether another step, its evaluation and a checkpoint may take longer than the time that is left."""
        if self.end is None:
            return False
        needed = self.step + (self.evaluation if evaluates else 0.0) + _ROOM * self.save + _REST
        return time.time() + needed > self.end

    def wants_a_save(self):
        """Whether to write a checkpoint only to measure how long it takes."""
        return self.end is not None and not self.measured

    def saved(self, took):
        self.save = max(self.save, took) if self.measured else took
        self.measured = True
