"""droverd itself: start and stop, locks, faulty and changed configurations, and death at any moment."""
import os
import shutil
import signal
import socket
import time
import unittest

from daemon_util import PATIENCE, Client, Daemon, Failure, is_alive, wait_gone

FOREVER = ["/bin/sleep", "1000000"]


def pools(**kinds):
    return {"pools": kinds}


def connect_in_time(path):
    """A client as soon as somebody listens there; a refused connect costs too little to be worth an event."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return Client(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > end:
                raise


class StartAndStop(unittest.TestCase):
    def test_an_empty_daemon(self):
        with Daemon() as d:
            d.start()
            info = d.call("daemon.info")
            self.assertEqual(d.call("status")["pools"], [])
            self.assertEqual(info["keeper_pid"], d.process.pid)
            self.assertEqual(info["socket"], d.path)
            self.assertEqual(info["protocol"], 1)
            self.assertEqual(d.terminate(), 0)
            for pid in (info["pid"], info["logger_pid"]):
                self.assertFalse(is_alive(pid))
            self.assertFalse(os.path.exists(d.path))
            self.assertFalse(os.path.exists(d.path + ".notify"))

    def test_a_second_daemon_is_refused(self):
        with Daemon() as d:
            d.start()
            self.assertEqual(d.run()[0], 75)
            d.connect()
            self.assertEqual(d.call("status")["pools"], [])

    def test_a_stale_socket_is_taken_over(self):
        with Daemon() as d:
            stale = socket.socket(socket.AF_UNIX)
            stale.bind(d.path)
            stale.close()
            d.start()
            self.assertEqual(d.call("status")["pools"], [])

    def test_usage(self):
        with Daemon() as d:
            self.assertEqual(d.run("--nonsense")[0], 64)
            self.assertEqual(d.run("extra")[0], 64)
            self.assertEqual(d.run("--log-level", "loud")[0], 64)
            self.assertEqual(d.run("-S", "")[0], 64)
            self.assertEqual(d.run("--version")[0], 0)
            self.assertIn("Usage", d.run("--help")[1])

    def test_workers_are_stopped_first(self):
        stubborn = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"]
        with Daemon(pools(a={"command": FOREVER, "workers": 3},
                          b={"command": stubborn, "stop": {"timeout": "200ms"}})) as d:
            d.start()
            d.call("wait", select="all", **{"for": "ready"})
            pids = [w["pid"] for w in d.workers("all").values()]
            self.assertEqual(len(pids), 4)
            d.process.send_signal(signal.SIGTERM)
            d.process.send_signal(signal.SIGINT)
            self.assertEqual(d.process.wait(PATIENCE), 0)
            self.assertFalse([pid for pid in pids if is_alive(pid)])

    def test_removed_sockets_are_made_again(self):
        ready = ["/usr/bin/python3", "-c", "import os, signal, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
                 "s.connect(os.environ['NOTIFY_SOCKET']); s.send(b'READY=1'); signal.pause()"]
        with Daemon() as d:
            d.path = d.place + "/socket/control.sock"
            d.start()
            for remove in (os.unlink, lambda path: shutil.rmtree(os.path.dirname(path))):
                remove(d.path)
                other = connect_in_time(d.path)
                self.assertEqual(other.call("status"), d.call("status"))
                other.close()
                self.assertEqual(d.run()[0], 75)
            d.kill_droverd()
            d.call("pool.add", name="n", command=ready, ready="notify")
            d.call("start", select="n", timeout=PATIENCE)
            self.assertEqual(d.terminate(), 0)
            self.assertEqual(os.listdir(os.path.dirname(d.path)), ["control.sock.lock"])

    def test_logs_behind_a_link(self):
        with Daemon() as d:
            os.mkdir(d.place + "/elsewhere")
            os.symlink("elsewhere", d.place + "/log")
            d.start()
            d.call("run", name="a", command=["/bin/sh", "-c", "echo there"])
            d.call("run", name="b", command=["/bin/sh", "-c", "echo here"], output=d.place + "/log/b.log")
            for name in ("a", "b"):
                d.call("wait", process=name, timeout=PATIENCE)
            self.assertEqual(d.call("logs", select="a"), {"lines": 1})
            with open(d.place + "/elsewhere/b.log", encoding="utf-8") as f:
                self.assertEqual(f.read(), "here\n")

    def test_shutdown_by_call(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.call("daemon.shutdown")
            self.assertEqual(d.process.wait(PATIENCE), 0)

    def test_sigterm_to_droverd_itself(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            os.kill(d.call("daemon.info")["pid"], signal.SIGTERM)
            self.assertEqual(d.process.wait(PATIENCE), 0)

    def test_systemd_is_told(self):
        with Daemon(pools(a={"command": FOREVER, "workers": 2})) as d:
            d.process = d.spawn()
            self.assertIn("STATUS=", d.wait_notice("READY=1")[-1])
            d.wait_notice("STATUS=1 pools, 2 of 2 workers ready")
            d.process.send_signal(signal.SIGHUP)
            d.wait_notice("RELOADING=1")
            d.wait_notice("READY=1")
            d.process.send_signal(signal.SIGTERM)
            d.wait_notice("STOPPING=1")

    def test_kept_workers_are_left_alone(self):
        with Daemon(pools(a={"command": FOREVER, "on_daemon_exit": "keep"}, b={"command": FOREVER})) as d:
            d.start()
            d.call("wait", select="all", **{"for": "ready"})
            w = d.workers("all")
            self.assertEqual(d.terminate(), 0)
            try:
                self.assertTrue(is_alive(w["a/0"]["pid"]))
                self.assertFalse(is_alive(w["b/0"]["pid"]))
            finally:
                os.kill(w["a/0"]["pid"], signal.SIGKILL)


class Configuration(unittest.TestCase):
    FAULTY = '{ "pools": { "a": { "command": ["/bin/true"], "workerz": 2, "nice": 99 } } }'

    def test_faults_are_all_printed(self):
        with Daemon() as d:
            d.write_config(self.FAULTY)
            self.assertEqual(d.run()[0], 78)
            for key in ("workerz", "nice"):
                self.assertIn("pools.a." + key, d.log())
            self.assertFalse(os.path.exists(d.path))
            code, out = d.run("--check")
            self.assertEqual(code, 2)
            self.assertIn(f"{d.config}:1:", out)
            self.assertEqual(len(out.splitlines()), 2)
            d.write_config({})
            self.assertEqual(d.run("--check")[0], 0)

    def test_reload_touches_only_what_changed(self):
        with Daemon(pools(a={"command": FOREVER}, b={"command": FOREVER}, c={"command": FOREVER})) as d:
            d.start()
            d.call("pool.add", name="mine", command=FOREVER)
            d.call("wait", select="all", **{"for": "ready"})
            before = d.workers("all")
            d.write_config(pools(a={"command": FOREVER, "workers": 2}, b={"command": FOREVER + ["1"]},
                                 n={"command": FOREVER}))
            d.process.send_signal(signal.SIGHUP)
            d.wait_notice("RELOADING=1")
            d.wait_notice("READY=1")
            d.call("wait", select=["a", "b", "n", "mine"], **{"for": "ready"})
            after = d.workers("all")
            wait_gone(before["c/0"]["pid"])
            self.assertEqual(after["a/0"]["pid"], before["a/0"]["pid"])
            self.assertEqual(after["mine/0"]["pid"], before["mine/0"]["pid"])
            self.assertNotEqual(after["b/0"]["pid"], before["b/0"]["pid"])
            self.assertEqual({"a/0", "a/1", "b/0", "n/0", "mine/0"}, set(after) - {"c/0"})

    def test_a_faulty_file_changes_nothing(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"})
            before = d.workers("all")["a/0"]["pid"]
            d.write_config(self.FAULTY)
            with self.assertRaises(Failure) as caught:
                d.call("config.apply")
            self.assertEqual(caught.exception.error["data"]["name"], "invalid")
            d.process.send_signal(signal.SIGHUP)
            d.wait_notice("RELOADING=1")
            d.wait_notice("READY=1")
            self.assertEqual(d.workers("all")["a/0"]["pid"], before)
            d.kill_droverd()
            self.assertEqual(d.workers("all")["a/0"]["pid"], before)

    def test_apply_says_what_it_did(self):
        with Daemon() as d:
            d.start()
            d.write_config(pools(a={"command": FOREVER}))
            d.call("config.apply")
            d.call("wait", select="a", **{"for": "ready"})
            d.call("pool.add", name="b", command=FOREVER)
            d.write_config(pools(a={"command": FOREVER}, b={"command": FOREVER}))
            change, = d.call("config.apply")["changes"]
            self.assertTrue(change["blocked"])
            self.assertEqual(set(d.call("config.show")["pools"]), {"a", "b"})

    def test_a_changed_file_waits_for_apply(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.write_config(pools(z={"command": FOREVER}))
            d.kill_droverd()
            self.assertEqual(set(d.workers("all")), {"a/0"})
            d.call("config.apply")
            d.call("wait", select="z", **{"for": "ready"})
            self.assertIn("z/0", d.workers("all"))


class Death(unittest.TestCase):
    def test_droverd_is_killed(self):
        with Daemon(pools(a={"command": FOREVER, "workers": 2}, b={"command": FOREVER})) as d:
            d.start()
            d.call("wait", select="all", **{"for": "ready"})
            d.call("scale", pool="a", workers=3)
            d.call("stop", select="b")
            d.call("pool.add", name="c", command=FOREVER)
            d.call("run", command=FOREVER, name="one")
            d.call("wait", select=["a", "c", "one"], **{"for": "ready"})
            before = d.workers("all")
            seq = d.call("events", since=0)
            for _ in range(3):
                d.kill_droverd()
                after = d.workers("all")
                self.assertEqual({n: w["pid"] for n, w in before.items()}, {n: w["pid"] for n, w in after.items()})
                self.assertEqual(after["b/0"]["state"], "stopped")
                self.assertEqual(after["a/2"]["restarts"], 0)
            self.assertIsNotNone(seq)
            self.assertEqual(d.call("daemon.info")["lives"], 4)

    def test_ends_in_the_gap_are_known(self):
        with Daemon(pools(a={"command": FOREVER, "restart": {"delay": 0}},
                          b={"command": ["/bin/sh", "-c", "read x <\"$FIFO\"; exit 7"], "restart": {"policy": "never"}}
                          )) as d:
            fifo = d.place + "/fifo"
            os.mkfifo(fifo)
            d.write_config(pools(a={"command": FOREVER, "restart": {"delay": 0}},
                                 b={"command": ["/bin/sh", "-c", "read x <\"$FIFO\"; exit 7"],
                                    "env": {"FIFO": fifo}, "restart": {"policy": "never"}}))
            d.start()
            d.call("wait", select="all", **{"for": "ready"})
            before = d.workers("all")
            droverd = d.call("daemon.info")["pid"]
            os.kill(droverd, signal.SIGSTOP)
            os.kill(before["a/0"]["pid"], signal.SIGKILL)
            with open(fifo, "w", encoding="utf-8") as f:
                f.write("go\n")
            wait_gone(before["b/0"]["pid"])
            wait_gone(before["a/0"]["pid"])
            os.kill(droverd, signal.SIGKILL)
            d.wait_notice("READY=1")
            d.connect()
            d.call("wait", select="a", **{"for": "ready"})
            d.call("wait", select="b", **{"for": "exit"})
            after = d.workers("all")
            self.assertEqual(after["b/0"]["exitcode"], 7)
            self.assertEqual(after["b/0"]["state"], "exited")
            self.assertEqual(after["a/0"]["last_exit"]["exitcode"], -9)
            self.assertEqual(after["a/0"]["restarts"], 1)
            self.assertNotEqual(after["a/0"]["pid"], before["a/0"]["pid"])

    def test_the_logger_is_killed(self):
        script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; exit 0"
        with Daemon(pools(a={"command": ["/bin/sh", "-c", script], "workers": 2, "autostart": False,
                             "restart": {"policy": "never"}})) as d:
            d.start()
            number = d.client.send("start", select="a", wait=False)
            d.client.answer(number)
            for _ in range(3):
                pid = d.call("daemon.info")["logger_pid"]
                if pid and is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
                    wait_gone(pid)
            d.call("wait", select="a", **{"for": "exit"})
            for slot in range(2):
                with open(f"{d.place}/log/a/{slot}.stdout.log", encoding="utf-8") as f:
                    self.assertEqual(f.read().splitlines(), [f"line {i}" for i in range(3000)])

    def test_event_numbers_only_grow(self):
        with Daemon(pools(a={"command": FOREVER})) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"})
            watcher = Client(d.path)
            watcher.call("events", since=0)
            first = max(n["params"]["seq"] for n in watcher.notes if n.get("method") == "event")
            watcher.close()
            d.kill_droverd()
            d.call("restart", select="a")
            watcher = Client(d.path)
            watcher.call("events", since=first)
            second = [n["params"]["seq"] for n in watcher.notes if n.get("method") == "event" and "seq" in n["params"]]
            watcher.close()
            self.assertTrue(second)
            self.assertGreater(min(second), first)

    def test_killed_while_stopping(self):
        stubborn = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"]
        with Daemon(pools(a={"command": stubborn, "stop": {"timeout": "1s"}})) as d:
            d.start()
            d.call("wait", select="a", **{"for": "ready"})
            pid = d.call("daemon.info")["pid"]
            d.process.send_signal(signal.SIGTERM)
            d.wait_notice("STOPPING=1")
            os.kill(pid, signal.SIGKILL)
            d.wait_notice("STOPPING=1")
            self.assertEqual(d.process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
