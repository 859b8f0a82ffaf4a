"""Log files through the socket: rotate, clear, since, live bounds, SIGUSR1, and ends that no log can hold up."""
import json
import os
import resource
import signal
import time
import unittest

from daemon_util import PATIENCE, Client, Daemon, Failure


def wait_for(what, text):
    """A file system tells nobody; looking is cheap."""
    end = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > end:
            raise AssertionError(text)
        time.sleep(0.002)


def next_event(client):
    while True:
        m = client.receive()
        if m.get("method") == "event":
            return m["params"]["data"]


def read(name):
    try:
        with open(name, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


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

    def test_a_logger_that_hangs_delays_no_shutdown_for_long(self):
        """The ends of the workers are told after 6 s, the keeper kills the logger after 5 s more."""
        pool = {"command": ["/bin/sh", "-c", "echo one; exec sleep 1000000"], "workers": 3}
        with Daemon({"pools": {"web": pool}}) as d:
            d.start()
            logger = d.call("daemon.info")["logger_pid"]
            os.kill(logger, signal.SIGSTOP)
            begin = time.monotonic()
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(PATIENCE), 0)
            self.assertLess(time.monotonic() - begin, 20)

    def test_sigusr1_reopens(self):
        pool = {"command": ["/bin/sh", "-c", "while read -r line < fifo; do echo $line; done"]}
        with Daemon({"pools": {"web": pool}}) as d:
            pool["directory"] = d.place
            d.write_config({"pools": {"web": pool}})
            os.mkfifo(d.place + "/fifo")
            d.start()
            path = d.place + "/log/web/0.stdout.log"

            def say(text):
                with open(d.place + "/fifo", "w", encoding="utf-8") as f:
                    f.write(text + "\n")

            def has(name, text):
                return read(name) == text

            say("zero")
            wait_for(lambda: has(path, "zero\n"), "no log")
            with open(f"/proc/{d.process.pid}/task/{d.process.pid}/children", encoding="ascii") as f:
                children = f.read().split()
            droverd = d.call("daemon.info")["pid"]
            self.assertIn(str(droverd), children)
            for number, pid in enumerate((d.process.pid, droverd), 1):
                logger = d.call("daemon.info")["logger_pid"]
                old = f"{path}.{number}.moved"
                os.rename(path, old)
                os.kill(pid, signal.SIGUSR1)
                wait_for(lambda old=old: all(os.path.realpath(f"/proc/{logger}/fd/{fd}") != old for fd in
                                             os.listdir(f"/proc/{logger}/fd")), "the old file is still open")
                say(f"line {number}")
                wait_for(lambda number=number: has(path, f"line {number}\n"), "not reopened")
                self.assertTrue(has(old, "zero\n" if number == 1 else "line 1\n"))
                self.assertEqual(d.call("daemon.info")["logger_pid"], logger)

    def test_a_full_disk_is_told(self):
        """Of what is dropped droverd hears at the beginning and at the end, also one that was not there meanwhile."""
        pool = {"command": ["/bin/sh", "-c", "while :; do while read -r line; do echo $line; done < fifo; done"],
                "output": {"to": "log", "on_full": "drop"}}
        with Daemon({"pools": {"web": pool}}) as d:
            pool["directory"] = d.place
            d.write_config({"pools": {"web": pool}})
            os.mkfifo(d.place + "/fifo")
            d.start()
            path = d.place + "/log/web/0.stdout.log"

            def say(text):
                with open(d.place + "/fifo", "w", encoding="utf-8") as f:
                    f.write(text + "\n")

            say("kept")
            wait_for(lambda: os.path.exists(path) and os.path.getsize(path) == 5, "no log")
            info = d.call("daemon.info")
            events = Client(d.path)
            events.send("events", types=["log.dropped"], since=0, follow=True)
            resource.prlimit(info["logger_pid"], resource.RLIMIT_FSIZE, (5, resource.RLIM_INFINITY))
            say("lost")
            data = next_event(events)
            self.assertEqual((data["stream"], data["is_over"], data["reason"]), ("stdout", False, "File too large"))
            events.close()
            os.kill(info["pid"], signal.SIGSTOP)  # it does not read its line, and dies
            say("lost too")
            os.kill(info["pid"], signal.SIGKILL)
            resource.prlimit(info["logger_pid"], resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            wait_for(lambda: "dropped" in read(path), "the file does not tell")
            d.connect_again()
            events = Client(d.path)
            events.send("events", types=["log.dropped"], since=0, follow=True)
            while True:
                data = next_event(events)
                if data["is_over"]:
                    break
            self.assertIn((data["lines"], data["bytes"]), ((2, 14), (1, 5)))  # the second may come in time
            events.close()

    def test_bounds_live_over_a_kill_of_droverd(self):
        """What was applied to a running worker is the keeper's to remember, and the logger's over its own death."""
        pool = {"command": ["/bin/sh", "-c", "while :; do while read -r line; do echo $line; done < fifo; done"],
                "output": {"to": "log", "max_size": "1G"}}
        with Daemon({"pools": {"web": pool}}) as d:
            pool["directory"] = d.place
            d.write_config({"pools": {"web": pool}})
            os.mkfifo(d.place + "/fifo")
            d.start()
            path = d.place + "/log/web/0.stdout.log"
            d.call("wait", **{"select": "web", "for": "ready"})
            worker = d.call("status")["pools"][0]["workers"][0]["pid"]
            pool["output"] = {"to": "log", "max_size": "4K", "max_files": 2, "compress": "gzip"}
            d.write_config({"pools": {"web": pool}})
            d.call("config.apply")
            info = d.call("daemon.info")
            os.kill(info["pid"], signal.SIGKILL)
            os.kill(info["logger_pid"], signal.SIGKILL)
            d.connect_again()
            with open(d.place + "/fifo", "w", encoding="utf-8") as f:
                f.write(("x" * 99 + "\n") * 200)
            wait_for(lambda: os.path.exists(path + ".2.gz") and not os.path.exists(path + ".1"), "not rotated or packed")
            self.assertFalse(os.path.exists(path + ".3.gz"))
            self.assertEqual(d.call("status")["pools"][0]["workers"][0]["pid"], worker)

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
