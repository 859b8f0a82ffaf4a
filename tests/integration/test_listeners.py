"""What listens to events: hooks and metrics, with the real programs and, where it is installed, the real promtool."""
import json
import os
import shutil
import subprocess
import unittest

from daemon_util import Daemon, Failure

# Adds what a hook is told to a file, whole lines only; then opens the FIFO in $1, if any: somebody reads there when it is to end.
TELL = ('{ printf "%s %s %s " "$DROVER_HOOK" "$DROVER_EVENT" "$DROVER_NAME"; printf "%s " "$DROVER_EVENT_COUNT"; cat; } >>"$0"; '
        'echo done >"$1"')


def hook(d, events, **keys):
    """A hook that writes to told and then waits for a reader of the FIFO."""
    fifo = d.place + "/fifo"
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    return {"events": events, "command": ["/bin/sh", "-c", TELL, d.place + "/told", fifo], "min_interval": "0s", **keys}


def await_run(d):
    with open(d.place + "/fifo", encoding="utf-8") as f:
        f.read()


def told(d):
    with open(d.place + "/told", encoding="utf-8") as f:
        return [line.split(" ", 4) for line in f]


class Hooks(unittest.TestCase):
    def test_a_hook_is_told_the_event(self):
        with Daemon() as d:
            d.write_config({"pools": {"a": {"command": ["/bin/sh", "-c", "exit 3"], "restart": "never"}},
                            "hooks": {"h": hook(d, ["worker.ex*"])}})
            d.start()
            await_run(d)
            (name, event, worker, count, text), = told(d)
            self.assertEqual((name, event, worker, count), ("h", "worker.exited", "a/0", "1"))
            self.assertEqual(json.loads(text)["data"]["exitcode"], 3)
            self.assertEqual(json.loads(text)["event"], "worker.exited")

    def test_other_pools_and_events_call_nothing(self):
        with Daemon() as d:
            d.write_config({"pools": {"a": {"command": ["/bin/true"], "restart": "never"},
                                      "b": {"command": ["/bin/true"], "restart": "never", "autostart": False}},
                            "hooks": {"h": hook(d, ["worker.exited"], pools=["b*"])}})
            d.start()
            d.call("wait", select="a")
            d.call("start", select="b")
            await_run(d)
            self.assertEqual([t[2] for t in told(d)], ["b/0"])

    def test_a_storm_is_counted(self):
        with Daemon() as d:
            d.write_config({"pools": {"a": {"command": ["/bin/true"], "workers": 20, "autostart": False, "restart": "never"}},
                            "hooks": {"h": hook(d, ["worker.exited"])}})
            d.start()
            d.call("start", select="a", wait=False)
            d.call("wait", select="a")
            n = 0
            while n < 20:  # each run waits for us, so the others are counted meanwhile
                await_run(d)
                n = sum(int(t[3]) for t in told(d))
            self.assertEqual(n, 20)
            self.assertLess(len(told(d)), 20)

    def test_a_hook_that_hangs_is_killed_and_said(self):
        with Daemon() as d:
            d.write_config({"pools": {"a": {"command": ["/bin/true"], "restart": "never"}},
                            "hooks": {"h": {"events": ["worker.exited"], "command": ["/bin/sleep", "1000000"], "timeout": "50ms"},
                                      "gone": {"events": ["worker.exited"], "command": ["/nonexistent/hook"]}}})
            d.start()
            d.connect()
            number = d.client.send("events", types=["hook.failed"], since=0, follow=True)
            causes = {}
            while len(causes) < 2:
                note = d.client.receive()
                self.assertEqual(note["params"]["call"], number)
                data = note["params"]["data"]
                causes[data["hook"]] = data["cause"]
            self.assertIn("had not ended after 50ms", causes["h"])
            self.assertIn("No such file or directory", causes["gone"])

    def test_the_last_events_are_told_before_the_end(self):
        with Daemon() as d:
            d.write_config({"pools": {"a": {"command": ["/bin/sleep", "1000000"]}},
                            "hooks": {"h": {"events": ["worker.stopped", "daemon.stopping"], "min_interval": "1h",
                                            "command": ["/bin/sh", "-c", 'echo "$DROVER_EVENT" "$DROVER_EVENT_COUNT" >>"$0"',
                                                        d.place + "/told"]}}})
            d.start()
            self.assertEqual(d.terminate(), 0)
            self.assertEqual(sum(int(t[1]) for t in told(d)), 2)
            self.assertEqual(told(d)[-1][0], "worker.stopped")


class Metrics(unittest.TestCase):
    def test_promtool_takes_both_ways(self):
        with Daemon() as d:
            path = d.place + "/drover.prom"
            d.write_config({"pools": {"a": {"command": ["/bin/sleep", "1000000"], "workers": 2}}, "metrics_file": path,
                            "metrics_interval": "1s"})
            d.start()
            d.call("start", select="a")
            text = d.call("daemon.metrics")["text"]
            self.assertIn('drover_pool_size{pool="a"} 2\n', text)
            self.assertIn('drover_worker_up{pool="a",worker="a/1"} 1\n', text)
            self.assertTrue(text.endswith("# EOF\n"))
            strict = d.call("daemon.metrics", format="openmetrics")["text"]
            self.assertIn("# TYPE drover_worker_restarts counter\n", strict)
            with self.assertRaises(Failure):
                d.call("daemon.metrics", format="xml")
            while not os.path.exists(path):
                d.call("status")
            with open(path, encoding="utf-8") as f:
                file_text = f.read()
            if not shutil.which("promtool"):
                self.skipTest("no promtool here: package prometheus")
            for t in (text, file_text):
                r = subprocess.run(["promtool", "check", "metrics"], input=t, capture_output=True, text=True, check=False)
                self.assertEqual((r.returncode, r.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
