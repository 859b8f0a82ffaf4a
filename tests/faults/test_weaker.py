"""Kernels and sandboxes that lack what drover likes best (clone3, pidfd_open): everything works by the next best way.
Missing programs and unreadable directories are retried by policy and never a spin."""
import os
import shutil
import signal
import time
import unittest

from daemon_util import PATIENCE, Daemon
from test_exhaustion import IS_SANITIZED, ticks

HELPER = os.environ["HELPER"]


class Weaker(unittest.TestCase):
    def check(self, *injections):
        pools = {"w": {"command": [HELPER, "sleep"], "workers": 5, "restart": {"delay": 0}}}
        with Daemon({"pools": pools}) as d:
            # -D: the tracer is a grandchild, so that the process is droverd's own; -f follows into all three
            d.prefix = ["strace", "-D", "-f", "-qq", "-o", "/dev/null"]
            for i in injections:
                d.prefix += ["-e", "inject=" + i]
            d.start()
            d.call("wait", select="w", timeout=PATIENCE, **{"for": "ready"})
            old = {n: w["pid"] for n, w in d.workers("w").items()}
            for pid in old.values():
                os.kill(pid, signal.SIGKILL)
            limit = time.monotonic() + PATIENCE
            while True:
                now = d.workers("w")
                if all(w["state"] == "running" and w["pid"] != old[n] for n, w in now.items()):
                    break
                self.assertLess(time.monotonic(), limit, d.log())
            for w in now.values():
                self.assertEqual(w["last_exit"]["exitcode"], -9)
            for code in (0, 7, 255):
                name = d.call("run", command=["/bin/sh", "-c", f"echo said; exit {code}"])["process"]
                self.assertEqual(d.call("wait", process=name, timeout=PATIENCE)["workers"][0]["exitcode"], code)
                self.assertEqual(d.call("logs", select=name)["lines"], 1)
            d.kill_droverd()
            self.assertEqual({n: w["pid"] for n, w in d.workers("w").items()}, {n: w["pid"] for n, w in now.items()})
            self.assertEqual(d.terminate(), 0, d.log())

    @unittest.skipUnless(shutil.which("strace") and not IS_SANITIZED, "needs strace")
    def test_no_clone3(self):
        self.check("clone3:error=ENOSYS")

    @unittest.skipUnless(shutil.which("strace") and not IS_SANITIZED, "needs strace")
    def test_no_pidfd_open(self):
        self.check("clone3:error=EPERM", "pidfd_open:error=ENOSYS")

    def test_what_is_not_there_is_no_spin(self):
        quick = {"delay": 0, "max_delay": "200ms"}
        pools = {"program": {"command": ["/no/such/program"], "workers": 5, "restart": quick},
                 "directory": {"command": [HELPER, "sleep"], "directory": "/no/such/place", "workers": 5, "restart": quick},
                 "w": {"command": [HELPER, "sleep"]}}
        with Daemon({"pools": pools}) as d:
            d.start()
            info = d.call("daemon.info")
            pids = [info[key] for key in ("pid", "keeper_pid", "logger_pid")]
            before, began = sum(ticks(p) for p in pids), time.monotonic()
            follow = d.connect_another()
            follow.send("events", follow=True, types=["worker.start-failed"], select=["program", "directory"])
            while len(follow.notes) < 100:
                follow.notes.append(follow.receive())
            seconds, used = time.monotonic() - began, sum(ticks(p) for p in pids) - before
            self.assertGreater(seconds, 1, "ten workers, five attempts a second each at most")
            self.assertLess(used, 60)
            d.connect_another()
            for name, w in d.workers("program", "directory").items():
                self.assertIn(w["state"], ("backoff", "starting", "failed"), name)
                self.assertIn("No such file", w["last_exit"]["cause"])
            d.call("wait", select="w", timeout=PATIENCE, **{"for": "ready"})
            self.assertEqual(d.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
