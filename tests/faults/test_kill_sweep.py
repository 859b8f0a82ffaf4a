"""SIGKILL of droverd at its N-th system call, for a sample of N over a fixed scenario: the keeper brings the next life, and
then no worker is lost, doubled or strange, what was answered stands, and everything answers.

A first run records the calls; a point is then "the k-th sendmsg". The sample's size is $DROVER_SWEEP_POINTS (default
60; "all"); it moves with the day, so that many runs see many points."""
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from daemon_util import PATIENCE, Daemon, Failure, is_alive

SLEEP = [os.environ["HELPER"], "sleep"]
POINTS = os.environ.get("DROVER_SWEEP_POINTS", "60")
GONE = (EOFError, ConnectionError, FileNotFoundError, BrokenPipeError, TimeoutError)


def family(keeper):
    """The children of the keeper that are workers: pid -> command line."""
    found = {}
    with open(f"/proc/{keeper}/task/{keeper}/children", encoding="ascii") as f:
        for pid in f.read().split():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as c:
                    words = c.read().split(b"\0")
            except FileNotFoundError:
                continue
            if words[0] == SLEEP[0].encode():
                found[int(pid)] = words
    return found


class Sweep(unittest.TestCase):
    def call(self, d, method, **params):
        """None: droverd died before its answer."""
        try:
            return d.call(method, **params)
        except GONE:
            return None

    def back(self, d):
        """The socket is kept over droverd's death: a connect succeeds and its call waits for the next life. Only one that
        the dying droverd had taken breaks, and is made again."""
        limit = time.monotonic() + PATIENCE
        while True:
            try:
                d.connect()
                d.client.socket.settimeout(5)
                return d.call("daemon.info")
            except GONE:
                self.assertLess(time.monotonic(), limit, "droverd is not back: " + d.log())

    def scenario(self, d):
        """What was asked for, step by step: {what: was it answered?}. Stops at the first call that was not."""
        answered = {}
        for what, method, params in (
                ("started", "start", {"select": "b"}),
                ("scaled", "scale", {"pool": "a", "workers": 5}),
                ("stopped", "stop", {"select": "a/1"}),
                ("run", "run", {"command": ["/bin/sh", "-c", "exit 7"], "name": "job"}),
                ("waited", "wait", {"process": "job"})):
            result = self.call(d, method, **params)
            answered[what] = result is not None
            if result is None:
                break
            if what == "waited":
                self.assertEqual(result["workers"][0]["exitcode"], 7)
        return answered

    def check_stands(self, d, answered):
        """Nothing that was answered is undone; what was not answered is asked for again."""
        for what, method, params in (
                ("started", "start", {"select": "b"}), ("scaled", "scale", {"pool": "a", "workers": 5}),
                ("stopped", "stop", {"select": "a/1"})):
            if not answered.get(what):
                d.call(method, **params)
        if answered.get("run"):
            self.assertEqual(d.call("wait", process="job", timeout=PATIENCE)["workers"][0]["exitcode"], 7)
        else:
            try:
                d.call("run", command=["/bin/sh", "-c", "exit 7"], name="job")
            except Failure as e:
                self.assertEqual(e.error["data"]["name"], "exists")
            self.assertEqual(d.call("wait", process="job", timeout=PATIENCE)["workers"][0]["exitcode"], 7)
        for name in ("a/0", "a/2", "a/3", "a/4", "b"):
            d.call("wait", select=name, timeout=PATIENCE, **{"for": "ready"})

    def point(self, *options):
        """One scenario under strace with @options. Was droverd killed?"""
        pools = {"a": {"command": SLEEP, "workers": 3}, "b": {"command": SLEEP, "workers": 2, "autostart": False}}
        with Daemon({"pools": pools}) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"})
            info, before = d.call("daemon.info"), {n: w["pid"] for n, w in d.workers("a").items()}
            strace = subprocess.Popen(["strace", "-qq", "-p", str(info["pid"]), *options], stderr=subprocess.DEVNULL)
            try:
                while f"TracerPid:\t{strace.pid}" not in open(f"/proc/{info['pid']}/status", encoding="ascii").read():
                    if strace.poll() is not None:
                        self.skipTest("strace cannot attach here")
                answered = self.scenario(d)
            finally:
                strace.terminate()
                strace.wait()
            died = self.back(d)["pid"] != info["pid"]
            self.check_stands(d, answered)
            workers = {n: w for n, w in d.workers("a", "b").items()}
            self.assertEqual(workers["a/1"]["state"], "stopped")
            for name in ("a/0", "a/2"):
                self.assertEqual(workers[name]["pid"], before[name], "a worker was replaced")
            alive = sorted(w["pid"] for w in workers.values() if w["pid"])
            self.assertEqual(len(alive), 6, workers)
            self.assertEqual(alive, sorted(family(d.process.pid)), "lost or doubled")
            self.assertEqual(d.terminate(), 0, d.log())
            self.assertFalse([p for p in alive if is_alive(p)])
            return died

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_points(self):
        points, seen = [], {}
        for name in self.record():
            seen[name] = seen.get(name, 0) + 1
            points.append((name, seen[name]))
        n_all = len(points)
        if POINTS != "all":
            points = random.Random(int(time.time()) // 86400).sample(points, min(int(POINTS), n_all))
        deaths = 0
        for name, number in points:
            with self.subTest(call=name, number=number):
                deaths += self.point("-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={number}")
        print(f"killed at {deaths} of {len(points)} points, of {n_all} calls")
        self.assertGreater(deaths, len(points) // 2)

    def record(self):
        """The names of all system calls of the scenario, in order."""
        with tempfile.NamedTemporaryFile("r") as f:
            self.assertFalse(self.point("-o", f.name))
            return re.findall(r"^(\w+)\(", f.read(), re.MULTILINE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
