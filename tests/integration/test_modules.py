"""Processes from targets of worker modules over JSON: Process(target, args, kwargs) with its states, its exit code, its
exception; pools of them; and what is refused."""
import os
import signal
import unittest

from daemon_util import PATIENCE, Daemon, Failure, is_alive, wait_gone

BASICS = os.environ["EXAMPLE_BASICS"]
MATH = os.environ["EXAMPLE_MATH"]


class House(Daemon):
    def target(self, target, *args, **more):
        return self.call("run", module=BASICS, target=target, args=list(args), **more)["process"]

    def end(self, name):
        """The worker, once it has ended."""
        return self.call("wait", process=name, timeout=PATIENCE, **{"for": "exit"})["workers"][0]

    def lines(self, name, stream="stdout"):
        self.client.notes.clear()
        self.call("logs", select=name, lines=100, stream=stream)
        found = [n["params"]["line"] for n in self.client.notes if n["method"] == "log"]
        self.client.notes.clear()
        return found

    def exitcode(self, target, *args, **more):
        return self.end(self.target(target, *args, **more))["exitcode"]


class Modules(unittest.TestCase):
    def refused(self, d, **params):
        with self.assertRaises(Failure) as caught:
            d.call("run", **params)
        return str(caught.exception)

    def test_states(self):
        with House() as d:
            d.start()
            d.call("pool.add", name="p", module=BASICS, target="stubborn", autostart=False, restart="never")
            w = d.workers("p")["p/0"]
            self.assertEqual((w["state"], w["alive"], w["pid"], w["exitcode"]), ("created", False, None, None))
            w = d.call("start", select="p")["workers"][0]
            self.assertEqual((w["state"], w["alive"], w["exitcode"]), ("running", True, None))
            self.assertTrue(is_alive(w["pid"]))
            d.call("kill", select="p")
            w = d.end("p")
            self.assertEqual((w["state"], w["alive"], w["pid"], w["exitcode"]), ("exited", False, None, -signal.SIGKILL))

    def test_exit_codes(self):
        with House() as d:
            d.start()
            self.assertEqual(d.exitcode("greet", "Alice", name="hello"), 0)
            self.assertEqual(d.lines("hello"), ["Hello, Alice!"])
            self.assertEqual(d.exitcode("leave", 3), 3)
            self.assertEqual(d.exitcode("crash"), -signal.SIGABRT)
            name = d.target("nap", 1000)
            self.assertEqual(d.call("terminate", select=name)["signalled"], 1)
            self.assertEqual(d.end(name)["exitcode"], -signal.SIGTERM)
            self.assertEqual(d.exitcode("show", 1, "two", None, name="shown", kwargs={"b": [2.5], "a": {}}), 0)
            self.assertEqual(d.lines("shown"), ['args=[1,"two",null] kwargs={"a":{},"b":[2.5]}'])

    def test_an_exception_is_exit_code_1_with_a_traceback(self):
        with House() as d:
            d.start()
            name = d.target("fail", "ValueError", "of no value", name="bad")
            self.assertEqual(d.end(name)["exitcode"], 1)
            text = d.lines(name, "stderr")
            self.assertEqual(text[0], "Traceback (innermost first):")
            self.assertRegex(text[1], r"^#0 fail \(.*basics\.c:\d+\)")
            self.assertEqual(text[-1], "ValueError: of no value")
            last = d.call("status", select=[name], detail=True)["pools"][0]["workers"][0]["ends"][0]
            self.assertEqual((last["exitcode"], last["lines"][-1]), (1, "ValueError: of no value"))
            # and the daemon goes on
            self.assertEqual(d.exitcode("greet", "Bob"), 0)
            name = d.call("run", module=MATH, target="sqare", name="typo")["process"]
            self.assertEqual(d.end(name)["exitcode"], 1)
            self.assertIn('did you mean "square"?', d.lines(name, "stderr")[-1])
            name = d.call("run", module=os.path.realpath("/bin/sh"), target="x", name="no-module")["process"]
            self.assertEqual(d.end(name)["exitcode"], 2)

    def test_a_daemonic_one_dies_with_its_owner(self):
        with House() as d:
            d.start()
            other = type(d.client)(d.path)
            pid = other.call("run", module=BASICS, target="nap", args=[1000], daemon=True, name="child")["pid"]
            self.assertTrue(d.workers("child")["child"]["daemon"])
            other.close()
            wait_gone(pid)
            self.assertEqual(d.end("child")["exitcode"], -signal.SIGTERM)

    def test_a_pool_of_a_target(self):
        pool = {"module": os.path.basename(BASICS), "target": "whoami", "workers": 3, "restart": "never"}
        with House({"pools": {"who": pool}}) as d:
            d.env["DROVER_MODULE_PATH"] = "/nonexistent:" + os.path.dirname(BASICS)
            d.start()
            d.call("wait", select="who", timeout=PATIENCE, **{"for": "exit"})
            for i in range(3):
                line = d.lines(f"who/{i}")[0]
                self.assertRegex(line, rf"^name=who/{i} pid=\d+ ppid=\d+$")
                self.assertIn(f"ppid={d.call('daemon.info')['keeper_pid']}", line)
            shown = d.call("config.show")
            self.assertEqual(shown["config"]["pools"]["who"] if "config" in shown else shown["pools"]["who"], pool)

    def test_one_is_kept_over_the_death_of_droverd(self):
        with House() as d:
            d.start()
            name = d.target("stubborn", name="kept")
            pid = d.workers(name)[name]["pid"]
            d.kill_droverd()
            self.assertEqual(d.workers(name)[name]["pid"], pid)
            d.call("kill", select=name)
            self.assertEqual(d.end(name)["exitcode"], -signal.SIGKILL)

    def test_faults(self):
        with House() as d:
            d.start()
            self.assertIn("cannot be read: No such file", self.refused(d, module="/nonexistent/m.so", target="f"))
            self.assertIn("only with a module", self.refused(d, command=["true"], target="f"))
            self.assertIn("not both", self.refused(d, command=["true"], module=BASICS, target="f"))
            self.assertIn("name it by target", self.refused(d, module=BASICS))
            self.assertIn("expected an array", self.refused(d, module=BASICS, target="f", args="x"))
            self.assertIn("expected an object", self.refused(d, module=BASICS, target="f", kwargs=[1]))
            self.assertIn('did you mean "fork"?', self.refused(d, module=BASICS, target="f", start_method="frok"))
            self.assertIn("absolute path", self.refused(d, module="./basics.so", target="f"))
            self.assertEqual(d.workers(), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
