"""droverctl's submit, map, tasks, cancel and wait against the real programs."""
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import unittest

from daemon_util import PATIENCE, Daemon

DROVERCTL, MATH, BASICS = os.environ["DROVERCTL"], os.environ["MATH_MODULE"], os.environ["BASICS_MODULE"]
MEMORY_MAX = 512 << 10 if os.environ.get("DROVER_TEST_SANITIZED") else 16 << 10  # KiB; sanitizers keep what was freed
LINES = int(os.environ.get("MAP_LINES", "300000"))


# Results that are JSON, and more than many readers can hold.
WIDE = r"""
import json, os, socket
s = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
for line in s.makefile("r"):
    r = json.loads(line)
    values = {"big": 2 ** 70, "nul": "a\0b", "half": "\ud800", "sum": 0.1 + 0.2}
    s.sendall(json.dumps({"jsonrpc": "2.0", "id": r["id"], "result": values[r["method"]]}).encode() + b"\n")
"""


class TaskCtl(unittest.TestCase):
    def setUp(self):
        self.d = self.enterContext(Daemon()) if hasattr(self, "enterContext") else Daemon().__enter__()
        self.d.write_config({"pools": {"math": {"module": MATH, "workers": 2}, "basics": {"module": BASICS, "workers": 1},
                                        "wide": {"command": [sys.executable, "-c", WIDE], "protocol": "tasks"}}})
        self.d.start()
        self.env = dict(os.environ, DROVER_SOCKET=self.d.path)

    def start(self, *args, **more):
        return subprocess.Popen([DROVERCTL, *args], env=self.env, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                                                     "stderr": subprocess.PIPE, **more})

    def ctl(self, *args, text=None):
        p = self.start(*args, **({} if text is None else {"stdin": subprocess.PIPE}))
        out, err = p.communicate(None if text is None else text.encode(), PATIENCE)
        return p.returncode, out.decode(), err.decode()

    def test_one(self):
        status, task, _ = self.ctl("submit", "math", "square", "5", "base=2")
        self.assertEqual((status, task), (0, "math-1\n"))
        self.assertEqual(self.ctl("wait", "math-1"), (0, "27\n", ""))
        self.assertEqual(self.ctl("submit", "--wait", "math", "square", "100000000000"), (0, "10000000000000000000000\n", ""))
        for kept in ((), ("--keep",)):
            status, out, err = self.ctl("submit", "--wait", *kept, "basics", "fail", "ValueError", "of no value")
            self.assertEqual((status, out), (1, ""))
            self.assertTrue(err.startswith("Traceback (innermost first):\n#0 fail (") and err.endswith("\nValueError: of no value\n"), err)
            status, _, err = self.ctl("submit", "--wait", *kept, "basics", "crash")
            self.assertEqual(status, 1)
            self.assertIn("the worker died with it: basics/0 killed by SIGABRT", err)
            self.assertEqual(self.ctl("submit", "--wait", *kept, "--task-timeout", "100ms", "basics", "nap", "100")[0], 6)
        self.assertEqual(self.ctl("submit", "--wait", "math", "sqare", "5")[0], 1)
        self.assertEqual(self.ctl("submit", "mth", "square", "5")[0], 4)
        self.assertEqual(self.ctl("wait", "math-1000")[0], 4)

    def test_key(self):
        first, second = (self.ctl("submit", "--key", "k", "math", "count") for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(self.ctl("submit", "--wait", "--key", "k", "math", "count")[1], "1\n")

    def test_list_and_cancel(self):
        running, queued = (self.ctl("submit", "basics", "nap", "100")[1].strip() for _ in range(2))
        while [t["task"] for t in self.d.call("task.list", state="running")["tasks"]] != [running]:
            pass
        status, out, _ = self.ctl("tasks", "-o", "jsonl", "basics")
        self.assertEqual([(t["task"], t["state"], t["worker"]) for t in map(json.loads, out.splitlines())][0], (running, "running", "basics/0"))
        self.assertIn("nap", self.ctl("tasks")[1])
        self.assertEqual(self.ctl("tasks", "--state", "queued", "-o", "name")[1].split(), [queued])
        self.assertEqual(self.ctl("wait", "-T", "50ms", running)[0], 6)
        self.assertEqual(self.ctl("cancel", queued, running)[0], 0)
        self.assertEqual(self.ctl("cancel", queued, running)[0], 3)
        self.assertEqual(self.ctl("wait", queued, running)[0], 1)
        self.assertEqual(self.ctl("submit", "--wait", "basics", "nap", "0"), (0, "null\n", ""))

    def test_ctrl_c_cancels(self):
        p = self.start("submit", "--wait", "basics", "nap", "100")
        while not self.d.call("status", select="basics")["pools"][0]["busy"]:
            pass
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=PATIENCE)
        self.assertEqual(p.returncode, 130)
        self.assertIn(b"the task is cancelled", err)
        self.assertEqual(self.ctl("submit", "--wait", "basics", "nap", "0")[0], 0)

    def test_over_the_daemons_death(self):
        p = self.start("submit", "--wait", "--keep", "basics", "nap", "0.5")
        while not self.d.call("status", select="basics")["pools"][0]["busy"]:
            pass
        os.kill(self.d.call("daemon.info")["pid"], signal.SIGKILL)
        out, err = p.communicate(timeout=PATIENCE)
        self.assertEqual((p.returncode, out, err), (0, b"null\n", b""))

    def test_map(self):
        text = "".join("%d\n" % i for i in range(5000))
        squares = "".join("%d\n" % (i * i) for i in range(5000))
        self.assertEqual(self.ctl("map", "math", "square", text=text), (0, squares, ""))
        self.assertEqual(self.ctl("map", "--count", "5000", "math", "square"), (0, squares, ""))
        status, out, _ = self.ctl("map", "--unordered", "--chunk", "3", "math", "square", "base=1", text=text)
        found = {r["index"]: r["result"] for r in map(json.loads, out.splitlines())}
        self.assertEqual((status, found), (0, {i: i * i + 1 for i in range(5000)}))
        status, out, err = self.ctl("map", "--chunk", "1", "math", "square", text='1\n"x"\n3\n')
        self.assertEqual((status, err), (1, "droverctl: 1 of 3 failed\n"))
        lines = out.splitlines()
        self.assertEqual((lines[0], lines[2], json.loads(lines[1])["error"]["data"]["type"]), ("1", "9", "TypeError"))
        status, out, err = self.ctl("map", "basics", "crash", text="1\n2\n")
        self.assertEqual([json.loads(line)["error"]["data"]["name"] for line in out.splitlines()], ["worker-died"] * 2)
        status, out, err = self.ctl("map", "--raw", "basics", "greet", text="you\nme\n")
        self.assertEqual((status, out, err), (0, "null\nnull\n", ""))
        self.assertEqual(self.ctl("map", "mth", "square", text="1\n")[0], 4)

    def test_wide_results(self):
        """A map passes them on as they are; one call says that it cannot hold them."""
        for target, text in (("big", "1180591620717411303424"), ("nul", '"a\\u0000b"'), ("half", '"\\ud800"')):
            self.assertEqual(self.ctl("map", "wide", target, text="1\n"), (0, text + "\n", ""))
            status, out, err = self.ctl("submit", "--wait", "wide", target)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("cannot be held here", err)
        self.assertEqual(self.ctl("submit", "--wait", "wide", "sum"), (0, "0.30000000000000004\n", ""))

    def test_map_without_end(self):
        """A source and a reader that never end: memory stays what it is, on both sides; the reader's end ends it all."""
        source = subprocess.Popen(["yes", "12345"], stdout=subprocess.PIPE)
        p = self.start("map", "math", "square", stdin=source.stdout)
        source.stdout.close()
        for _ in range(LINES):
            self.assertEqual(p.stdout.readline(), b"152399025\n")
        with open("/proc/%d/status" % p.pid, encoding="utf-8") as f:
            peak = int(next(line for line in f if line.startswith("VmHWM")).split()[1])
        self.assertLess(peak, MEMORY_MAX)
        p.stdout.close()
        self.assertIn(p.wait(PATIENCE), (-signal.SIGPIPE, 141))
        source.wait(PATIENCE)
        p.stderr.close()
        while self.d.call("status", select="math")["pools"][0]["queued"]:
            pass
        self.assertEqual(self.ctl("submit", "--wait", "math", "square", "3")[1], "9\n")

    def test_map_with_a_slow_reader(self):
        """Nobody reads: the source is not read either, long before it is at its end."""
        read_end, write_end = os.pipe()
        p = self.start("map", "math", "square", stdin=read_end)
        os.close(read_end)
        taken, is_full = [0], threading.Event()

        def pour():
            try:
                while taken[0] < 64 << 20:
                    taken[0] += os.write(write_end, b"1\n" * 4096)
            except BrokenPipeError:
                pass
            is_full.set()

        thread = threading.Thread(target=pour)
        thread.start()
        before = -1
        while before != taken[0]:
            before = taken[0]
            self.assertFalse(is_full.wait(0.3), "64 MiB were taken from a source without a reader")
        with open("/proc/%d/status" % p.pid, encoding="utf-8") as f:
            self.assertLess(int(next(line for line in f if line.startswith("VmHWM")).split()[1]), MEMORY_MAX)
        p.kill()
        p.communicate()
        thread.join(PATIENCE)
        os.close(write_end)

    def test_ctrl_c_ends_a_map(self):
        p = self.start("map", "--chunk", "1", "basics", "nap", stdin=subprocess.PIPE)
        p.stdin.write(b"0\n" + b"100\n" * 1000)
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"null\n")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=PATIENCE)
        self.assertEqual(p.returncode, 130)
        self.assertIn(b"interrupted after 1 results", err)
        while self.d.call("status", select="basics")["pools"][0]["queued"]:
            pass
        self.assertEqual(self.ctl("submit", "--wait", "basics", "nap", "0")[0], 0)

    def test_map_when_the_daemon_dies(self):
        p = self.start("map", "--chunk", "1", "basics", "nap", stdin=subprocess.PIPE)
        p.stdin.write(b"0\n" + b"100\n" * 10)
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"null\n")
        os.kill(self.d.call("daemon.info")["pid"], signal.SIGKILL)
        _, err = p.communicate(timeout=PATIENCE)
        self.assertEqual(p.returncode, 7)
        self.assertIn(b"the daemon went away after 1 results", err)
        self.d.connect_again()
        self.assertEqual(self.ctl("submit", "--wait", "--keep", "basics", "nap", "0")[0], 0)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(verbosity=2)
