"""Order of pools, their size, and workers that are paused or replaced, with the real programs. A worker is told by the
test, through a FIFO, when to be ready and what to say; order is proven by the daemon's own numbered events."""
import os
import signal
import socket
import sys
import time
import unittest

from daemon_util import PATIENCE, Daemon, Failure, is_alive, state_of

PYTHON = sys.executable
# Ready, busy, ... as the lines of the FIFO say: each is sent to $NOTIFY_SOCKET as it is. The FIFO is held open both ways,
# so that nothing is lost between two writers; after DEAF the rest is for the next process.
TOLD = """
import os, signal, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
fd = os.open(sys.argv[1] + "." + os.environ["DROVER_NAME"].replace("/", "-"), os.O_RDWR)
while True:
    words = os.read(fd, 4096).decode().splitlines()
    if "DEAF" in words:
        os.close(fd)
    for word in words:
        if word != "DEAF":
            s.send(word.encode())
    while "DEAF" in words:
        signal.pause()
"""


class House(Daemon):
    """A daemon whose workers wait for a word."""

    def told(self, **keys):
        return {"command": [PYTHON, "-c", TOLD, self.place + "/say"], "ready": "notify", "stop": {"timeout": "5s"}, **keys}

    def fifos(self, *workers):
        for name in workers:
            os.mkfifo(f"{self.place}/say.{name.replace('/', '-')}")

    def say(self, worker, *words):
        with open(f"{self.place}/say.{worker.replace('/', '-')}", "w", encoding="utf-8") as f:
            f.write("\n".join(words) + "\n")

    def ready(self, *workers):
        for name in workers:
            self.say(name, "READY=1")
            self.call("wait", select=name, timeout=PATIENCE, **{"for": "ready"})

    def history(self, *kinds):
        """[(kind, worker or pool)...] of all that has happened so far."""
        number = self.client.send("events", since=0, follow=False)
        self.client.notes.clear()
        self.client.answer(number)
        events = [n["params"] for n in self.client.notes if n["method"] == "event"]
        return [(e["event"], e.get("worker", e.get("pool"))) for e in events if e["event"] in kinds]

    def follow(self, kind, since, subject=None):
        """The first event of that kind with a higher number; waits for it."""
        other = type(self.client)(self.path)
        try:
            other.send("events", since=since, types=[kind], follow=True)
            while True:
                e = other.receive().get("params", {})
                if e.get("event") == kind and subject in (None, e.get("worker"), e.get("pool")):
                    return e
        finally:
            other.close()

    def note(self, worker):
        return self.workers(worker)[worker]["note"]

    def state(self, worker):
        return self.workers(worker)[worker]["state"]


def in_time(question, what):
    """Something the kernel or a program does soon, and tells nobody of."""
    end = time.monotonic() + PATIENCE
    while not question():
        if time.monotonic() > end:
            raise AssertionError(what)
        os.sched_yield()


class Order(unittest.TestCase):
    def chain(self, d):
        d.write_config({"pools": {"a": d.told(requires=["b"]), "b": d.told(requires=["c"]), "c": d.told()}})
        d.fifos("a/0", "b/0", "c/0")
        return d.start()

    def test_a_chain_waits_for_ready(self):
        with House() as d:
            self.chain(d)
            self.assertEqual([d.note(f"{p}/0") for p in "ab"], ["waits for b", "waits for c"])
            self.assertEqual(d.call("status", select="a")["pools"][0]["state"], "starting")
            d.ready("c/0")
            self.assertEqual(d.note("a/0"), "waits for b")
            d.ready("b/0", "a/0")
            d.terminate()

    def test_the_order_of_a_shutdown(self):
        with House() as d:
            self.chain(d)
            d.ready("c/0", "b/0", "a/0")
            d.call("stop", select="all", timeout=PATIENCE)
            self.assertEqual(d.history("worker.stopping", "worker.exited"),
                             [(kind, f"{p}/0") for p in "abc" for kind in ("worker.stopping", "worker.exited")])

    def test_a_diamond(self):
        with House() as d:
            d.write_config({"pools": {"base": d.told(), "left": d.told(requires=["base"]), "right": d.told(after=["base"]),
                                      "top": d.told(requires=["left", "right"])}})
            d.fifos("base/0", "left/0", "right/0", "top/0")
            d.start()
            d.ready("base/0", "right/0")
            self.assertEqual(d.note("top/0"), "waits for left")
            d.ready("left/0", "top/0")
            d.call("stop", select=["base", "right"], timeout=PATIENCE)
            order = d.history("worker.stopping", "worker.stopped")
            self.assertEqual(order[:2], [("worker.stopping", "top/0"), ("worker.stopped", "top/0")])
            self.assertEqual(sorted(order[2:4])[0][0], "worker.stopping")  # left and right: in any order, side by side
            self.assertEqual(order[-2:], [("worker.stopping", "base/0"), ("worker.stopped", "base/0")])

    def test_a_required_pool_that_fails(self):
        with House() as d:
            missing = {"command": ["/nonexistent/db"], "restart": {"policy": "never"}}
            d.write_config({"pools": {"db": missing, "web": d.told(requires=["db"])}})
            d.fifos("web/0", "db/0")
            d.start()
            with self.assertRaises(Failure) as caught:
                d.call("start", select="web", timeout=0.2)
            self.assertIn("waits for db, which failed", str(caught.exception))
            self.assertEqual(d.note("web/0"), "waits for db, which failed")
            d.write_config({"pools": {"db": d.told(), "web": d.told(requires=["db"])}})
            d.call("config.apply")
            d.call("start", select="db", wait=False)
            d.ready("db/0", "web/0")  # by itself
            os.kill(d.workers("db")["db/0"]["pid"], signal.SIGKILL)
            self.assertEqual(d.state("web/0"), "running")

    def test_stop_takes_dependents_along_and_start_brings_them_back(self):
        with House() as d:
            self.chain(d)
            d.ready("c/0", "b/0", "a/0")
            answer = d.call("stop", select="b", timeout=PATIENCE)
            self.assertEqual([w["name"] for w in answer["workers"]], ["b/0", "a/0"])
            self.assertEqual(d.state("c/0"), "running")
            d.kill_droverd()
            number = d.client.send("start", select="b", timeout=PATIENCE)
            other = type(d.client)(d.path)
            d.client, mine = other, d.client
            d.ready("b/0", "a/0")
            d.client = mine
            other.close()
            self.assertEqual([w["state"] for w in d.client.answer(number)["workers"]], ["running", "running"])

    def test_required_ones_are_started(self):
        with House() as d:
            d.write_config({"pools": {"db": d.told(autostart=False), "web": d.told(requires=["db"], autostart=False)}})
            d.fifos("db/0", "web/0")
            d.start()
            self.assertEqual(d.state("db/0"), "created")
            d.call("start", select="web", wait=False)
            d.ready("db/0", "web/0")

    def test_circles_and_strangers_are_refused(self):
        with House() as d:
            d.start()
            sleeper = {"command": ["/bin/sleep", "1000000"]}
            for keys, text in (({"requires": ["nobody"]}, 'there is no pool "nobody"'), ({"after": ["x"]}, "itself")):
                with self.assertRaises(Failure) as caught:
                    d.call("pool.add", name="x", **sleeper, **keys)
                self.assertIn(text, str(caught.exception))
            d.call("pool.add", name="x", **sleeper)
            d.call("pool.add", name="y", **sleeper, requires=["x"])
            with self.assertRaises(Failure) as caught:
                d.call("pool.remove", pool="x")
            self.assertIn("x is required by y", str(caught.exception))
            d.call("pool.remove", pool="y")
            d.call("pool.remove", pool="x")

    def test_a_death_in_between(self):
        with House() as d:
            self.chain(d)
            d.ready("c/0")
            d.kill_droverd()
            self.assertEqual(d.note("a/0"), "waits for b")
            d.ready("b/0")
            d.kill_droverd()
            d.ready("a/0")

    def test_a_death_in_the_middle_of_a_stop(self):
        with House() as d:
            stubborn = ["/bin/sh", "-c", "trap '' TERM; echo >&3; while :; do sleep 1000; done"]
            d.write_config({"pools": {"db": {"command": ["/bin/sleep", "1000000"]},
                                      "web": {"command": stubborn, "ready": {"fd": 3}, "requires": ["db"], "stop": {"timeout": "600ms"}}}})
            d.start()
            d.call("wait", select="all", timeout=PATIENCE, **{"for": "ready"})
            d.call("stop", select="all", wait=False)
            self.assertEqual(d.note("db/0"), "stops after web")
            d.kill_droverd()
            d.call("wait", select="all", timeout=PATIENCE, **{"for": "stopped"})
            ends = d.history("worker.stopped")
            self.assertEqual([w for _, w in ends], ["web/0", "db/0"])

    def test_a_stop_always_ends(self):
        with House() as d:
            stubborn = {"command": ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"], "stop": {"timeout": "100ms"}}
            d.write_config({"pools": {"a": {**stubborn, "requires": ["b"]}, "b": {**stubborn, "after": ["c"]}, "c": stubborn}})
            d.start()
            d.call("wait", select="all", timeout=PATIENCE, **{"for": "ready"})
            self.assertEqual(d.terminate(), 0)


class Size(unittest.TestCase):
    # Accepts one connection after the other, each until its other end is closed; says READY=1.
    SERVER = """
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"READY=1")
listener = socket.socket(fileno=3)
while True:
    c, _ = listener.accept()
    c.send(os.environ["DROVER_NAME"].encode())
    c.recv(1)
    c.close()
"""

    def resized(self, d, to):
        """Waits until the pool p has got that size."""
        since = 0
        while True:
            e = d.follow("pool.resized", since, "p")
            if e["data"]["to"] == to:
                return e["data"]["reason"]
            since = e["seq"]

    def test_busy_workers_and_idle_ones(self):
        with House() as d:
            d.write_config({"pools": {"p": d.told(workers={"min": 1, "max": 3, "idle_timeout": "300ms"})}})
            d.fifos("p/0", "p/1", "p/2")
            d.start()
            d.ready("p/0")
            d.say("p/0", "X_DROVER_BUSY=1")
            self.assertEqual(self.resized(d, 2), "busy")
            d.ready("p/1")
            d.say("p/1", "X_DROVER_BUSY=1")
            self.assertEqual(self.resized(d, 3), "busy")
            d.ready("p/2")
            d.say("p/2", "X_DROVER_BUSY=1")
            d.kill_droverd()
            self.assertEqual(d.call("status", select="p")["pools"][0]["size"], 3)
            for name in ("p/2", "p/1", "p/0"):
                d.say(name, "X_DROVER_BUSY=0")
            self.assertEqual(self.resized(d, 1), "idle")
            d.call("wait", select="p", timeout=PATIENCE, **{"for": "ready"})
            self.assertEqual(d.call("status", select="p")["pools"][0]["size"], 1)

    def test_scale_is_a_floor(self):
        with House() as d:
            d.write_config({"pools": {"p": {"command": ["/bin/sleep", "1000000"],
                                            "workers": {"min": 1, "max": 4, "idle_timeout": "200ms"}}}})
            d.start()
            d.call("scale", pool="p", workers=3, timeout=PATIENCE)
            d.kill_droverd()
            d.call("scale", pool="p", workers=2, timeout=PATIENCE)
            self.assertEqual(len(d.workers("p")), 2)
            d.call("pool.add", name="other", command=["/bin/sleep", "1000000"],
                   workers={"min": 1, "max": 4, "idle_timeout": "200ms"})
            d.call("start", select="other", timeout=PATIENCE)
            d.call("scale", pool="p", workers=1, timeout=PATIENCE)
            self.assertEqual(len(d.workers("p")), 1)
            self.assertEqual(d.history("pool.resized"), [])

    def test_the_queue_of_a_socket_and_down_to_zero(self):
        with House() as d:
            path = d.place + "/p.sock"
            d.write_config({"pools": {"p": {"command": [PYTHON, "-c", self.SERVER], "ready": "notify", "on_demand": True,
                                            "listen": {"main": path},
                                            "workers": {"min": 0, "max": 3, "idle_timeout": "300ms"}}}})
            d.start()
            self.assertEqual(d.call("status", select="p")["pools"][0]["size"], 0)
            clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
            for c in clients:
                c.settimeout(PATIENCE)
                c.connect(path)
            # Each worker serves one: all three are answered only when the pool has grown to three.
            self.assertEqual(sorted(c.recv(100) for c in clients), [b"p/0", b"p/1", b"p/2"])
            for c in clients:
                c.close()
            self.assertEqual(self.resized(d, 0), "idle")
            d.follow("worker.stopped", 0, "p/0")
            again = socket.socket(socket.AF_UNIX)
            again.settimeout(PATIENCE)
            again.connect(path)
            self.assertEqual(again.recv(100), b"p/0")
            again.close()


class Recycle(unittest.TestCase):
    def test_the_younger_one_is_ready_first(self):
        with House() as d:
            d.write_config({"pools": {"p": d.told(recycle={"tasks": 10, "jitter": 0})}})
            d.fifos("p/0")
            d.start()
            d.ready("p/0")
            old = d.workers("p")["p/0"]["pid"]
            d.say("p/0", "X_DROVER_TASKS=9")
            d.say("p/0", "X_DROVER_TASKS=10", "DEAF")
            e = d.follow("worker.recycled", 0)
            self.assertEqual((e["data"]["reason"], e["data"]["pid"]), ("tasks", old))
            young = d.follow("worker.starting", e["seq"])["data"]["pid"]
            self.assertTrue(is_alive(old))
            d.kill_droverd()
            self.assertTrue(is_alive(old) and is_alive(young))
            d.say("p/0", "READY=1")
            d.call("wait", select="p", timeout=PATIENCE, **{"for": "ready"})
            end = d.follow("worker.exited", e["seq"])
            self.assertEqual(end["data"]["pid"], old)
            worker = d.workers("p")["p/0"]
            self.assertEqual((worker["pid"], worker["tasks_done"]), (young, 0))

    def test_memory_of_the_whole_tree(self):
        """Its child is what is big."""
        big = "import signal; b = bytearray(64 << 20); b[::4096] = b'x' * len(b[::4096]); signal.pause()"
        with House() as d:
            d.write_config({"pools": {
                "big": {"command": ["/bin/sh", "-c", f'{PYTHON} -c "$0" & wait', big], "recycle": {"memory": "48M", "jitter": 0}},
                "small": {"command": ["/bin/sleep", "1000000"], "recycle": {"memory": "48M", "jitter": 0}}}})
            d.start()
            d.call("wait", select="all", timeout=PATIENCE, **{"for": "ready"})
            pid = d.workers("big")["big/0"]["pid"]
            e = d.follow("worker.recycled", 0)
            self.assertEqual((e["worker"], e["data"]["reason"], e["data"]["pid"]), ("big/0", "memory", pid))
            end = d.follow("worker.exited", e["seq"], "big/0")["data"]
            self.assertEqual((end["pid"], end["cause"]), (pid, "replaced for its memory, killed by SIGTERM"))

    def test_age_and_a_younger_one_that_fails(self):
        """Replaced by age; one whose successor cannot start stays, and is not replaced again at once."""
        with House() as d:
            flag = d.place + "/flag"
            once = ["/bin/sh", "-c", f"[ -e {flag} ] && exit 1; : > {flag}; exec sleep 1000000"]
            d.write_config({"pools": {
                "old": {"command": ["/bin/sleep", "1000000"], "recycle": {"age": "300ms", "jitter": 0}},
                "bad": {"command": once, "recycle": {"age": "300ms", "jitter": 0}, "start_for": "100ms"}}})
            d.start()
            d.call("wait", select="all", timeout=PATIENCE, **{"for": "ready"})
            pid = d.workers("bad")["bad/0"]["pid"]
            e = d.follow("worker.recycled", 0, "bad/0")
            self.assertEqual((e["data"]["reason"], e["data"]["pid"]), ("age", pid))
            end = d.follow("worker.exited", e["seq"], "bad/0")
            self.assertNotEqual(end["data"]["pid"], pid)
            for _ in range(3):  # the other pool tells how time goes by
                e = d.follow("worker.recycled", e["seq"], "old/0")
            self.assertEqual(d.history("worker.recycled").count(("worker.recycled", "bad/0")), 1)
            d.kill_droverd()
            worker = d.workers("bad")["bad/0"]
            self.assertEqual((worker["state"], worker["pid"]), ("running", pid))

    def test_why_it_gave_way_survives(self):
        with House() as d:
            d.write_config({"pools": {"p": {"command": ["/bin/sh", "-c", "trap '' TERM; exec sleep 1000000"], "stop": {"timeout": "1s"},
                                            "recycle": {"age": "300ms", "jitter": 0}}}})
            d.start()
            e = d.follow("worker.recycled", 0)
            d.follow("worker.running", e["seq"])  # with that the old one was asked to stop, which it does not hear
            d.kill_droverd()
            end = d.follow("worker.exited", e["seq"])["data"]
            self.assertEqual(end["pid"], e["data"]["pid"])
            self.assertRegex(end["cause"], "^replaced for its age, ")

    # Answers each connection at once; at SIGTERM it finishes the one in hand and takes no other.
    BUSY_SERVER = """
import os, select, signal, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
read_end, write_end = os.pipe()
os.set_blocking(write_end, False)
signal.set_wakeup_fd(write_end)
signal.signal(signal.SIGTERM, lambda *_: None)
listener = socket.socket(fileno=3)
listener.setblocking(False)
s.send(b"READY=1")
n = 0
while read_end not in select.select([listener, read_end], [], [])[0]:
    try:
        c, _ = listener.accept()
    except BlockingIOError:
        continue
    c.send(os.environ["DROVER_NAME"].encode())
    c.close()
    n += 1
    s.send(b"X_DROVER_TASKS=%d" % n)
"""

    def test_under_load_nobody_is_refused(self):
        with House() as d:
            path = d.place + "/p.sock"
            d.write_config({"pools": {"p": {"command": [PYTHON, "-c", self.BUSY_SERVER], "ready": "notify", "workers": 2,
                                            "listen": {"main": path}, "recycle": {"tasks": 40, "jitter": 0.5}}}})
            d.start()
            d.call("wait", select="p", timeout=PATIENCE, **{"for": "ready"})
            served = 0
            while served % 20 > 0 or len(d.history("worker.recycled")) < 4:
                with socket.socket(socket.AF_UNIX) as c:
                    c.settimeout(PATIENCE)
                    c.connect(path)
                    self.assertIn(c.recv(100), (b"p/0", b"p/1"))
                served += 1


class Pause(unittest.TestCase):
    COUNT = ["/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > $0; done"]

    def number(self, path):
        try:
            with open(path, encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stands_still(self, path):
        """Unchanged over a time in which it would have counted on many times over."""
        before, end = self.number(path), time.monotonic() + 0.05
        while time.monotonic() < end:
            if self.number(path) != before:
                return False
        return True

    def test_pause_and_resume(self):
        with House() as d:
            path = d.place + "/count"
            d.write_config({"pools": {"n": {"command": [*self.COUNT, path]}}})
            d.start()
            d.call("wait", select="n", timeout=PATIENCE, **{"for": "ready"})
            in_time(lambda: self.number(path), "it never counted")
            answer = d.call("pause", select="n")
            self.assertTrue(answer["workers"][0]["paused"])
            self.assertTrue(self.stands_still(path), "it ran on after the answer")
            pid = answer["workers"][0]["pid"]
            d.kill_droverd()
            self.assertTrue(d.workers("n")["n/0"]["paused"])
            self.assertEqual(d.note("n/0"), "paused")
            self.assertTrue(self.stands_still(path))
            self.assertFalse(d.call("resume", select="n")["workers"][0]["paused"])
            in_time(lambda: not self.stands_still(path), "it was not thawed")
            self.assertEqual(d.workers("n")["n/0"]["pid"], pid)
            d.call("pause", select="n")
            d.call("stop", select="n", timeout=PATIENCE)
            self.assertFalse(is_alive(pid))
            self.assertEqual(d.workers("n")["n/0"]["last_exit"]["exitcode"], -signal.SIGTERM)
            with self.assertRaises(Failure) as caught:
                d.call("pause", select="n")
            self.assertIn("n/0 is stopped", str(caught.exception))

    # It keeps forking: the answer comes when what was forked meanwhile stands still, too.
    FORKS = ["sh", "-c", "while :; do sh -c 'echo $$ >\"$0\"' \"$0\"; done"]

    def test_the_answer_comes_when_all_stand_still(self):
        with House() as d:
            path = d.place + "/last"
            d.write_config({"pools": {"n": {"command": [*self.FORKS, path]}}})
            d.start()
            d.call("wait", select="n", timeout=PATIENCE, **{"for": "ready"})
            in_time(lambda: self.number(path), "it never forked")
            for _ in range(5):
                self.assertTrue(d.call("pause", select="n")["workers"][0]["paused"])
                self.assertTrue(self.stands_still(path), "it ran on after the answer")
                before = self.number(path)
                self.assertFalse(d.call("resume", select="n")["workers"][0]["paused"])
                in_time(lambda: self.number(path) != before, "it was not thawed")

    # posix_spawn() waits in the kernel for its child, which waits to open a FIFO: SIGSTOP has no effect there.
    SPAWNS = ("import os, sys; "
              "os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]); "
              "os.read(os.open(sys.argv[1], os.O_RDONLY), 1)")

    def test_what_sits_in_the_kernel(self):
        with House() as d:
            fifo = d.place + "/fifo"
            os.mkfifo(fifo, 0o666)
            d.write_config({"pools": {"n": {"command": [PYTHON, "-c", self.SPAWNS, fifo], "stop": {"timeout": "100ms"}}}})
            d.start()
            pid = d.call("wait", select="n", timeout=PATIENCE, **{"for": "ready"})["workers"][0]["pid"]
            in_time(lambda: state_of(pid) == "D", "it does not wait for its child")
            self.assertTrue(d.call("pause", select="n")["workers"][0]["paused"])
            self.assertFalse(d.call("resume", select="n")["workers"][0]["paused"])
            with open(fifo, "wb"):
                in_time(lambda: state_of(pid) != "D", "it is not thawed")

    def test_a_pause_that_is_not_in_time(self):
        with House() as d:
            d.write_config({"pools": {"n": {"command": ["/bin/sleep", "1000000"]}}})
            d.start()
            d.call("wait", select="n", timeout=PATIENCE, **{"for": "ready"})
            keeper = d.call("daemon.info")["keeper_pid"]
            os.kill(keeper, signal.SIGSTOP)
            try:
                with self.assertRaises(Failure) as caught:
                    d.call("pause", select="n", timeout=0.1)
                self.assertIn("not paused within 100ms: n/0 is running (pausing)", str(caught.exception))
                number = d.client.send("pause", select="n")
            finally:
                os.kill(keeper, signal.SIGCONT)
            self.assertTrue(d.client.answer(number)["workers"][0]["paused"])
            self.assertEqual([k for k, _ in d.history("worker.paused")], ["worker.paused"])

    def test_kill_reaches_the_frozen(self):
        with House() as d:
            d.write_config({"pools": {"n": {"command": ["/bin/sleep", "1000000"], "restart": {"policy": "never"}}}})
            d.start()
            d.call("wait", select="n", timeout=PATIENCE, **{"for": "ready"})
            d.call("pause", select="n")
            d.call("kill", select="n", tree=True)
            self.assertEqual(d.call("wait", select="n", timeout=PATIENCE)["workers"][0]["exitcode"], -signal.SIGKILL)

    def test_drain_and_wait_for_idle(self):
        with House() as d:
            d.write_config({"pools": {"n": d.told()}})
            d.fifos("n/0")
            d.start()
            d.ready("n/0")
            d.say("n/0", "X_DROVER_BUSY=1")
            in_time(lambda: d.workers("n")["n/0"]["busy"], "it did not say that it is busy")
            self.assertTrue(d.call("drain", select="n")["workers"][0]["draining"])
            with self.assertRaises(Failure):
                d.call("wait", select="n", timeout=0, **{"for": "idle"})
            number = d.client.send("wait", select="n", timeout=PATIENCE, **{"for": "idle"})
            d.say("n/0", "X_DROVER_TASKS=7", "X_DROVER_BUSY=0")
            (worker,) = d.client.answer(number)["workers"]
            self.assertEqual((worker["busy"], worker["tasks_done"], worker["draining"]), (False, 7, True))
            self.assertFalse(d.call("resume", select="n")["workers"][0]["draining"])
            self.assertEqual([k for k, _ in d.history("worker.draining", "worker.resumed")], ["worker.draining", "worker.resumed"])

    def test_a_shutdown_thaws(self):
        with House() as d:
            d.write_config({"pools": {"n": {"command": ["/bin/sleep", "1000000"], "stop": {"timeout": "1h"}}}})
            d.start()
            d.call("wait", select="n", timeout=PATIENCE, **{"for": "ready"})
            d.call("pause", select="n")
            self.assertEqual(d.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
