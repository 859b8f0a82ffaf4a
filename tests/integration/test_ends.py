"""Why a worker died: the sentence, who did it, its last lines, the last five ends; over a kill of droverd too. And what this
machine cannot give is said."""
import os
import signal
import unittest

from daemon_util import PATIENCE, Daemon, Failure

FOREVER = ["/bin/sleep", "1000000"]


def shell(script, **more):
    return {"command": ["/bin/sh", "-c", script], **more}


def ends(d, name):
    return detail(d, name)["ends"]


def detail(d, name):
    pools = d.call("status", select=[name], detail=True)["pools"]
    return pools[0]["workers"][0]


def events_of(d, kind, name):
    """The data of all such events so far."""
    d.call("events", since=0, types=[kind], select=[name])
    found = [n["params"]["event"] if "event" in n["params"] and isinstance(n["params"]["event"], dict) else n["params"]
             for n in d.client.notes if n.get("method") == "event"]
    d.client.notes.clear()
    return [e["data"] for e in found]


def journal(d):
    """Its lines, as they were written."""
    fds = f"/proc/{d.call('daemon.info')['pid']}/fd"
    fd = next(fd for fd in os.listdir(fds) if os.readlink(f"{fds}/{fd}").startswith("/memfd:drover-journal"))
    with open(f"{fds}/{fd}", encoding="utf-8") as f:
        return f.read().splitlines()


class Ends(unittest.TestCase):
    def test_last_lines(self):
        script = "for i in 1 2 3 4 5 6 7; do echo out $i; done; echo bad news >&2; echo and worse >&2; exit 3"
        with Daemon({"pools": {"a": shell(script, restart="never"), "b": shell("echo only this; printf 'no end'; exit 4", restart="never"),
                               "c": shell("echo fine", restart="never"), "d": shell("exit 5", restart="never"),
                               "e": shell("echo oops >&2; exit 6", restart="never", autostart=False, ready={"fd": 3})}}) as d:
            d.start()
            for name in "abcd":
                d.call("wait", select=name, **{"for": "exit"}, timeout=PATIENCE)
            self.assertEqual(ends(d, "a")[0]["lines"], ["bad news", "and worse"])
            self.assertEqual(ends(d, "a")[0]["exitcode"], 3)
            self.assertEqual(ends(d, "a")[0]["cause"], "exited with code 3")
            self.assertEqual(ends(d, "b")[0]["lines"], ["only this", "no end"])
            self.assertNotIn("lines", ends(d, "c")[0])
            self.assertNotIn("lines", ends(d, "d")[0])
            self.assertEqual(events_of(d, "worker.exited", "a")[0]["lines"], ["bad news", "and worse"])
            self.assertNotIn("ends", d.workers("a")["a/0"])
            with self.assertRaises(Failure) as caught:
                d.call("start", select="e", timeout=PATIENCE)
            failed = caught.exception.error["data"]["failed"][0]
            self.assertEqual(failed["lines"], ["oops"])
            self.assertEqual(failed["exitcode"], 6)

    def test_last_lines_of_the_living(self):
        """And no call waits for one that dies meanwhile."""
        with Daemon({"pools": {"a": shell("echo first; echo >&3; exec sleep 1000000", ready={"fd": 3}), "quiet": {"command": FOREVER},
                               "b": shell("echo out; echo err >&2; echo >&3; exec sleep 1000000", ready={"fd": 3}),
                               "nowhere": {"command": FOREVER, "output": "null"}}}) as d:
            d.start()
            d.call("wait", select="all", timeout=PATIENCE, **{"for": "ready"})
            self.assertEqual(detail(d, "a")["tail"], ["first"])
            self.assertEqual(detail(d, "b")["tail"], ["err"])
            self.assertNotIn("tail", detail(d, "quiet"))
            self.assertNotIn("tail", detail(d, "nowhere"))
            self.assertNotIn("tail", d.workers("a")["a/0"])
            tails = {p["name"]: p["workers"][0].get("tail") for p in d.call("status", select="all", detail=True)["pools"]}
            self.assertEqual(tails, {"a": ["first"], "b": ["err"], "quiet": None, "nowhere": None})
            number = d.client.send("status", select="b", detail=True)
            os.kill(d.workers("b")["b/0"]["pid"], signal.SIGKILL)
            self.assertEqual(d.client.answer(number)["pools"][0]["name"], "b")

    def test_five_ends_over_a_kill(self):
        with Daemon({"pools": {"a": shell("echo $$ >&2; echo >&3; exec sleep 1000000", restart={"delay": 0}, ready={"fd": 3})}}) as d:
            d.start()
            pids = []
            for _ in range(7):
                d.call("wait", select="a", **{"for": "ready"}, timeout=PATIENCE)
                pids.append(d.workers("a")["a/0"]["pid"])
                seen = d.workers("a")["a/0"]["restarts"]
                os.kill(pids[-1], signal.SIGKILL)
                while d.workers("a")["a/0"]["restarts"] == seen:
                    pass
                while "lines" not in ends(d, "a")[0]:
                    pass
            d.call("wait", select="a", **{"for": "ready"}, timeout=PATIENCE)
            d.call("stop", select="a", timeout=PATIENCE)
            before = detail(d, "a")
            self.assertEqual(len(before["ends"]), 5)
            self.assertEqual(before["ends"][0]["cause"], "killed by SIGTERM on request")
            self.assertEqual(before["ends"][0]["by"], "drover")
            for end, pid in zip(before["ends"][1:], reversed(pids)):
                self.assertEqual(end["cause"], "killed by SIGKILL")
                self.assertEqual(end["by"], "other")
                self.assertIn(str(pid), end["lines"])
            d.kill_droverd()
            self.assertEqual(detail(d, "a")["ends"], before["ends"])
            self.assertEqual(detail(d, "a")["last_exit"], before["last_exit"])

    def test_what_is_forgotten_of_a_run(self):
        """Its pool first: without a record of its worker it would be one that is still to be started."""
        with Daemon() as d:
            d.start()
            for _ in range(2):
                d.call("run", name="x", command=["/bin/true"], wait=True)
            lines = journal(d)
            pools = [i for i, line in enumerate(lines) if " pool:x " in line]
            gone = [i for i, line in enumerate(lines) if line.endswith(" worker:x null")]
            self.assertEqual((len(pools), len(gone)), (2, 1))
            self.assertLess(pools[1], gone[0])

    def test_a_stop_that_takes_too_long(self):
        stubborn = shell("trap '' TERM; echo here >&2; while :; do sleep 1000; done", stop={"timeout": "100ms"}, ready={"fd": 3})
        stubborn["command"][2] = "trap '' TERM; echo here >&2; echo >&3; while :; do sleep 1000; done"
        with Daemon({"pools": {"a": stubborn}}) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"}, timeout=PATIENCE)
            d.call("stop", select="a", timeout=PATIENCE)
            self.assertEqual(ends(d, "a")[0]["cause"], "did not end within 100ms of SIGTERM; killed by SIGKILL")
            d.kill_droverd()
            self.assertEqual(d.workers("a")["a/0"]["last_exit"]["cause"], "did not end within 100ms of SIGTERM; killed by SIGKILL")

    def test_who_killed_it(self):
        with Daemon({"pools": {"a": {"command": FOREVER, "restart": "never"}}}) as d:
            d.start()
            for kill, cause, by in ((lambda: d.call("kill", select="a"), "killed by SIGKILL on request", "drover"),
                                    (lambda: d.call("terminate", select="a"), "killed by SIGTERM on request", "drover"),
                                    (lambda: os.kill(d.workers("a")["a/0"]["pid"], signal.SIGKILL), "killed by SIGKILL", "other"),
                                    (lambda: os.kill(d.workers("a")["a/0"]["pid"], signal.SIGSEGV), "killed by SIGSEGV", "other")):
                d.call("start", select="a", timeout=PATIENCE)
                kill()
                d.call("wait", select="a", **{"for": "exit"}, timeout=PATIENCE)
                end = ends(d, "a")[0]
                self.assertTrue(end["cause"].startswith(cause), end)
                self.assertEqual(end["by"], by)

    def test_many_at_once_are_all_replaced(self):
        with Daemon({"pools": {"a": shell("echo last words >&2; exec sleep 1000000", workers=100, restart={"delay": 0})}}) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"}, timeout=PATIENCE)
            d.call("restart", select="a", timeout=PATIENCE)
            for w in d.workers("a").values():
                os.kill(w["pid"], signal.SIGKILL)
            while sum(w["restarts"] for w in d.workers("a").values()) < 100:
                pass
            d.call("wait", select="a", **{"for": "ready"}, timeout=PATIENCE)
            self.assertEqual(len([1 for w in d.workers("a").values() if w["state"] == "running"]), 100)


class Promises(unittest.TestCase):
    def test_every_promise_has_its_reason(self):
        with Daemon() as d:
            d.start()
            promises = d.call("daemon.promises")["promises"]
            self.assertGreater(len(promises), 15)
            for p in promises:
                self.assertIn(p["state"], ("full", "weakened", "off"))
                self.assertEqual(p["why"] == "", p["state"] == "full", p)
            weakened = len([p for p in promises if p["state"] != "full"])
            self.assertEqual(d.call("status")["weakened"], weakened)
            d.kill_droverd()
            self.assertEqual(d.call("daemon.promises")["promises"], promises)

    def test_wishes_that_cannot_be(self):
        with Daemon({"pools": {"a": {"command": FOREVER, "cgroup": {"memory_max": "64M", "pids_max": 20}}}}) as d:
            d.start()
            by_name = {p["name"]: p for p in d.call("daemon.promises")["promises"]}
            missing = {p["name"]: p for p in detail(d, "a")["promises"]}
            for key, promise in (("cgroup.memory_max", "memory-limits"), ("cgroup.pids_max", "process-limits")):
                self.assertEqual(key in missing, by_name[promise]["state"] != "full")
                if key in missing:
                    self.assertEqual(missing[key]["why"], by_name[promise]["why"])
            d.call("wait", select="a", **{"for": "ready"}, timeout=PATIENCE)  # started all the same

    def test_isolation(self):
        script = ("touch /etc/drover-never 2>/dev/null && echo wrote; cat $SECRET 2>/dev/null; echo x >$OWN/new && echo own; "
                  "ls -A /tmp | wc -l")
        with Daemon() as d:
            d.start()
            os.chmod(d.place, 0o755)
            secret, own = d.place + "/secret", d.place + "/own"
            os.mkdir(own)
            with open(secret, "w", encoding="utf-8") as f:
                f.write("hidden\n")
            states = {p["name"]: p["state"] for p in d.call("daemon.promises")["promises"]}
            d.call("run", name="a", command=["/bin/sh", "-c", script], env={"SECRET": secret, "OWN": own},
                   isolation={"private_tmp": True, "read_only": ["/etc"], "read_write": [own], "inaccessible": [secret]})
            self.assertEqual(d.call("wait", process="a", timeout=PATIENCE)["workers"][0]["exitcode"], 0)
            d.call("logs", select="a", lines=-1, stream="stdout")
            lines = [n["params"]["line"] for n in d.client.notes if n.get("method") == "log"]
            self.assertIn("own", lines)
            self.assertNotIn("wrote", lines if states["paths"] != "off" or os.geteuid() != 0 else [])
            if states["paths"] != "off":
                self.assertNotIn("hidden", lines)
            if states["private-tmp"] == "full":
                self.assertEqual(lines[-1], "1")  # the way to what is listed


class Memory(unittest.TestCase):
    EATER = ["/usr/bin/python3", "-c", "x = []\nwhile True: x.append(bytearray(1 << 20))"]

    def test_memory_limit(self):
        with Daemon({"pools": {"a": {"command": self.EATER, "cgroup": {"memory_max": "32M"}, "autostart": False, "restart": "never"}}}) as d:
            d.start()
            state = {p["name"]: p for p in d.call("daemon.promises")["promises"]}["memory-limits"]
            if state["state"] != "full":
                self.skipTest("no memory limits here: " + state["why"])
            d.call("start", select="a", timeout=PATIENCE)
            d.call("wait", select="a", **{"for": "exit"}, timeout=PATIENCE)
            end = ends(d, "a")[0]
            self.assertRegex(end["cause"], r"^killed by SIGKILL: out of memory \(limit 32M")
            self.assertEqual(end["by"], "kernel")
            d.kill_droverd()
            self.assertEqual(ends(d, "a")[0], end)


if __name__ == "__main__":
    unittest.main()
