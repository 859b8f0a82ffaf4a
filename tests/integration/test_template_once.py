"""Runs of short targets, while droverd, templates and processes forked ahead are killed at any moment: each runs once."""
import collections
import contextlib
import os
import random
import signal
import time
import unittest

from daemon_util import PATIENCE, Failure
from test_template import METHODS, MODULE
from test_template_spare import Stock, children

LIVES = 8  # of droverd
LIFE = 1.05  # seconds: after a shorter one the keeper waits before the next
MOMENT = 600e-6  # longer than a run takes
VICTIMS = (None,) * 12 + ("drover-spare",) * 4 + ("drover-host", "run")


class Once(unittest.TestCase):
    def strike(self, d, victim):
        """Somewhere in the course of a run."""
        end = time.monotonic() + random.random() * MOMENT
        while time.monotonic() < end:
            pass
        for pid, comm in children(d):
            if victim and comm.startswith(victim):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                break

    def outcome(self, d, name):
        """Its exit code; None: nobody has heard of it."""
        try:
            return d.client.receive()["result"]["workers"][0]["exitcode"]
        except (OSError, EOFError):
            d.connect()
        with contextlib.suppress(Failure):
            return d.call("wait", process=name, timeout=PATIENCE, **{"for": "exit"})["workers"][0]["exitcode"]
        return None

    def ask(self, d, **params):
        try:
            d.client.send("run", **params)
        except OSError:  # droverd died after it had answered
            d.connect()
            d.client.send("run", **params)

    def storm(self, d, method):
        path, codes, born, n_lives = d.place + "/marks", {}, time.monotonic(), 1
        with open(path, "w", encoding="utf-8"):
            pass
        while n_lives < LIVES:
            name, victim = f"o{len(codes)}", random.choice(VICTIMS)
            if time.monotonic() > born + LIFE and random.random() < 0.2:
                victim, born, n_lives = "droverd", time.monotonic(), n_lives + 1
            self.ask(d, module=MODULE, target="mark", args=[path, name], start_method=method, name=name, wait=True)
            self.strike(d, victim)
            codes[name] = self.outcome(d, name)
        with open(path, encoding="utf-8") as f:
            return codes, collections.Counter(f.read().split())

    def test_once(self):
        for method in METHODS:
            with self.subTest(method), Stock() as d:
                d.start()
                d.fill(method)
                codes, marks = self.storm(d, method)
                for name, code in codes.items():
                    least, most = {0: (1, 1), None: (0, 0), -signal.SIGKILL: (0, 1)}[code]
                    self.assertTrue(least <= marks[name] <= most, (name, code, marks[name], d.log()))
                self.assertGreater(list(codes.values()).count(0), len(codes) / 2)
                self.assertIn("starting it again", d.log())


if __name__ == "__main__":
    unittest.main()
