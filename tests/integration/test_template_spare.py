"""Processes that a template forks ahead for `run`: each run is as fresh as one that was forked for it, and nobody hears of their deaths."""
import contextlib
import json
import os
import re
import shutil
import signal
import unittest

import test_template
from daemon_util import PATIENCE, is_alive, wait_gone
from test_template import METHODS, MODULE, House

PARTING = os.environ["PARTING_LIBRARY"]


def children(d):
    """(pid, comm) of every living child of the keeper."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", encoding="utf-8") as f:
                comm, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            if rest.split()[1] == str(d.process.pid) and rest.split()[0] != "Z":
                yield int(name), comm


def spares(d):
    return {pid for pid, comm in children(d) if comm == "drover-spare"}


def leaf_of(pid):
    """Where the kernel has it, relative to the keeper's own directory; None: there is no such."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
        found = re.search(r"^0::.*/drover-[0-9]+/(.*)$", f.read(), re.MULTILINE)
    return found and found[1]


def has_leaves(d):
    """Without cgroups an orphan belongs to nobody."""
    for pid, _ in children(d):
        with contextlib.suppress(OSError):
            if leaf_of(pid):
                return True
    return False


class Stock(House):
    """With spares that wait: the second run of a template has them made. Each is born when it can, so how many there are is not certain."""

    def fill(self, method, **more):
        self.until(lambda: self.end(self.target("threads", method, **more))["exitcode"] == 0 and spares(self))
        return spares(self)

    def facts(self, method, name, **more):
        """What a run of the target says, and how it ended."""
        w = self.end(self.target("facts", method, 7, name=name, kwargs={"k": name}, env={"PRINT": "1"}, **more))
        assert w["exitcode"] == 0, w
        return json.loads(self.lines(name)[0])


def shapes(facts):
    """Open descriptors, without the numbers of pipes and sockets."""
    return {fd: re.sub(r":\[[0-9]+\]", "", what) for fd, what in facts["fds"].items()}


class Spares(unittest.TestCase):
    check_fresh = test_template.Templates.check_fresh

    def test_fresh(self):
        for method in METHODS:
            with self.subTest(method), Stock() as d:
                d.start()
                first = d.facts(method, "first")
                waiting = d.fill(method, env={"PRINT": "1"})
                used = 0
                for i in range(8):
                    waiting |= spares(d)
                    name = f"{method}-{i}"
                    facts = d.facts(method, name)
                    used += facts["pid"] in waiting
                    self.check_fresh(facts, name, d)
                    self.assertEqual((facts["args"], facts["kwargs"]), ([7], {"k": name}))
                    self.assertEqual(shapes(facts), shapes(first))
                    self.assertEqual(facts["fds"]["0"], "/dev/null")
                    self.assertTrue(facts["has_loaded_fd"])
                    self.assertEqual(facts["cwd"], first["cwd"])
                    self.assertEqual(set(facts["env"]), set(first["env"]))
                    self.assertEqual(d.lines(name)[1:], ["exit() was called"])
                self.assertGreater(used, 0)

    def test_the_other_ways_to_end(self):
        for method in METHODS:
            with self.subTest(method), Stock() as d:
                d.start()
                out = d.place + "/out"
                for i in range(4):
                    d.fill(method)
                    self.assertEqual(d.end(d.target("fail", method, name=f"bad{i}"))["exitcode"], 1)
                    self.assertEqual(d.lines(f"bad{i}", "stderr")[-1], "ValueError: of no value")
                    self.assertEqual(d.end(d.target("crash", method))["exitcode"], -signal.SIGABRT)
                    name = d.target("nap", method)
                    d.call("terminate", select=name)
                    self.assertEqual(d.end(name)["exitcode"], -signal.SIGTERM)
                    self.assertEqual(d.end(d.target("facts", method, env={"PRINT": "1"}, stdout=out))["exitcode"], 0)
                    with self.assertRaises(test_template.Failure) as caught:
                        d.target("facts", method, stdout="/nonexistent/x")
                    self.assertIn("cannot open /nonexistent/x as standard output: No such file", str(caught.exception))
                with open(out, encoding="utf-8") as f:
                    self.assertEqual(f.read().count('"pid"'), 4)

    def test_what_is_left_for_the_end(self):
        """Streams, atexit(3), and libraries: of one that is loaded late too, wherever that is."""
        for method in METHODS:
            with self.subTest(method), Stock() as d:
                d.start()
                for i in range(3):
                    for library, more in ([None], []), ([PARTING], ["parted"]), ([PARTING, True], ["parted"]):
                        if i > 0:
                            d.fill(method)
                        name = d.target("leave_work", method, *library)
                        self.assertEqual(d.end(name)["exitcode"], 0, d.lines(name, "stderr"))
                        self.assertEqual(sorted(d.lines(name)), sorted(["exit() was called", "unflushed", "at exit"] + more))

    def test_ready(self):
        """By its pipe, whose number something else has in the spare, and by an orphan of its own."""
        for method in METHODS:
            with self.subTest(method), Stock() as d:
                d.start()
                keeper = d.call("daemon.info")["keeper_pid"]
                used = 0
                for i in range(12):
                    waiting = d.fill(method)
                    if i % 2 == 0 or not has_leaves(d):
                        name = d.target("newline_to", method, 3 + i % 6, ready={"fd": 3 + i % 6})
                    else:
                        name = d.target("orphan_says", method, keeper, ready="notify")
                    w = d.call("wait", select=name, timeout=PATIENCE, **{"for": "ready"})["workers"][0]
                    used += w["pid"] in waiting
                    self.assertEqual(w["state"], "running")
                    if i % 2 == 1 and has_leaves(d):
                        self.assertEqual(w["status_text"], "from an orphan")
                    d.call("kill", select=name)
                    self.assertEqual(d.end(name)["exitcode"], -signal.SIGKILL)
                self.assertGreater(used, 0)

    def test_an_orphan_in_a_leaf_used_again(self):
        with Stock() as d:
            d.start()
            keeper = d.call("daemon.info")["keeper_pid"]
            d.fill("forkserver")
            if not has_leaves(d):
                self.skipTest("there are no leaves")
            seen = set()

            def speaks_in_a_known_leaf():
                seen.update(leaf_of(pid) for pid in d.fill("forkserver"))
                for _ in range(20):
                    d.end(d.target("take_mutex", "forkserver"))
                name = d.target("orphan_says", "forkserver", keeper, ready="notify")
                w = d.call("wait", select=name, timeout=PATIENCE, **{"for": "ready"})["workers"][0]
                self.assertEqual(w["status_text"], "from an orphan")
                is_known = leaf_of(w["pid"]) in seen
                if is_known:
                    d.kill_droverd()
                    self.assertEqual(d.workers(name)[name]["pid"], w["pid"])
                d.call("kill", select=name)
                d.end(name)
                return is_known

            if not any(speaks_in_a_known_leaf() for _ in range(15)):
                self.skipTest("nobody ended at once, as it must for its leaf to be used again")

    def test_storm_of_deaths(self):
        with Stock() as d:
            d.start()
            d.fill("forkserver")
            n_killed = 0
            for i in range(30):
                for k in range(6):
                    d.client.send("run", module=MODULE, target="threads", start_method=METHODS[i // 5 % 2], name=f"x{i}-{k}")
                for _ in range(i % 7):
                    os.sched_yield()
                for pid in spares(d):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        n_killed += 1
                for k in range(6):
                    self.assertIn("result", d.client.receive())
                for k in range(6):
                    w = d.end(f"x{i}-{k}")
                    self.assertIn(w["exitcode"], (0, -signal.SIGKILL), w)  # one that had its name already was a run
                    self.assertEqual(w["restarts"], 0)
            self.assertGreater(n_killed, 0)

    def test_a_new_file(self):
        with Stock() as d:
            own, env = d.place + "/own.so", {"LD_LIBRARY_PATH": os.path.dirname(os.environ["DROVER_LIBRARY"])}
            shutil.copy(MODULE, own)
            d.start()
            for method in METHODS:
                for target in ("square", "threads", "square"):
                    source = os.environ["EXAMPLE_MATH"] if target == "square" else MODULE
                    for _ in range(3):
                        before, args = ("threads", []) if target == "square" else ("square", [3])
                        self.assertEqual(d.end(d.target(before, method, *args, module=own, env=env))["exitcode"], 0)
                    shutil.copy(source, own + ".new")
                    os.rename(own + ".new", own)
                    args = [3] if target == "square" else []
                    self.assertEqual(d.end(d.target(target, method, *args, module=own, env=env))["exitcode"], 0, (method, target))
                shutil.copy(MODULE, own + ".new")
                os.rename(own + ".new", own)

    def test_death_of_droverd(self):
        for method in METHODS:
            with self.subTest(method), Stock() as d:
                d.start()
                for _ in range(3):
                    waiting = d.fill(method)
                    d.kill_droverd()
                    for pid in waiting:
                        wait_gone(pid)
                    self.assertEqual(d.end(d.target("threads", method))["exitcode"], 0)
                self.assertNotIn("belongs to no pool", d.log())
                d.fill(method)
                everyone = [pid for pid, _ in children(d)]
                self.assertEqual(d.terminate(), 0)
                for pid in everyone:
                    self.assertFalse(is_alive(pid))

    def test_none_stays_behind(self):
        """Not even where workers do."""
        with Stock() as d:
            d.write_config({"pools": {"keep": {"command": ["/bin/sleep", "inf"], "on_daemon_exit": "keep"}}})
            d.start()
            d.fill("forkserver")
            keep = d.workers("keep")["keep/0"]["pid"]
            others = [pid for pid, _ in children(d) if pid != keep]
            self.assertEqual(d.terminate(), 0)
            try:
                self.assertTrue(is_alive(keep))
                for pid in others:
                    self.assertFalse(is_alive(pid))
            finally:
                os.kill(keep, signal.SIGKILL)

    def test_limits_of_a_run(self):
        with Stock() as d:
            d.start()
            states = {p["name"]: p["state"] for p in d.call("daemon.promises")["promises"]}
            d.fill("forkserver")
            name = d.target("nap", "forkserver", cgroup={"pids_max": 5, "memory_max": "64M"})
            pid = d.workers(name)[name]["pid"]
            if states["process-limits"] == "full":
                with open(f"/sys/fs/cgroup/{leaf_of(pid)}/pids.max", encoding="utf-8") as f:
                    self.assertEqual(f.read(), "5\n")
            d.call("kill", select=name)
            self.assertEqual(d.end(name)["exitcode"], -signal.SIGKILL)


if __name__ == "__main__":
    unittest.main(verbosity=2)
