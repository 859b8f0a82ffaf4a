"""Descriptors, processes, disk and memory run out below the real programs: reported, retried, never fatal, never a spin,
never a wrong status, and well again when the resource is back. Each test takes it away from a running program
(prlimit), looks, and gives it back."""
import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import unittest

from daemon_util import PATIENCE, Daemon, Failure

HELPER = os.environ["HELPER"]
SLEEP = [HELPER, "sleep"]
KEYS = {"droverd": "pid", "keeper": "keeper_pid", "logger": "logger_pid"}
IS_SANITIZED = b"__asan_init" in open(os.environ["DROVERD"], "rb").read()


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def n_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def fds(pid):
    """What they are, for the message of a test that fails."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def until(condition, what):
    """Poll: what the kernel counts, and what a poor program says, is told by no event."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, f"not within {PATIENCE} s: {what() if callable(what) else what}"
        select.select([], [], [], 0.01)


@contextlib.contextmanager
def limited(pid, what, soft):
    old = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, old[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, old)


class Case(unittest.TestCase):
    def pids(self, d):
        info = d.call("daemon.info")
        return {name: info[key] for name, key in KEYS.items()}

    @contextlib.contextmanager
    def no_spin(self, d):
        """None of the three uses more than a quarter of a processor meanwhile."""
        pids = self.pids(d)
        before, began = {n: ticks(p) for n, p in pids.items()}, time.monotonic()
        yield pids
        allowed = 25 + 25 * (time.monotonic() - began)
        self.assertEqual(self.pids(d), pids, "one of the three was started again: " + d.log())
        for name, pid in pids.items():
            self.assertLess(ticks(pid) - before[name], allowed, f"{name} spins: {d.log()}")

    def is_well(self, d):
        """Workers run, a process runs to its end, its lines are read back, and all ends in order."""
        d.call("wait", select="w", timeout=PATIENCE, **{"for": "ready"})
        name = d.call("run", command=["/bin/sh", "-c", "echo said; exit 7"])["process"]
        self.assertEqual(d.call("wait", process=name, timeout=PATIENCE)["workers"][0]["exitcode"], 7)
        self.assertEqual(d.call("logs", select=name)["lines"], 1)

    def ends(self, d):
        self.assertEqual(d.terminate(), 0, d.log())

    def known(self, d):
        """All workers; none where the daemon has no memory for the answer, and says so."""
        try:
            return d.workers("w").values()
        except Failure as e:
            self.assertIn("short of memory", str(e))
            return []

    def kill_all(self, d):
        """And wait until each death is known: a pid that is shown later is that of a living process again."""
        killed = {w["pid"] for w in self.known(d) if w["pid"]}
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):  # a daemon without memory has not told all of the last round
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(w["pid"] in killed for w in self.known(d)), "the deaths are known")

    def goes_on(self, d, seconds):
        """The daemon keeps time meanwhile; nothing comes of waiting for what does not end."""
        with self.assertRaises(Failure) as caught:
            d.call("wait", select="w/0", timeout=seconds, **{"for": "exit"})
        self.assertEqual(caught.exception.error["data"]["name"], "timeout")

    def restarts(self, d):
        return sum(w["restarts"] for w in d.workers("w").values())

    def check_ends(self, d):
        """Whatever is said of an end is true: killed by us, or a start that failed for want of something."""
        for w in self.known(d):
            cause = (w["last_exit"] or {}).get("cause", "killed by SIGKILL")
            self.assertTrue(cause == "killed by SIGKILL" or "Too many open files" in cause or
                            "temporarily unavailable" in cause or "Cannot allocate memory" in cause, cause)


class Descriptors(Case):
    def starve(self, which, room):
        if os.geteuid() != 0:
            self.skipTest("only root can count the descriptors of keeper and logger, which are not dumpable")
        pool = {"command": SLEEP, "workers": 5, "restart": {"delay": 0, "max_delay": "200ms"}}
        with Daemon({"pools": {"w": pool}}) as d:
            d.start()
            d.call("wait", select="w", **{"for": "ready"})
            with self.no_spin(d) as pids:
                before = {n: n_fds(p) for n, p in pids.items()}
                with limited(pids[which], resource.RLIMIT_NOFILE, before[which] + room):
                    for _ in range(5):
                        self.kill_all(d)
                        self.check_ends(d)
                    with contextlib.suppress(Failure):
                        d.call("run", command=["/bin/true"], name="poor")
                    with contextlib.suppress(Failure):
                        d.call("logs", select="w")
                    self.check_ends(d)
                self.is_well(d)
                until(lambda: all(n_fds(pids[n]) <= before[n] for n in pids),
                      lambda: f"the descriptors of before, {before}: {({n: fds(p) for n, p in pids.items()})}")
            self.ends(d)

    def test_descriptors_of_the_keeper(self):
        for room in (0, 3, 9):
            with self.subTest(room=room):
                self.starve("keeper", room)

    def test_descriptors_of_droverd(self):
        for room in (-1, 0, 1):
            with self.subTest(room=room):
                self.starve("droverd", room)

    def test_descriptors_of_the_logger(self):
        for room in (-1, 0, 1):
            with self.subTest(room=room):
                self.starve("logger", room)

    def test_a_logger_too_poor_to_end_does_not_keep_the_daemon(self):
        with Daemon({"pools": {"w": {"command": SLEEP, "workers": 2}}}) as d:
            d.start()
            d.call("wait", select="w", **{"for": "ready"})
            pids = self.pids(d)
            with limited(pids["logger"], resource.RLIMIT_NOFILE, 3):
                d.call("run", command=["/bin/sh", "-c", "echo lost; exit 7"], name="x")
                self.assertEqual(d.call("wait", process="x", timeout=PATIENCE)["workers"][0]["exitcode"], 7)
                self.ends(d)

    def test_the_line_for_reading_logs_comes_back(self):
        """droverd dies while the logger has no room for the new line."""
        with Daemon({"pools": {"w": {"command": SLEEP}}}) as d:
            d.start()
            self.is_well(d)
            pids = self.pids(d)
            with limited(pids["logger"], resource.RLIMIT_NOFILE, n_fds(pids["logger"]) - 1):
                d.kill_droverd()
                number = d.client.send("logs", select="w")
                d.workers("w")
            try:
                self.assertEqual(d.client.answer(number)["lines"], 0)
            except Failure as e:  # the line was there before there was room for a file
                self.assertIn("Too many open files", str(e))
            self.is_well(d)
            self.ends(d)

    def test_clients_without_end(self):
        """Callers beyond the descriptors are refused politely; those who are in are served."""
        with Daemon({"pools": {"w": {"command": SLEEP}}}) as d:
            d.start()
            with self.no_spin(d) as pids:
                with limited(pids["droverd"], resource.RLIMIT_NOFILE, n_fds(pids["droverd"])):
                    crowd = [socket.socket(socket.AF_UNIX) for _ in range(20)]
                    for s in crowd:
                        s.connect(d.path)
                    refused, _, _ = select.select(crowd, [], [], PATIENCE)
                    self.assertIn(b"descriptor", refused[0].recv(4096))
                    for _ in range(8):
                        self.assertEqual(len(d.workers("w")), 1)
                        self.goes_on(d, 0.05)
                    for s in crowd:
                        s.close()
                self.is_well(d)
            self.ends(d)


class Processes(Case):
    @unittest.skipUnless(os.geteuid() == 0 and os.path.isdir("/sys/fs/cgroup/pids"), "needs root and the pids controller")
    def test_no_process_in_the_cgroup(self):
        pool = {"command": SLEEP, "workers": 4, "restart": {"delay": 0, "max_delay": "100ms"}}
        place = f"/sys/fs/cgroup/pids/drover-test-{os.getpid()}"
        os.mkdir(place)
        self.addCleanup(os.rmdir, place)
        with Daemon({"pools": {"w": pool}}) as d:
            d.spawn_options["preexec_fn"] = lambda: open(place + "/cgroup.procs", "w").write("0")
            d.start()
            d.call("wait", select="w", **{"for": "ready"})
            with self.no_spin(d):
                with open(place + "/pids.max", "w", encoding="ascii") as f:
                    f.write("3")
                self.kill_all(d)
                until(lambda: any("temporarily unavailable" in str(w["last_exit"]) for w in d.workers("w").values()),
                      "a start that failed")
                for _ in range(3):
                    seen = self.restarts(d)
                    until(lambda seen=seen: self.restarts(d) > seen, "it is tried again")
                self.check_ends(d)
                with self.assertRaises(Failure) as caught:
                    d.call("run", command=["/bin/true"])
                self.assertIn("temporarily unavailable", str(caught.exception))
                with open(place + "/pids.max", "w", encoding="ascii") as f:
                    f.write("max")
                self.is_well(d)
            self.ends(d)

    @unittest.skipUnless(os.geteuid() == 0 and os.path.isdir("/sys/fs/cgroup/pids"), "needs root and the pids controller")
    def test_no_process_for_droverd_itself(self):
        place = f"/sys/fs/cgroup/pids/drover-test-{os.getpid()}"
        os.mkdir(place)
        self.addCleanup(os.rmdir, place)
        with Daemon({"pools": {"w": {"command": SLEEP, "workers": 2}}}) as d:
            d.spawn_options["preexec_fn"] = lambda: open(place + "/cgroup.procs", "w").write("0")
            d.start()
            d.call("wait", select="w", **{"for": "ready"})
            pids, workers = self.pids(d), {n: w["pid"] for n, w in d.workers("w").items()}
            with open(place + "/pids.max", "w", encoding="ascii") as f:
                f.write("1")
            before = ticks(pids["keeper"])
            os.kill(pids["droverd"], signal.SIGKILL)
            os.kill(pids["logger"], signal.SIGKILL)
            until(lambda: "cannot start droverd" in d.log() and "cannot start drover-logger" in d.log(), "the keeper says so")
            until(lambda: d.log().count("cannot start") >= 6, "it tries again")
            self.assertLess(ticks(pids["keeper"]) - before, 50)
            self.assertLess(d.log().count("cannot start"), 30)
            with open(place + "/pids.max", "w", encoding="ascii") as f:
                f.write("max")
            d.wait_notice("READY=1")
            d.connect()
            self.assertEqual({n: w["pid"] for n, w in d.workers("w").items()}, workers)
            self.is_well(d)
            self.ends(d)


class Disk(Case):
    """In a mount namespace of its own: this file runs itself there."""

    @unittest.skipUnless(os.geteuid() == 0, "needs root for a small file system")
    def test_full_disk(self):
        if subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
            self.skipTest("cannot make a mount namespace here")
        r = subprocess.run(["unshare", "-m", sys.executable, __file__, "FullDisk"], check=False, capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_file_size_limit(self):
        pools = {"w": {"command": SLEEP}, "loud": {"command": [HELPER, "flood"], "output": {"max_size": "10M"}}}
        with Daemon({"pools": pools}) as d:
            d.start()
            with self.no_spin(d) as pids:
                with limited(pids["logger"], resource.RLIMIT_FSIZE, 100000):
                    until(lambda: "File too large" in d.log(), "the logger says so")
                    self.goes_on(d, 0.5)
                    self.assertEqual(d.workers("loud")["loud/0"]["state"], "running")
                d.call("stop", select="loud")
                self.is_well(d)
            self.ends(d)


class FullDisk(Case):
    def setUp(self):
        if "FullDisk" not in sys.argv:
            self.skipTest("only in a mount namespace")

    def test_logs(self):
        with Daemon({"pools": {"w": {"command": SLEEP}, "loud": {"command": [HELPER, "flood"]}}}) as d:
            os.mkdir(d.place + "/log")
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "none", d.place + "/log"], check=True)
            try:
                d.start()
                with self.no_spin(d):
                    until(lambda: "No space left" in d.log(), "the logger says so")
                    for _ in range(20):
                        self.assertEqual(d.workers("loud")["loud/0"]["state"], "running")
                        name = d.call("run", command=["/bin/sh", "-c", "exit 7"])["process"]
                        self.assertEqual(d.call("wait", process=name, timeout=PATIENCE)["workers"][0]["exitcode"], 7)
                    self.kill_all(d)
                    d.call("wait", select="w", timeout=PATIENCE, **{"for": "ready"})
                    self.assertEqual(d.call("stop", select="loud", timeout=PATIENCE)["workers"][0]["state"], "stopped")
                    subprocess.run(["mount", "-o", "remount,size=64M", d.place + "/log"], check=True)
                    self.is_well(d)
                self.ends(d)
            finally:
                subprocess.run(["umount", "-l", d.place + "/log"], check=True)


class Memory(Case):
    @unittest.skipIf(IS_SANITIZED, "a sanitizer needs all address space")
    def test_address_space(self):
        for which in KEYS:
            for room in (0, 1 << 20):
                with self.subTest(which=which, room=room):
                    self.short_of_memory(which, room)

    def short_of_memory(self, which, room):
        pool = {"command": SLEEP, "workers": 5, "restart": {"delay": 0, "max_delay": "200ms"}}
        with Daemon({"pools": {"w": pool}}) as d:
            d.start()
            d.call("wait", select="w", **{"for": "ready"})
            with self.no_spin(d) as pids:
                with open(f"/proc/{pids[which]}/statm", encoding="ascii") as f:
                    size = int(f.read().split()[0]) * 4096 + room
                with limited(pids[which], resource.RLIMIT_AS, size):
                    for _ in range(5):
                        self.kill_all(d)
                        self.check_ends(d)
                    for i in range(40):
                        try:
                            d.call("run", command=["/bin/true", "x" * 20000], name=f"r{i}")
                        except Failure:
                            pass
                        except (EOFError, ConnectionError):  # no memory to answer with, or to read all that was said
                            d.connect()
                d.connect()  # the last one may have been refused for want of memory, too
                self.is_well(d)
            self.ends(d)


if __name__ == "__main__":
    unittest.main(verbosity=2)
