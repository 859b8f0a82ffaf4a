"""Start methods fork and forkserver: templates, their workers, and their deaths."""
import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import tempfile
import threading
import time
import unittest

from daemon_util import PATIENCE, Client, Daemon, Failure, is_alive, wait_gone

MODULE = os.environ["TEMPLATE_MODULE"]
TEMPLATE_PY = os.environ["TEMPLATE_PY"]
METHODS = ("fork", "forkserver")


class House(Daemon):
    def __init__(self, **pools):
        super().__init__({"pools": {name: {"module": MODULE, **pool} for name, pool in pools.items()}})

    def template(self, pool="p"):
        return self.call("status", select=[pool])["pools"][0].get("template")

    def ready(self, pool="p"):
        self.call("wait", select=pool, timeout=PATIENCE, **{"for": "ready"})
        return {n: w["pid"] for n, w in self.workers(pool).items()}

    def until(self, what):
        """Until @what() is true: what nobody tells of is looked at."""
        deadline = time.monotonic() + PATIENCE
        while not (found := what()):
            assert time.monotonic() < deadline, self.log()
            threading.Event().wait(0.005)
        return found

    def submit(self, target, *args, pool="p", **more):
        return self.call("task.submit", pool=pool, target=target, args=list(args), wait=True, timeout=PATIENCE, **more)

    def result(self, target, *args, **more):
        outcome = self.submit(target, *args, **more)
        assert outcome["state"] == "done", outcome
        return outcome["result"]

    def target(self, target, method, *args, module=MODULE, **more):
        return self.call("run", module=module, target=target, args=list(args), start_method=method, **more)["process"]

    def end(self, name):
        return self.call("wait", process=name, timeout=PATIENCE, **{"for": "exit"})["workers"][0]

    def lines(self, name, stream="stdout"):
        self.client.notes.clear()
        self.call("logs", select=name, lines=100, stream=stream)
        return [n["params"]["line"] for n in self.client.notes if n["method"] == "log"]


class Gate:
    """While it is closed, init() of a module that has it in its environment does not return."""

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile()
        self.path = self.file.name
        return self

    def __exit__(self, *_):
        self.file.close()

    def close(self):
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def open(self):
        fcntl.flock(self.file, fcntl.LOCK_UN)


class Templates(unittest.TestCase):
    def check_fresh(self, facts, name, d):
        """What exec would have given, a fork has too."""
        self.assertEqual(facts["sid"], facts["pid"])
        self.assertEqual(facts["ppid"], d.call("daemon.info")["keeper_pid"])
        self.assertEqual(facts["comm"], name[:15])
        self.assertTrue(facts["has_fd"])
        self.assertEqual(facts["env"]["DROVER_NAME"], name)
        self.assertNotIn("DROVER_TEMPLATE_FD", facts["env"])
        self.assertNotIn("DROVER_START_METHOD", facts["env"])

    def check_leaf(self, pid, name):
        """In a cgroup of its own, where there are any."""
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
            path = [line.split(":", 2)[2].strip() for line in f if line.startswith("0::")]
        if os.environ.get("DROVER_TREE") != "sweep" and path and "/drover-" in path[0]:
            self.assertIn("/" + name.replace("/", ":") + ".", path[0])

    def test_workers(self):
        for method in METHODS:
            with self.subTest(method), House(p={"workers": 2, "start_method": method, "env": {"A": "b"}}) as d:
                d.start()
                pids = d.ready()
                seen = {}
                for name, other in (("p/0", "p/1"), ("p/1", "p/0")):
                    d.call("drain", select=other)
                    seen[name] = d.result("facts", 1, kwargs={"x": None})
                    d.call("resume", select=other)
                template = d.template()
                self.assertEqual((template["state"], template["restarts"]), ("running", 0))
                for name, facts in seen.items():
                    self.assertEqual(facts["pid"], pids[name])
                    self.check_fresh(facts, name, d)
                    self.check_leaf(facts["pid"], name)
                    self.assertEqual((facts["args"], facts["kwargs"], facts["env"]["A"]), ([1], {"x": None}, "b"))
                    self.assertEqual(facts["made_by"], template["pid"] if method == "forkserver" else facts["pid"])
                    self.assertEqual(facts["ignored"], [] if method == "forkserver" else [signal.SIGUSR1])
                outcome = d.submit("fail")
                self.assertEqual(outcome["error"]["data"]["type"], "ValueError")
                self.assertEqual(d.result("threads"), 4)
                outcome = d.submit("crash")
                self.assertEqual(outcome["error"]["data"]["exitcode"], -signal.SIGABRT)
                d.ready()
                self.assertEqual(d.template(), template)
                d.call("stop", select="p")
                d.until(lambda: d.template() is None)
                wait_gone(template["pid"])
                self.assertIn("exit() was called", d.lines("p/0"))

    def test_locks_of_the_dead(self):
        """By one fork, and by two where the template has a thread."""
        for env in ({}, {"WITH_THREAD": "1"}):
            with self.subTest(env), House(p={"workers": 2, "env": env}) as d:
                d.start()
                d.ready()
                self.assertEqual(d.result("take_mutex"), 0)
                outcome = d.submit("die_with_mutex")
                self.assertEqual(outcome["error"]["data"]["exitcode"], -signal.SIGKILL)
                self.assertEqual(d.result("take_mutex"), errno.EOWNERDEAD)
                self.assertEqual(d.result("take_mutex"), 0)
                self.assertEqual(d.result("threads"), 4)
                self.assertEqual(d.submit("crash")["error"]["data"]["exitcode"], -signal.SIGABRT)
                for pid in d.ready().values():
                    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                        self.assertEqual(int(f.read().rsplit(")", 1)[1].split()[1]), d.call("daemon.info")["keeper_pid"])

    def test_run(self):
        with House() as d:
            d.start()
            for method in METHODS:
                name = d.target("facts", method, 7, name="hello-" + method, kwargs={"k": [1]}, env={"PRINT": "1"})
                w = d.end(name)
                self.assertEqual((w["exitcode"], w["state"]), (0, "exited"))
                out = d.lines(name)
                facts = json.loads(out[0])
                self.check_fresh(facts, name, d)
                self.assertEqual((facts["args"], facts["kwargs"]), ([7], {"k": [1]}))
                self.assertEqual(out[1:], ["exit() was called"])
                w = d.end(d.target("fail", method, name="bad-" + method))
                self.assertEqual(w["exitcode"], 1)
                self.assertEqual(d.lines("bad-" + method, "stderr")[-1], "ValueError: of no value")
                self.assertEqual(d.end(d.target("crash", method))["exitcode"], -signal.SIGABRT)
                name = d.target("nap", method)
                d.call("terminate", select=name)
                self.assertEqual(d.end(name)["exitcode"], -signal.SIGTERM)
                w = d.end(d.target("facts", method, name="file-" + method, env={"PRINT": "1"}, stdout=d.place + "/out"))
                with open(d.place + "/out", encoding="utf-8") as f:
                    self.assertIn('"pid"', f.read())
                os.unlink(d.place + "/out")
                with self.assertRaises(Failure) as caught:
                    d.target("facts", method, stdout="/nonexistent/x")
                self.assertIn("cannot open /nonexistent/x as standard output: No such file", str(caught.exception))
                d.call("pool.add", name="q-" + method, module=MODULE, target="facts", args=["pool"], start_method=method, restart="never")
                self.assertEqual(d.end("q-" + method)["exitcode"], 0)

    def test_faults_of_a_module(self):
        with House(p={"restart": {"delay": "50ms", "limit": 3, "window": "1m"}, "env": {"FAIL_WITH": "no such luck"}}) as d:
            d.start()
            d.until(lambda: d.workers("p")["p/0"]["state"] == "failed")
            note = d.workers("p")["p/0"]["note"]
            self.assertIn("its template exited with code 1: ", note)
            self.assertIn("init failed", note)
            with self.assertRaises(Failure) as caught:
                d.target("x", "forkserver", module=os.path.realpath("/bin/sh"))
            self.assertIn("its template exited with code 2: drover-host: ", str(caught.exception))
            self.assertEqual(d.end(d.target("x", "fork", module=os.path.realpath("/bin/sh")))["exitcode"], 2)
            self.assertEqual(d.end(d.target("fact", "forkserver", name="typo"))["exitcode"], 1)
            self.assertIn('did you mean "facts"?', d.lines("typo", "stderr")[-1])

    def test_a_command_that_is_no_template(self):
        """What is wrong is said, and what to do."""
        with Daemon() as d:
            d.start()
            for command in (["/bin/true"], ["/bin/false"], ["/bin/sh", "-c", "echo hello"]):
                with self.assertRaises(Failure) as caught:
                    d.call("run", command=command, start_method="fork")
                self.assertRegex(str(caught.exception), f"its template exited with code .*does {command[0]} speak the template "
                                 r'protocol \(drover-protocol\(7\)\)\? Any other command has the start method "spawn"$')
            with self.assertRaises(Failure) as caught:
                d.call("run", command=["/nonexistent"], start_method="fork")
            self.assertRegex(str(caught.exception), "cannot execute /nonexistent: No such file or directory$")

    def test_death_of_a_template(self):
        with House(p={"workers": 3}) as d:
            d.start()
            pids, first = d.ready(), d.template()
            os.kill(first["pid"], signal.SIGKILL)
            second = d.until(lambda: (t := d.template())["state"] == "running" and t["pid"] != first["pid"] and t)
            self.assertEqual(second["restarts"], 1)
            self.assertEqual(d.ready(), pids)
            d.call("scale", pool="p", workers=4)
            d.ready()
            self.assertEqual(d.result("threads"), 4)
            self.assertEqual({w["restarts"] for w in d.workers("p").values()}, {0})

    def test_runs_under_a_storm_of_deaths(self):
        """Nobody hears of it: not one start is lost or counted as a failure."""
        with House() as d:
            d.start()
            d.end(d.target("threads", "forkserver"))
            n_killed = 0
            for i in range(60):
                for k in range(8):
                    d.client.send("run", module=MODULE, target="threads", start_method=METHODS[i % 2], name=f"x{i}-{k}")
                for _ in range(i % 7):
                    os.sched_yield()
                for pid in templates(d):
                    with contextlib.suppress(ProcessLookupError):  # it may have ended since it was seen
                        os.kill(pid, signal.SIGKILL)
                        n_killed += 1
                for k in range(8):
                    self.assertIn("result", d.client.receive())
                for k in range(8):
                    self.assertEqual(d.end(f"x{i}-{k}")["exitcode"], 0)
            self.assertGreater(n_killed, 0)

    def test_its_log(self):
        """As POOL/template, on its own: the pool's name stands for the workers."""
        with House(p={"restart": {"delay": "50ms", "limit": 1, "window": "1m"}, "env": {"FAIL_WITH": "no such luck"}},
                   plain={"start_method": "spawn"}) as d:
            d.start()
            d.until(lambda: d.workers("p")["p/0"]["state"] == "failed")
            self.assertIn("no such luck", d.lines("p/template", "stderr"))
            self.assertIn("no such luck", d.lines(["p/template"], "stderr"))
            self.assertEqual(d.lines("p", "stderr"), [])
            for select, said in (("plain/template", "has no template"), ("gone/template", "there is no pool"),
                                 (["p/template", "p"], "by itself")):
                with self.assertRaises(Failure) as caught:
                    d.lines(select)
                self.assertIn(said, str(caught.exception))

    def test_its_record_over_the_death_of_droverd(self):
        with House(p={}) as d:
            d.start()
            d.ready()
            for n in (1, 2):
                pid = d.template()["pid"]
                os.kill(pid, signal.SIGKILL)
                d.until(lambda: (t := d.template())["state"] == "running" and t["pid"] != pid)
                d.kill_droverd()
                self.assertEqual(d.template()["restarts"], n)
            self.assertEqual(d.result("threads"), 4)

    def test_one_that_hangs(self):
        with House(p={}) as d:
            d.start()
            d.ready()
            template = d.template()
            os.kill(template["pid"], signal.SIGSTOP)
            d.call("scale", pool="p", workers=2, wait=False)
            d.ready()
            self.assertFalse(is_alive(template["pid"]))
            self.assertEqual(d.template()["restarts"], 1)

    def test_over_the_death_of_droverd(self):
        with House(p={"workers": 2}) as d:
            d.start()
            pids, template = d.ready(), d.template()
            name = d.target("nap", "fork")
            shared = set(templates(d)) - {template["pid"]}
            d.kill_droverd()
            self.assertEqual(d.ready(), pids)
            self.assertEqual(d.template()["pid"], template["pid"])
            d.call("scale", pool="p", workers=3)
            d.ready()
            self.assertEqual(d.template()["pid"], template["pid"])
            self.assertEqual(d.end(d.target("threads", "fork"))["exitcode"], 0)
            self.assertEqual(set(templates(d)) - {template["pid"]}, shared)
            d.call("kill", select=name)
            self.assertEqual(d.end(name)["exitcode"], -signal.SIGKILL)

    def test_droverd_dies_while_they_start(self):
        """The first three times before the template is ready, then anywhere in the course of it."""
        with Gate() as gate, House(p={"workers": 20, "env": {"GATE": gate.path}}) as d:
            gate.close()
            d.start()
            for i in range(6):
                d.call("restart", select="p", wait=False)
                d.kill_droverd()
                if i == 2:
                    gate.open()
            pids = d.ready()
            self.assertEqual(len(set(pids.values())), 20)
            self.assertEqual(len(templates(d)), 1)
            self.assertEqual(d.result("threads"), 4)

    def test_reload(self):
        """The new template is warm before the first worker goes; a bad one costs no worker."""
        with Gate() as gate, House(p={"workers": 2, "env": {"GATE": gate.path}}) as d:
            d.start()
            pids, old = d.ready(), d.template()
            gate.close()
            other = Client(d.path)
            number = other.send("reload", select="p", timeout=PATIENCE)
            d.until(lambda: (t := d.template())["state"] == "starting" and t["pid"] not in (None, old["pid"]))
            pool = d.call("status", select=["p"])["pools"][0]
            self.assertEqual({w["name"]: w["pid"] for w in pool["workers"]}, pids)
            gate.open()
            other.answer(number)
            other.close()
            wait_gone(old["pid"])
            new = d.ready()
            self.assertFalse(set(new.values()) & set(pids.values()))
            with self.assertRaises(Failure) as caught:
                d.call("config.set", pool="p", key="env", value={"FAIL_WITH": "no"})
                d.call("config.set", pool="p", key="reload", value={"max_unavailable": 1})
                d.call("reload", select="p", timeout=PATIENCE)
            self.assertIn("its template exited with code 1", str(caught.exception))

    def test_bad_reload_touches_nobody(self):
        with House(p={"workers": 2, "reload": {"max_unavailable": 1}}) as d:
            d.start()
            pids = d.ready()
            pool = {"module": MODULE, "workers": 2, "reload": {"max_unavailable": 1}, "env": {"FAIL_WITH": "no"}}
            d.write_config({"pools": {"p": pool}})
            applied = d.call("config.apply")
            d.until(lambda: not d.call("status", select=["p"])["pools"][0]["reloading"])
            self.assertEqual(d.ready(), pids, applied)
            self.assertIn("its template exited with code 1", d.log())
            d.until(lambda: d.template()["state"] == "running")
            self.assertEqual(d.result("threads"), 4)

    def test_a_new_file(self):
        """Whoever starts after the module was replaced has the new one."""
        with House() as d:
            own = d.place + "/own.so"
            env = {"LD_LIBRARY_PATH": os.path.dirname(os.environ["DROVER_LIBRARY"])}
            shutil.copy(MODULE, own)
            d.start()
            d.end(d.target("threads", "forkserver", module=own, env=env))
            first = templates(d)
            shutil.copy(os.environ["EXAMPLE_MATH"], own + ".new")
            os.rename(own + ".new", own)
            self.assertEqual(d.end(d.target("square", "forkserver", 3, module=own, env=env))["exitcode"], 0)
            self.assertFalse(set(first) & set(templates(d)))

    def test_in_python(self):
        for method in METHODS:
            pool = {"command": ["python3", TEMPLATE_PY], "protocol": "tasks", "workers": 3, "start_method": method}
            with self.subTest(method), Daemon({"pools": {"p": pool}}) as d:
                d.start()
                d.call("wait", select="p", timeout=PATIENCE, **{"for": "ready"})
                template = d.call("status")["pools"][0]["template"]["pid"]
                for i in range(20):
                    r = d.call("task.submit", pool="p", target="x", args=[i], wait=True)["result"]
                    w = d.workers("p")[r["name"]]
                    self.assertEqual((r["args"], r["pid"]), ([i], w["pid"]))
                    self.assertEqual(r["loaded_by"], template if method == "forkserver" else r["pid"])
                    self.check_leaf(w["pid"], w["name"])
                os.kill(template, signal.SIGKILL)
                d.call("kill", select="p/1")
                d.call("wait", select="p", timeout=PATIENCE, **{"for": "ready"})
                d.call("task.submit", pool="p", target="x", args=[0], wait=True)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_another_user(self):
        with House(p={"workers": 2, "user": "nobody"}) as d:
            os.chmod(d.place, 0o755)
            d.start()
            d.ready()
            facts = d.result("facts")
            self.assertEqual(facts["uid"], os.stat("/proc/%d" % facts["pid"]).st_uid)
            self.assertNotEqual(facts["uid"], 0)
            self.check_leaf(facts["pid"], facts["env"]["DROVER_NAME"])
            self.assertEqual(d.submit("crash")["error"]["data"]["exitcode"], -signal.SIGABRT)
            d.ready()

    def test_shutdown(self):
        with House(p={"workers": 2}) as d:
            d.start()
            d.ready()
            d.target("nap", "fork")
            pids = templates(d) + [w["pid"] for w in d.workers().values()]
            self.assertEqual(d.terminate(), 0)
            for pid in pids:
                self.assertFalse(is_alive(pid))


def templates(d):
    """The pids of all templates of the daemon. What they forked has their command line, and its own name before its session."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as f:
                comm, rest = f.read().rsplit(")", 1)
            with open(f"/proc/{name}/cmdline", "rb") as f:
                argv = f.read().split(b"\0")
        except OSError:
            continue
        state, parent, _, session = rest.split()[:4]
        if int(parent) == d.process.pid and state != "Z" and session == name and b"--template" in argv and "(drover-host" in comm:
            found.append(int(name))
    return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
