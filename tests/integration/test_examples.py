"""The examples of client/examples against a real daemon: what they print is what a reader is told.
Usage: test_examples.py PROCESSES.sh SUMS.sh TASKS.sh JSON.sh SIZES.sh; the programs by the environment."""
import os
import re
import shutil
import subprocess
import sys
import unittest

from daemon_util import PATIENCE, Daemon

PROCESSES, SUMS, TASKS, JSON, SIZES = sys.argv[1:6]
del sys.argv[1:6]
BASICS = os.environ["EXAMPLE_BASICS"]

PRINTED = """\
# arguments
args=[1,"two"] kwargs={}
args=[] kwargs={"a":1,"b":"two"}
args=[1,[2,3]] kwargs={"c":null}
# name, pid and parent
name=worker-7 pid=N ppid=KEEPER
# four processes
all four joined
# exit codes
leave 0: 0
leave 1: 1
crash: -6
# terminate
exited -15
# kill
after SIGTERM: running
after SIGKILL: -9
# exceptions
the child: 1
ValueError: of no value
the parent goes on
# a worker class
A: mean 30.00, stdev 15.81
B: mean 200.00, stdev 100.00
C: mean 3.00, stdev 1.29
"""

EXCEPTIONS = """\
the child: exitcode 1
captured: ValueError: of no value, a ValueError
raised in: #0 fail
worker-died: exitcode -6
the parent goes on, and so does the pool: 14
"""

WITH_TASKS = """\
# a result, later
332833500
# an exception, captured
ValueError; ValueError: of no value; true
# a call for each line
285
2470
8555
null
null
# partial sums
21333325333334000000
# mean and standard deviation
A: 30.00/15.81
B: 200.00/100.00
C: 3.00/1.29
"""

BY_JSON = """\
# create a process, and join it
"alice"
[false,0]
# exit codes
0
1
# an exception, captured
["failed","ValueError","ValueError: of no value"]
# mean and standard deviation, by one map
30.00/15.81
200.00/100.00
3.00/1.29
"""

OF_SIZES = """\
"cpus"
as nproc says
twice that
now 3
without work: 1
with a queue: 4
"""


class Examples(unittest.TestCase):
    def run_one(self, d, *argv):
        env = dict(os.environ, DROVER_SOCKET=d.path, TMPDIR=d.place,
                   PATH=os.path.dirname(os.environ["DROVERCTL"]) + ":" + os.environ["PATH"])
        r = subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((r.returncode, r.stderr), (0, ""), r.stdout)
        return r.stdout

    def program(self, d, name, *args):
        return self.run_one(d, os.environ["EXAMPLE_" + name], BASICS, *args)

    def test_create_and_join(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(self.program(d, "CREATE"), "joined: exitcode 0\n")

    def test_lifecycle(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(self.program(d, "LIFECYCLE"), "before: created alive=false pid=none exitcode=none\n"
                             "during: running alive=true pid=yes exitcode=none\nafter: exited alive=false pid=none exitcode=-15\n")

    def test_speedup(self):
        with Daemon() as d:
            d.start()
            self.assertRegex(self.program(d, "SPEEDUP", "1000000"),
                             r"^sequential \d+\.\d{3} s, parallel \d+\.\d{3} s, speed-up \d+\.\d\d, failed 0\n$")

    def test_daemonic(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(self.program(d, "DAEMONIC"), "the owner goes\nand its process with it: exitcode -15\n")

    def test_sums(self):
        with Daemon() as d:
            d.start()
            parts = "333332833333500000\\n2333331833333500000\\n6333330833333500000\\n12333329833333500000\\n"
            self.assertRegex(self.run_one(d, "sh", SUMS, os.environ["EXAMPLE_SUMS"]), "^" + parts +
                             r"total 21333325333334000000 in \d+ ms\nsequential 21333325333334000000 in \d+ ms\n$")

    def test_exceptions(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(self.program(d, "EXCEPTIONS"), EXCEPTIONS)

    def test_threads(self):
        """Those that wait do so at the same time, by either way; how fast the CPUs are is not ours to say."""
        with Daemon() as d:
            d.start()
            out = self.program(d, "THREADS", "1000000")
            times = r"sequential (\d+\.\d{3}) s, threads (\d+\.\d{3}) s, tasks (\d+\.\d{3}) s\n"
            found = re.fullmatch("CPU-bound: " + times + "waiting:   " + times, out)
            self.assertTrue(found, out)
            one, threads, tasks = map(float, found.groups()[3:])
            self.assertGreaterEqual(one, 0.4)
            self.assertLess(max(threads, tasks), one)

    def test_sum_tasks(self):
        with Daemon() as d:
            d.start()
            out = self.run_one(d, os.environ["EXAMPLE_SUM_TASKS"], os.environ["EXAMPLE_SUMS"])
            self.assertRegex(out, r"^submit     total 21333325333334000000 in \d+ ms\nmap        total 21333325333334000000 in \d+ ms\n"
                             r"sequential total 21333325333334000000 in \d+ ms\n$")

    def test_start_methods(self):
        with Daemon() as d:
            d.start()
            self.assertRegex(self.program(d, "START_METHODS", "20"), r"^spawn      exitcode 0, \d+\.\d\d ms each\nforkserver exitcode 0, \d+\.\d\d ms each\n"
                             r"fork       exitcode 0, \d+\.\d\d ms each\n$")

    @unittest.skipUnless(shutil.which("jq"), "no jq")
    def test_tasks(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(self.run_one(d, "sh", TASKS, BASICS, os.environ["EXAMPLE_SUMS"], os.environ["EXAMPLE_STATS"]), WITH_TASKS)

    @unittest.skipUnless(shutil.which("jq") and shutil.which("nc"), "no nc, or no jq")
    def test_json(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(self.run_one(d, "sh", JSON, BASICS, os.environ["EXAMPLE_STATS"]), BY_JSON)
            wrong = subprocess.run(["sh", JSON, "/nowhere.so", "x"], env={**os.environ, "DROVER_SOCKET": d.path}, capture_output=True,
                                   text=True, timeout=PATIENCE, check=False)
            self.assertNotEqual(wrong.returncode, 0)
            self.assertRegex(wrong.stderr, r"^run: .*/nowhere\.so")
            self.assertNotIn("null", wrong.stdout)

    @unittest.skipUnless(shutil.which("jq") and shutil.which("taskset"), "no jq, or no taskset")
    def test_sizes(self):
        for some in ((), ("taskset", "-c", str(min(os.sched_getaffinity(0))))):
            with Daemon() as d:
                d.prefix = list(some)
                d.start()
                self.assertEqual(self.run_one(d, *some, "sh", SIZES, BASICS), OF_SIZES)

    @unittest.skipUnless(shutil.which("jq"), "no jq")
    def test_processes(self):
        with Daemon() as d:
            d.start()
            keeper = d.call("daemon.info")["keeper_pid"]
            out = self.run_one(d, "sh", PROCESSES, BASICS, os.environ["EXAMPLE_STATS"])
            lines = out.splitlines(True)
            self.assertRegex(lines[5], rf"^name=worker-7 pid=\d+ ppid={keeper}\n$")
            lines[5] = "name=worker-7 pid=N ppid=KEEPER\n"
            self.assertEqual("".join(lines), PRINTED)


if __name__ == "__main__":
    unittest.main(verbosity=2)
