"""Ready by probe, health, watchdogs, stop commands and the notify socket, with the real programs, real servers and
workers that lie, flood, fork and fall silent."""
import os
import signal
import socket
import tempfile
import threading
import unittest

from daemon_util import PATIENCE, Client, Daemon, is_alive, wait_gone

PYTHON = "/usr/bin/python3"
# A worker that says things. `go` waits for a line in the FIFO named by $GO, which is how a test says when.
WORDS = """
import os, signal, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
def say(text): s.send(text.encode())
def go():
    with open(os.environ['GO']) as f: f.read()
"""
SERVER = """
import http.server, os, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sick = os.path.exists(os.environ['SICK'])
        self.send_response(503 if sick else 200)
        self.end_headers()
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
Server(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"""
FAST = {"delay": 0, "jitter": 0}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def words(code, **keys):
    return {"command": [PYTHON, "-c", WORDS + code], "restart": FAST, **keys}


class Story(unittest.TestCase):
    def setUp(self):
        self.d = Daemon()
        self.addCleanup(self.d.__exit__, None, None, None)
        self.go_path = self.d.place + "/go"
        os.mkfifo(self.go_path)
        self.d.start()
        self.events, self.seq = None, 0
        self.listen()
        self.addCleanup(lambda: self.events.close())

    def listen(self):
        if self.events:
            self.events.close()
        self.events = Client(self.d.path)
        self.events.send("events", since=self.seq, follow=True)

    def add(self, name, wait=True, **pool):
        pool["env"] = {"GO": self.go_path, **pool.get("env", {})}
        self.d.call("pool.add", name=name, **pool)
        if wait:
            self.d.call("wait", select=name, timeout=PATIENCE, **{"for": "ready"})
        return self.worker(name)

    def worker(self, name):
        return self.d.workers(name)[name + "/0"]

    def event(self, kind, worker=None):
        """The next event of that kind."""
        while True:
            event = self.events.receive()["params"]
            self.seq = event.get("seq", self.seq)
            if event.get("event") == kind and worker in (None, event.get("worker")):
                return event

    def go(self):
        with open(self.go_path, "w", encoding="utf-8"):
            pass

    def reconnect(self):
        self.d.kill_droverd()
        self.listen()


class Ready(Story):
    def test_by_tcp_and_http(self):
        port = free_port()
        env = {"PORT": str(port), "SICK": self.d.place + "/sick"}
        command = [PYTHON, "-c", SERVER]
        self.add("tcp", command=command, env=env, ready={"tcp": port, "interval": "20ms"})
        self.d.call("stop", select="tcp")
        w = self.add("http", command=command, env=env, ready={"http": f"http://127.0.0.1:{port}/x", "interval": "20ms"})
        self.assertEqual(w["state"], "running")
        with socket.create_connection(("127.0.0.1", port)):
            pass

    def test_by_command_as_the_worker(self):
        out = self.d.place + "/seen"
        check = ["/bin/sh", "-c", f'kill -0 $MAINPID && test -e {self.go_path}.now && echo "$DROVER_NAME $A $(pwd)" > {out}']
        self.add("exec", wait=False, command=["/bin/sleep", "1000000"], directory="/usr", env={"A": "b"},
                 ready={"exec": check, "interval": "20ms"})
        while "not ready yet: /bin/sh exited with code 1" not in self.worker("exec")["note"]:
            pass
        with open(self.go_path + ".now", "w", encoding="utf-8"):
            pass
        self.d.call("wait", select="exec", timeout=PATIENCE, **{"for": "ready"})
        with open(out, encoding="utf-8") as f:
            self.assertEqual(f.read(), "exec/0 b /usr\n")

    def test_never(self):
        port = free_port()
        self.add("never", wait=False, command=["/bin/sleep", "1000000"], restart={"delay": "1h", "max_delay": "2h"},
                 ready={"tcp": port, "interval": "20ms", "timeout": "200ms"})
        end = self.event("worker.exited", "never/0")["data"]
        self.assertEqual(end["cause"],
                         f"not ready in time: connect to 127.0.0.1:{port}: Connection refused, killed by SIGTERM")

    def test_over_the_death_of_droverd(self):
        out = self.d.place + "/checked"
        self.add("exec", wait=False, command=["/bin/sleep", "1000000"],
                 ready={"exec": ["/bin/sh", "-c", f"echo $$ >> {out}; exec sleep 1000000"], "interval": "20ms"})
        while not os.path.exists(out) or not os.path.getsize(out):
            pass
        with open(out, encoding="utf-8") as f:
            first = int(f.readline())
        pid = self.worker("exec")["pid"]
        self.d.kill_droverd()
        wait_gone(first)  # what the life before asked for
        self.assertEqual(self.worker("exec")["pid"], pid)
        self.assertEqual(self.worker("exec")["state"], "starting")
        while True:
            with open(out, encoding="utf-8") as f:
                if len(f.readlines()) > 1:
                    break


class Health(Story):
    def test_a_sick_server_is_restarted(self):
        port, sick = free_port(), self.d.place + "/sick"
        url = f"http://127.0.0.1:{port}/healthz"
        probe = {"http": url, "interval": "30ms"}
        w = self.add("web", command=[PYTHON, "-c", SERVER], env={"PORT": str(port), "SICK": sick}, restart=FAST,
                     ready=probe, health={**probe, "threshold": 2})
        with open(sick, "w", encoding="utf-8"):
            pass
        said = self.event("worker.unhealthy", "web/0")
        self.assertEqual(said["data"]["cause"], f"health check failed: GET {url}: 503 Service Unavailable")
        os.unlink(sick)
        end = self.event("worker.exited", "web/0")
        self.assertEqual(end["data"]["cause"], f"health check failed: GET {url}: 503 Service Unavailable, killed by SIGTERM")
        self.event("worker.running", "web/0")
        after = self.worker("web")
        self.assertNotEqual(after["pid"], w["pid"])
        self.assertEqual(after["restarts"], 1)
        self.assertTrue(after["last_exit"]["cause"].startswith("health check failed: "))
        self.d.kill_droverd()
        self.assertEqual(self.worker("web")["pid"], after["pid"])
        self.assertTrue(self.worker("web")["last_exit"]["cause"].startswith("health check failed: "))

    def test_a_check_that_forks(self):
        """Its whole tree is gone when its time is up."""
        pids = self.d.place + "/pids"
        script = f"sleep 1000000 & echo $! >> {pids}; setsid sleep 1000000 & echo $! >> {pids}; wait"
        self.add("fork", command=["/bin/sleep", "1000000"], restart={"delay": "1h", "max_delay": "2h"},
                 health={"exec": ["/bin/sh", "-c", script], "interval": "20ms", "timeout": "300ms", "threshold": 1})
        said = self.event("worker.unhealthy", "fork/0")
        self.assertEqual(said["data"]["cause"], "health check failed: /bin/sh had not ended after 300ms")
        with open(pids, encoding="utf-8") as f:
            left = [int(line) for line in f]
        self.assertGreaterEqual(len(left), 1)
        for pid in left:
            wait_gone(pid)

    def test_stopping_ends_the_check(self):
        pid_file = self.d.place + "/pid"
        self.add("slow", command=["/bin/sleep", "1000000"],
                 health={"exec": ["/bin/sh", "-c", f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 1000000"],
                         "interval": "20ms", "timeout": "1h"})
        while not os.path.exists(pid_file):
            pass
        with open(pid_file, encoding="utf-8") as f:
            pid = int(f.read())
        self.d.call("stop", select="slow", timeout=PATIENCE)
        wait_gone(pid)
        self.assertEqual(self.d.terminate(), 0)

    def test_hostile_servers(self):
        """One never accepts, one never answers, one answers byte by byte without end, one floods, one hangs up: each
        verdict comes in time, and the daemon answers all the while."""
        ends = threading.Event()
        listeners = []

        def server(talk):
            s = socket.socket()
            s.bind(("127.0.0.1", 0))
            s.listen(1 if talk is None else 64)
            listeners.append(s)

            def run():
                while not ends.is_set():
                    try:
                        c, _ = s.accept()
                    except OSError:
                        return
                    threading.Thread(target=lambda: talk(c), daemon=True).start()
            if talk:
                threading.Thread(target=run, daemon=True).start()
            return s.getsockname()[1]

        def drip(c):
            try:
                for byte in b"HTTP/1.1 2":
                    c.send(bytes([byte]))
                ends.wait()
            except OSError:
                pass

        def flood(c):
            try:
                while not ends.is_set():
                    c.sendall(b"x" * 65536)
            except OSError:
                pass

        silent, dripping, flooding, closing = (server(talk) for talk in (lambda c: ends.wait(), drip, flood, lambda c: c.close()))
        self.addCleanup(lambda: [s.close() for s in listeners])
        self.addCleanup(ends.set)
        for name, port, why in (("silent", silent, "no answer within 100ms"), ("drip", dripping, "no answer within 100ms"),
                                ("flood", flooding, "the answer is not HTTP"),
                                ("close", closing, "closed without an answer|reset by peer")):
            self.add(name, command=["/bin/sleep", "1000000"], restart={"delay": "1h", "max_delay": "2h"},
                     health={"http": f"http://127.0.0.1:{port}/", "interval": "20ms", "timeout": "100ms", "threshold": 2})
            self.assertRegex(self.event("worker.unhealthy", name + "/0")["data"]["cause"], why)
        self.d.call("status")


class Watchdog(Story):
    def test_silence(self):
        self.add("dog", **words("say('READY=1')\nwhile True: time.sleep(1000)", ready="notify", watchdog="200ms"))
        said = self.event("worker.watchdog", "dog/0")
        self.assertEqual(said["data"]["cause"], "watchdog: silent for 200ms")
        end = self.event("worker.exited", "dog/0")["data"]
        self.assertRegex(end["cause"], r"^watchdog: silent for 200ms, killed by SIGABRT( \(core dumped\))?$")
        self.assertEqual(end["exitcode"], -signal.SIGABRT)
        self.event("worker.running", "dog/0")

    def test_trigger_and_environment(self):
        code = """
assert os.environ['WATCHDOG_PID'] == str(os.getpid())
assert os.environ['WATCHDOG_USEC'] == '3600000000'
say('READY=1\\nSTATUS=as it should be')
go()
say('WATCHDOG=trigger')
signal.pause()
"""
        w = self.add("dog", **words(code, ready="notify", watchdog="1h"))
        self.assertEqual(w["status_text"], "as it should be")
        self.go()
        self.assertEqual(self.event("worker.watchdog", "dog/0")["data"]["cause"], "watchdog: triggered by the worker itself")

    def test_over_the_death_of_droverd(self):
        """WATCHDOG_USEC= is remembered; a silent worker is found by the next life."""
        w = self.add("dog", **words("say('WATCHDOG_USEC=400000')\nsay('READY=1')\nsignal.pause()", ready="notify", watchdog="1h"))
        self.reconnect()
        end = self.event("worker.exited", "dog/0")["data"]
        self.assertTrue(end["cause"].startswith("watchdog: silent for 400ms, killed by SIGABRT"), end)
        self.assertEqual(end["pid"], w["pid"])

    def test_pings_keep_it(self):
        code = """
say('READY=1')
for _ in range(12): time.sleep(0.1); say('WATCHDOG=1')
say('STATUS=over'); say('WATCHDOG_USEC=0')
signal.pause()
"""
        w = self.add("dog", **words(code, ready="notify", watchdog="60s"))
        while self.worker("dog")["status_text"] != "over":
            pass
        self.assertEqual(self.worker("dog")["pid"], w["pid"])

    def test_abort_is_followed_by_kill(self):
        code = "signal.signal(signal.SIGABRT, signal.SIG_IGN)\nsay('READY=1')\nwhile True: time.sleep(1000)"
        self.add("deaf", **words(code, ready="notify", watchdog="100ms", stop={"timeout": "100ms"}))
        self.assertEqual(self.event("worker.exited", "deaf/0")["data"]["cause"], "watchdog: silent for 100ms, did not end within 100ms of SIGABRT; killed by SIGKILL")

    def test_a_longer_start(self):
        """Ten times longer than ready.timeout, as long as it goes on saying so."""
        code = """
for _ in range(10):
    say('EXTEND_TIMEOUT_USEC=60000000'); time.sleep(0.1)
say('READY=1'); signal.pause()
"""
        w = self.add("late", **words(code, ready={"notify": True, "timeout": "300ms"}))
        self.assertEqual((w["state"], w["restarts"]), ("running", 0))


class Notify(Story):
    def test_load(self):
        w = self.add("busy", **words("say('READY=1')\nsay('X_DROVER_TASKS=7\\nX_DROVER_BUSY=1')\nsay('STATUS=said')\nsignal.pause()",
                                     ready="notify"))
        while (w := self.worker("busy"))["status_text"] != "said":
            pass
        self.assertEqual((w["busy"], w["tasks_done"]), (True, 7))

    def test_a_child_of_the_worker_speaks_for_it(self):
        """Its grandchild in a session of its own; where there are cgroups, even one that nobody is the parent of."""
        is_orphan = self.d.call("daemon.info")["tree_mode"] == "cgroup"
        code = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        say('READY=1\\nSTATUS=from afar')
        go()
    elif not {is_orphan}: os.wait()
    os._exit(0)
signal.pause()
"""
        self.assertEqual(self.add("far", **words(code, ready="notify"))["status_text"], "from afar")
        self.go()

    def test_strangers_are_not_believed(self):
        w = self.add("prey", **words("say('READY=1')\nsay('STATUS=mine')\nsignal.pause()", ready="notify", watchdog="1h"))
        while self.worker("prey")["status_text"] != "mine":
            pass
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(self.d.path + ".notify")
            for _ in range(200):
                s.send(b"STATUS=stolen\nSTOPPING=1\nWATCHDOG=trigger\nMAINPID=1")
        # One worker speaks for itself, not for another, whatever it says.
        self.add("liar", **words("say('READY=1\\nMAINPID=%d\\nDROVER_NAME=prey/0\\nSTATUS=liar')\nsignal.pause()" % w["pid"],
                                 ready="notify"))
        after = self.worker("prey")
        self.assertEqual((after["pid"], after["state"], after["status_text"]), (w["pid"], "running", "mine"))
        self.assertNotEqual(self.worker("liar")["pid"], w["pid"])

    def test_garbage_and_floods(self):
        """Three workers that never stop talking, with descriptors attached or not; a fourth is watched all the while."""
        flood = """
say('READY=1')
import array
r, wr = os.pipe()
junk = [b'\\0' * 100, b'=', b'READY', b'WATCHDOG=maybe', b'WATCHDOG_USEC=-1', b'STATUS=\\xff\\xfe', b'A=' + b'x' * 5000,
        b'STATUS=' + b'y' * 3000, b'FDSTORE=1\\nFDNAME=x', b'EXTEND_TIMEOUT_USEC=99999999999999999999']
while True:
    for text in junk:
        try:
            s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [r, wr] * 10))])
            s.send(text)
        except OSError: pass
"""
        quiet = """
say('READY=1')
while True:
    say('WATCHDOG=1'); time.sleep(0.2)
"""
        w = self.add("quiet", **words(quiet, ready="notify", watchdog="20s"))
        self.d.call("pool.add", name="flood", workers=3, **words(flood, ready="notify"))
        self.d.call("wait", select="flood", timeout=PATIENCE, **{"for": "ready"})
        for i in range(20):  # starts, ends and timers go on
            self.d.call("run", name=f"n{i}", command=["/bin/true"])
            self.d.call("wait", process=f"n{i}", timeout=PATIENCE)
        self.d.call("stop", select="flood", timeout=PATIENCE)
        after = self.worker("quiet")
        self.assertEqual((after["pid"], after["state"]), (w["pid"], "running"))
        fds = os.listdir(f"/proc/{self.d.call('daemon.info')['pid']}/fd")
        self.assertLess(len(fds), 60)


class StopCommand(Story):
    def test_in_place_of_the_signal(self):
        seen = self.d.place + "/seen"
        code = f"signal.signal(signal.SIGTERM, lambda *_: os._exit(9))\nsay('READY=1')\ngo()\nos._exit(3)"
        w = self.add("asked", **words(code, ready="notify", stop={
            "command": ["/bin/sh", "-c", f"echo $MAINPID $DROVER_NAME > {seen}; : > $GO"], "timeout": "60s"}))
        self.d.call("stop", select="asked", timeout=PATIENCE)
        with open(seen, encoding="utf-8") as f:
            self.assertEqual(f.read(), f"{w['pid']} asked/0\n")
        self.assertEqual(self.worker("asked")["exitcode"], 3)

    def test_its_failure_is_said(self):
        self.add("a", command=["/bin/sleep", "1000000"], stop={"command": ["/bin/false"], "timeout": "60s"})
        self.add("b", command=["/bin/sleep", "1000000"], stop={"command": ["/no/such/thing"], "timeout": "60s"})
        self.add("c", command=["/bin/sleep", "1000000"], stop={"command": ["/bin/sleep", "1000000"], "timeout": "400ms"})
        self.d.call("stop", select="all", timeout=PATIENCE)
        self.assertEqual([self.worker(n)["exitcode"] for n in "abc"], [-signal.SIGTERM] * 3)
        log = self.d.log()
        self.assertIn("a/0: stop command: /bin/false exited with code 1; sending SIGTERM", log)
        self.assertRegex(log, "b/0: stop command: /no/such/thing: .*No such file or directory; sending SIGTERM")
        self.assertIn("c/0: stop command: /bin/sleep had not ended after 200ms; sending SIGTERM", log)

    def test_nothing_helps(self):
        self.add("d", command=["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"],
                 stop={"command": ["/bin/true"], "timeout": "200ms"})
        self.d.call("stop", select="d", timeout=PATIENCE)
        self.assertEqual(self.worker("d")["exitcode"], -signal.SIGKILL)

    def test_over_the_death_of_droverd(self):
        """The command of the life before is ended; the next life asks once more."""
        count = self.d.place + "/count"
        script = f"echo $$ >> {count}; test $(wc -l < {count}) -gt 1 && exec kill -KILL $MAINPID; exec sleep 1000000"
        self.add("s", command=["/bin/sleep", "1000000"], stop={"command": ["/bin/sh", "-c", script], "timeout": "1h"})
        self.d.call("stop", select="s", wait=False)
        while not os.path.exists(count) or not os.path.getsize(count):
            pass
        with open(count, encoding="utf-8") as f:
            first = int(f.readline())
        self.reconnect()
        wait_gone(first)
        self.d.call("wait", select="s", timeout=PATIENCE, **{"for": "stopped"})
        self.assertEqual(self.worker("s")["exitcode"], -signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
