"""What is wanted: plan and apply, keys set at run time, desired state; over SIGKILL of droverd and over full restarts."""
import json
import os
import signal
import stat
import subprocess
import time
import unittest

from daemon_util import PATIENCE, Daemon, Failure

FOREVER = ["/bin/sleep", "1000000"]


def pools(**kinds):
    return {"pools": kinds}


def restart(d):
    """Keeper and droverd both stopped and started: what a reboot is."""
    assert d.terminate() == 0
    d.start()


def pids(d):
    return {name: w["pid"] for name, w in d.workers("all").items()}


def ready(d):
    d.call("wait", select="all", **{"for": "ready"})


def state(d, name="state.json"):
    with open(f"{d.place}/state/{name}", encoding="utf-8") as f:
        return json.load(f)


class Plan(unittest.TestCase):
    def plan(self, d):
        return {(c["pool"], c["kind"]): c for c in d.call("config.plan")["changes"]}

    def test_apply_does_what_plan_says(self):
        with Daemon(pools(a={"command": FOREVER, "workers": 2}, b={"command": FOREVER}, c={"command": FOREVER})) as d:
            d.start()
            ready(d)
            self.assertEqual(d.call("config.plan"), {"changes": [], "overrides": {}})
            before = pids(d)
            d.write_config(pools(a={"command": FOREVER, "workers": 3, "restart": {"delay": "5s"}},
                                 b={"command": FOREVER, "env": {"X": "1"}, "start_for": "10ms"}, d={"command": FOREVER}))
            plan = self.plan(d)
            self.assertEqual(set(plan), {("a", "change"), ("b", "change"), ("c", "remove"), ("d", "add")})
            a, b = plan["a", "change"], plan["b", "change"]
            self.assertEqual(a["class"], "live")
            self.assertEqual(a["keys"], [{"key": "workers", "from": 2, "to": 3, "class": "live"},
                                         {"key": "restart.delay", "from": "100ms", "to": "5s", "class": "live"}])
            self.assertEqual(b["class"], "restart")
            self.assertIn({"key": "env.X", "from": None, "to": "1", "class": "restart"}, b["keys"])
            self.assertIn({"key": "start_for", "from": 0, "to": "10ms", "class": "next-start"}, b["keys"])
            self.assertIn("env.X: only a new process", b["reason"])
            self.assertIn("no worker is restarted", a["reason"])
            self.assertEqual(pids(d), before)
            dry = d.call("config.apply", dry_run=True)["changes"]
            self.assertEqual(pids(d), before)
            self.assertEqual(d.call("config.apply")["changes"], dry)
            self.assertEqual(dry, list(plan.values()))
            d.call("wait", select=["a", "b", "d"], **{"for": "ready"})
            after = pids(d)
            self.assertEqual([after[k] for k in ("a/0", "a/1")], [before[k] for k in ("a/0", "a/1")])
            self.assertNotEqual(after["b/0"], before["b/0"])
            self.assertIn("a/2", after)
            self.assertEqual(d.call("config.plan")["changes"], [])

    def test_another_layout_is_no_change(self):
        with Daemon('{"pools": {"a": {"command": ["/bin/sleep", "1000000"], "restart": "on-failure", "workers": 1}}}') as d:
            d.start()
            ready(d)
            before = pids(d)
            d.write_config('// another hand\n{"pools": {"a": {"restart": {"policy": "on-failure", "delay": 0.1,}, '
                           '"command": [ "/bin/sleep",\n "1000000", ] } } }')
            self.assertEqual(d.call("config.plan")["changes"], [])
            self.assertEqual(d.call("config.apply")["changes"], [])
            self.assertEqual(pids(d), before)

    def test_sighup_applies(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.write_config(pools(a={"command": FOREVER}, b={"command": FOREVER}))
            d.process.send_signal(signal.SIGHUP)
            d.wait_notice("READY=1")
            ready(d)
            self.assertEqual(set(pids(d)), {"a/0", "b/0"})

    def test_keys_of_the_file(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.write_config(dict(pools(a={"command": FOREVER}), access={"observe": ["*"]}, socket_mode="0660"))
            change, = d.call("config.plan")["changes"]
            self.assertIsNone(change["pool"])
            self.assertEqual({k["key"] for k in change["keys"]}, {"access.observe", "socket_mode"})
            d.call("config.apply")
            self.assertEqual(d.call("config.plan")["changes"], [])
            d.kill_droverd()
            self.assertEqual(d.call("config.plan")["changes"], [])

    def test_a_name_that_is_taken(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.call("pool.add", name="mine", command=FOREVER)
            d.write_config(pools(a={"command": FOREVER}, mine={"command": FOREVER}, other={"command": FOREVER}))
            plan = self.plan(d)
            self.assertTrue(plan["mine", "add"]["blocked"])
            self.assertIn("made at run time", plan["mine", "add"]["reason"])
            d.call("config.apply")
            origins = {p["name"]: p["origin"] for p in d.call("status")["pools"]}
            self.assertEqual(origins, {"a": "config", "mine": "call", "other": "config"})
            d.call("pool.remove", pool="mine")
            self.assertNotIn("blocked", self.plan(d)["mine", "add"])
            d.call("config.apply")
            self.assertEqual(self.plan(d), {})

    def test_a_name_that_is_still_stopping(self):
        stubborn = ["/bin/sh", "-c", "trap '' TERM; echo up >&9; while :; do sleep 1000; done 9>&-"]
        config = pools(a={"command": stubborn, "ready": {"fd": 9}, "stop": {"timeout": "1m"}})
        with Daemon(config) as d:
            d.start()
            ready(d)
            old = pids(d)["a/0"]
            d.write_config(pools())
            d.call("config.apply")
            d.write_config(pools(a={"command": FOREVER}))
            change, = d.call("config.apply")["changes"]
            self.assertTrue(change["queued"])
            self.assertEqual(d.call("config.plan")["changes"], [])
            d.kill_droverd()
            self.assertEqual(d.call("config.plan")["changes"], [])
            self.assertEqual(pids(d)["a/0"], old)
            events = d.client
            number = events.send("events", types=["pool.added"], follow=True)
            d.connect_another().call("kill", select="a")
            while True:
                message = events.receive()
                if message.get("method") == "event" and message["params"]["event"] == "pool.added":
                    break
            self.assertEqual(message["params"]["pool"], "a")
            del number
            events.close()
            d.connect()
            ready(d)
            self.assertNotEqual(pids(d)["a/0"], old)

    def test_too_many_for_the_keeper(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.prefix = ["/bin/sh", "-c", 'ulimit -n 300 && exec "$@"', "sh"]
            d.start()
            d.write_config(pools(a={"command": FOREVER, "workers": 200}))
            with self.assertRaisesRegex(Failure, "LimitNOFILE"):
                d.call("config.apply")
            with self.assertRaisesRegex(Failure, "LimitNOFILE"):
                d.call("pool.add", name="b", command=FOREVER, workers=200)


class Set(unittest.TestCase):
    CONFIG = pools(a={"command": FOREVER, "workers": 2, "restart": "on-failure"}, b={"command": FOREVER})

    def test_set_get_and_back(self):
        with Daemon(self.CONFIG) as d:
            d.start()
            ready(d)
            before = pids(d)
            self.assertEqual(d.call("config.get", pool="a", key="restart.delay"), {"value": "100ms", "overridden": False})
            change, = d.call("config.set", pool="a", key="restart.delay", value="7s")["changes"]
            self.assertEqual(change["keys"], [{"key": "restart.delay", "from": "100ms", "to": "7s", "class": "live"}])
            for again in (lambda: None, d.kill_droverd, lambda: restart(d)):
                again()
                self.assertEqual(d.call("config.get", pool="a", key="restart.delay"), {"value": "7s", "overridden": True})
                self.assertEqual(d.call("config.get", pool="a", key="restart.policy")["value"], "on-failure")
                self.assertEqual(d.call("config.plan"), {"changes": [], "overrides": {"a": {"restart.delay": "7s"}}})
                self.assertEqual(d.call("config.show")["overrides"], {"a": {"restart.delay": "7s"}})
                self.assertEqual(d.call("config.set", pool="a", key="restart.delay", value="7s")["changes"], [])
            ready(d)
            self.assertEqual(set(pids(d)), set(before))
            d.call("config.set", pool="a", key="restart.delay", value=None)
            self.assertEqual(d.call("config.get", pool="a", key="restart.delay"), {"value": "100ms", "overridden": False})
            self.assertEqual(d.call("config.plan"), {"changes": [], "overrides": {}})
            restart(d)
            self.assertEqual(d.call("config.plan"), {"changes": [], "overrides": {}})

    def test_what_does_not_persist(self):
        with Daemon(self.CONFIG) as d:
            d.start()
            d.call("config.set", pool="a", key="stop.timeout", value=3, persist=False)
            d.kill_droverd()
            self.assertEqual(d.call("config.get", pool="a", key="stop.timeout")["value"], 3)
            restart(d)
            self.assertEqual(d.call("config.get", pool="a", key="stop.timeout")["value"], "10s")

    def test_an_override_lies_over_an_edited_file(self):
        with Daemon(self.CONFIG) as d:
            d.start()
            d.call("config.set", pool="a", key="workers", value=4)
            d.write_config(pools(a={"command": FOREVER, "workers": 3, "nice": 1}, b={"command": FOREVER}))
            change, = d.call("config.apply")["changes"]
            self.assertEqual({k["key"] for k in change["keys"]}, {"nice", "restart.policy"})
            ready(d)
            self.assertEqual(len(d.workers("a")), 4)
            d.write_config(pools(b={"command": FOREVER}))
            d.call("config.apply")
            self.assertEqual(d.call("config.plan")["overrides"], {})

    def test_an_override_that_does_not_fit_any_more(self):
        with Daemon(pools(a={"command": FOREVER}, b={"command": FOREVER})) as d:
            d.start()
            d.call("config.set", pool="a", key="after", value=["b"])
            d.write_config(pools(a={"command": FOREVER}))
            with self.assertRaisesRegex(Failure, 'there is no pool "b"'):
                d.call("config.apply")
            self.assertEqual(d.terminate(), 0)
            d.start()
            self.assertIn("starting without it", d.log())
            self.assertEqual(set(d.workers("all")), {"a/0"})

    def test_refusals(self):
        with Daemon(self.CONFIG) as d:
            d.start()
            d.call("run", command=FOREVER, name="r")
            for arguments, text in (
                    ({"pool": "a", "key": "restart.dely", "value": 1}, 'did you mean "restart.delay"'),
                    ({"pool": "a", "key": "restart.delay", "value": "soon"}, "expected a duration"),
                    ({"pool": "a", "key": "after", "value": ["zzz"]}, 'there is no pool "zzz"'),
                    ({"pool": "a", "key": "after", "value": ["a"]}, "wait for itself"),
                    ({"pool": "a", "key": "command", "value": None}, "needs a command"),
                    ({"pool": "zz", "key": "nice", "value": 1}, "there is no pool"),
                    ({"pool": "r", "key": "nice", "value": 1}, "one process of"),
                    ({"pool": "a", "key": "", "value": 1}, "no key"),
                    ({"pool": "a", "key": "env.", "value": "1"}, "no key"),
                    ({"pool": "a", "key": "env.A=B", "value": "1"}, "no ="),
                    ({"pool": "a", "key": "listen.x.tcp", "value": 0}, "1 to 65535")):
                with self.assertRaisesRegex(Failure, text, msg=str(arguments)):
                    d.call("config.set", **arguments)
            self.assertEqual(d.call("config.plan"), {"changes": [], "overrides": {}})

    def test_a_pool_of_a_call_is_changed_itself(self):
        with Daemon(pools()) as d:
            d.start()
            d.call("pool.add", name="x", command=FOREVER)
            d.call("config.set", pool="x", key="env.A", value="1")
            self.assertEqual(d.call("config.get", pool="x", key="env.A")["value"], "1")
            self.assertEqual(d.call("config.plan")["overrides"], {})
            d.kill_droverd()
            self.assertEqual(d.call("config.get", pool="x")["value"]["env"], {"A": "1"})

    def test_a_size_is_a_wish(self):
        with Daemon(self.CONFIG) as d:
            d.start()
            d.call("scale", pool="a", workers=5)
            d.call("scale", pool="b", workers=0)
            restart(d)
            ready(d)
            self.assertEqual(len(d.workers("a")), 5)
            self.assertEqual(len(d.workers("b")), 0)
            self.assertEqual(d.call("config.plan"), {"changes": [], "overrides": {}})
            d.write_config(pools(a={"command": FOREVER, "workers": 3}, b={"command": FOREVER}))
            restart(d)
            ready(d)
            self.assertEqual(len(d.workers("a")), 3)


class Enable(unittest.TestCase):
    def enabled(self, d):
        return {p["name"]: p["enabled"] for p in d.call("status")["pools"]}

    def test_disabled_pools_do_not_start(self):
        with Daemon(pools(a={"command": FOREVER}, b={"command": FOREVER, "autostart": False})) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"})
            d.call("pool.add", name="c", command=FOREVER)
            self.assertEqual(d.call("disable", select="a"), {"pools": [{"name": "a", "enabled": False}]})
            d.call("enable", select=["b*"])
            self.assertEqual(self.enabled(d), {"a": False, "b": True, "c": True})
            self.assertTrue(d.workers("a")["a/0"]["alive"])
            self.assertFalse(d.workers("b")["b/0"]["alive"])
            d.kill_droverd()
            self.assertEqual(self.enabled(d), {"a": False, "b": True, "c": True})
            self.assertTrue(d.workers("a")["a/0"]["alive"])
            restart(d)
            d.call("wait", select="b", **{"for": "ready"})
            self.assertEqual(self.enabled(d), {"a": False, "b": True})
            self.assertFalse(d.workers("a")["a/0"]["alive"])
            with self.assertRaisesRegex(Failure, "there is no"):
                d.call("disable", select="zz")
            with self.assertRaisesRegex(Failure, "is a worker"):
                d.call("disable", select="a/0")


class StateFile(unittest.TestCase):
    CONFIG = pools(a={"command": FOREVER})

    def twice_set(self, d):
        """state.json.old has 5s, state.json 6s."""
        d.start()
        d.call("config.set", pool="a", key="stop.timeout", value="5s")
        restart(d)
        d.call("config.set", pool="a", key="stop.timeout", value="6s")
        self.assertEqual(d.terminate(), 0)
        self.assertEqual(state(d)["pools"]["a"]["set"], {"stop.timeout": "6s"})
        self.assertEqual(state(d, "state.json.old")["pools"]["a"]["set"], {"stop.timeout": "5s"})
        return d.place + "/state/state.json"

    def until_logged(self, d, text):
        """The log is no event; but each answer is a round of the loop that will write it."""
        end = time.monotonic() + PATIENCE
        while text not in d.log():
            d.call("daemon.info")
            self.assertLess(time.monotonic(), end, d.log())

    def value(self, d):
        d.start()
        return d.call("config.get", pool="a", key="stop.timeout")["value"]

    def test_the_one_before_is_used(self):
        def truncated(path):
            with open(path, "r+b") as f:
                f.truncate(20)

        def garbage(path):
            with open(path, "wb") as f:
                f.write(b"\xff\x00[[[[")

        def deep(path):
            with open(path, "w", encoding="utf-8") as f:
                f.write("[" * 10000)

        def writable_for_all(path):
            os.chmod(path, 0o666)

        def a_directory(path):
            os.unlink(path)
            os.mkdir(path)

        def a_link(path):
            os.rename(path, path + ".elsewhere")
            os.symlink(path + ".elsewhere", path)

        def gone(path):
            os.unlink(path)

        for spoil in (truncated, garbage, deep, writable_for_all, a_link, gone, a_directory):
            with self.subTest(spoil.__name__), Daemon(self.CONFIG) as d:
                path = self.twice_set(d)
                spoil(path)
                self.assertEqual(self.value(d), "5s")
                self.assertIn("using the one before it", d.log())
                if spoil is a_directory:
                    os.rmdir(path)
                d.call("config.set", pool="a", key="stop.timeout", value="8s")
                self.assertEqual(d.terminate(), 0)
                self.assertEqual(state(d)["pools"]["a"]["set"], {"stop.timeout": "8s"})
                self.assertEqual(state(d, "state.json.old")["pools"]["a"]["set"], {"stop.timeout": "5s"})

    def test_a_wish_taken_back_does_not_return(self):
        """The writer of the file is killed with droverd; the next life compares."""
        with Daemon(self.CONFIG) as d:
            d.start()
            d.call("config.set", pool="a", key="stop.timeout", value="9s")
            for value in (None, "7s", None):
                d.call("config.set", pool="a", key="stop.timeout", value=value)
                d.kill_droverd()
                restart(d)
                self.assertEqual(d.call("config.get", pool="a", key="stop.timeout")["value"], value or "10s")

    def test_both_are_damaged(self):
        with Daemon(self.CONFIG) as d:
            path = self.twice_set(d)
            for name in (path, path + ".old"):
                with open(name, "w", encoding="utf-8") as f:
                    f.write("{")
            self.assertEqual(self.value(d), "10s")
            self.assertIn("is forgotten", d.log())

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_a_file_of_somebody_else(self):
        with Daemon(self.CONFIG) as d:
            path = self.twice_set(d)
            os.chown(path, 12345, 12345)
            self.assertEqual(self.value(d), "5s")
            self.assertIn("belongs to another user", d.log())

    def test_strange_contents(self):
        for text in ('{"version": 1, "pools": 5}', '{"version": 99, "pools": {"a": 3, "..": {}, "a/b": {"set": {"x": 1}}}}', "{}",
                     '{"version": 1, "pools": {"a": {"set": {"nonsense": 1, "stop.timeout": "soon"}, "size": {"workers": -5}}}}'):
            with self.subTest(text), Daemon(self.CONFIG) as d:
                os.mkdir(d.place + "/state", 0o700)
                with open(d.place + "/state/state.json", "w", encoding="utf-8") as f:
                    f.write(text)
                os.chmod(d.place + "/state/state.json", 0o600)
                self.assertEqual(self.value(d), "10s")

    def test_a_place_that_cannot_be_written(self):
        """A directory stands where the new file is written: no permission bit stops root."""
        with Daemon(self.CONFIG) as d:
            d.start()
            blocker = d.place + "/state/state.json.new"
            os.mkdir(blocker)
            d.call("config.set", pool="a", key="stop.timeout", value="9s")
            self.until_logged(d, "cannot write")
            d.kill_droverd()
            self.assertEqual(d.call("config.get", pool="a", key="stop.timeout")["value"], "9s")
            os.rmdir(blocker)
            self.assertEqual(d.terminate(), 0)
            self.assertEqual(state(d)["pools"]["a"]["set"], {"stop.timeout": "9s"})

    @unittest.skipUnless(os.path.exists("/dev/full") and os.geteuid() == 0, "needs a small file system")
    def test_a_full_disk(self):
        with Daemon(self.CONFIG) as d:
            os.mkdir(d.place + "/state", 0o700)
            try:
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", d.place + "/state"], check=True,
                               stderr=subprocess.DEVNULL)
            except (subprocess.CalledProcessError, FileNotFoundError):
                self.skipTest("cannot mount")
            try:
                d.start()
                with open(d.place + "/state/filler", "wb", buffering=0) as f:
                    try:
                        while True:
                            f.write(b"x" * 4096)
                    except OSError:
                        pass
                d.call("config.set", pool="a", key="stop.timeout", value="9s")
                d.kill_droverd()
                self.assertEqual(d.call("config.get", pool="a", key="stop.timeout")["value"], "9s")
                os.unlink(d.place + "/state/filler")
                self.assertEqual(d.terminate(), 0)
                self.assertEqual(state(d)["pools"]["a"]["set"], {"stop.timeout": "9s"})
                self.assertEqual(stat.S_IMODE(os.stat(d.place + "/state/state.json").st_mode), 0o600)
            finally:
                subprocess.run(["umount", "-l", d.place + "/state"], check=True, timeout=PATIENCE)


if __name__ == "__main__":
    unittest.main()
