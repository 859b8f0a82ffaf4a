"""The examples of client/examples against a real daemon: what they print is what a reader is told.
Usage: test_examples.py PROCESSES.sh SUMS.sh; the programs by the environment."""
import os
import shutil
import subprocess
import sys
import unittest

from daemon_util import PATIENCE, Daemon

PROCESSES, SUMS = sys.argv[1:3]
del sys.argv[1:3]
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
# as many as there are CPUs
"cpus"
as nproc says
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
