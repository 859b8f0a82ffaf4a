"""Log files through the socket: rotate, clear, since, live bounds, SIGUSR1, and ends that no log can hold up."""
import json
import os
import signal
import time
import unittest

from daemon_util import PATIENCE, Daemon, Failure



def wait_for(what, text):
    """A file system tells nobody; looking is cheap."""
    end = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > end:
            raise AssertionError(text)
        time.sleep(0.002)


class Logs(unittest.TestCase):
    def lines(self, d, **more):
        number = d.client.send("logs", select="web", **more)
        found = []
        while True:
            m = d.client.receive()
            if m.get("id") == number:
                self.assertIn("result", m)
                return found
            if m.get("method") == "log":
                found.append(m["params"]["line"])

    def test_rotate_clear_since_and_bounds(self):
        pool = {"command": ["/bin/sh", "-c", "echo one; exec sleep 1000000"], "output": {"to": "log", "format": "json"}}
        with Daemon({"pools": {"web": pool}}) as d:
            d.start()
            path = d.place + "/log/web/0.stdout.log"
            wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "no log")
            with open(path) as f:
                line = json.loads(f.read())
            self.assertEqual((line["worker"], line["stream"], line["line"]), ("web/0", "stdout", "one"))
            self.assertEqual(self.lines(d), ["one"])
            self.assertEqual(self.lines(d, since="1h"), ["one"])
            self.assertEqual(self.lines(d, since="2200-01-01T00:00:00Z"), [])
            self.assertEqual(self.lines(d, stream="stderr"), [])
            with self.assertRaises(Failure):
                d.call("logs", select="web", since="yesterday")
            self.assertEqual(d.call("logs.rotate", select="web"), {"logs": 1})
            self.assertTrue(os.path.exists(path + ".1"))
            pool["output"]["compress"] = "gzip"
            pid = d.call("status")["pools"][0]["workers"][0]["pid"]
            d.write_config({"pools": {"web": pool}})
            d.call("config.apply")
            wait_for(lambda: os.path.exists(path + ".1.gz") and not os.path.exists(path + ".1"), "not compressed")
            self.assertEqual(d.call("status")["pools"][0]["workers"][0]["pid"], pid)
            self.assertEqual(self.lines(d), ["one"])
            self.assertEqual(d.call("logs.clear", select="web"), {"logs": 1})
            self.assertFalse(os.path.exists(path + ".1.gz"))
            self.assertEqual(self.lines(d), [])

    def test_a_logger_that_hangs_delays_no_stop_for_long(self):
        pool = {"command": ["/bin/sleep", "1000000"]}
        with Daemon({"pools": {"web": pool}}) as d:
            d.start()
            logger = d.call("daemon.info")["logger_pid"]
            os.kill(logger, signal.SIGSTOP)
            try:
                begin = time.monotonic()
                d.call("stop", select="web")
                self.assertLess(time.monotonic() - begin, 9)
            finally:
                os.kill(logger, signal.SIGCONT)

    @unittest.skipIf(os.path.exists("/run/systemd/journal/socket"), "there is a journald")
    def test_a_journal_that_is_not_there_delays_no_stop_for_long(self):
        pool = {"command": ["/bin/sh", "-c", "echo lost; exec sleep 1000000"], "output": "journal"}
        with Daemon({"pools": {"web": pool}}) as d:
            d.start()
            wait_for(lambda: "cannot be written" in d.log(), "the logger says nothing")
            begin = time.monotonic()
            d.call("stop", select="web")
            self.assertLess(time.monotonic() - begin, 3)


if __name__ == "__main__":
    unittest.main()
