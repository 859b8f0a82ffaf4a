"""The edges of the task room, with the real programs: what is kept and for how long, who waits for whom, and what becomes of
tasks when their pool is paused, resized, recycled, stopped, removed, or gives up."""
import json
import os
import signal
import socket
import sys
import threading
import time

from daemon_util import PATIENCE, Client, Failure, is_alive
from test_tasks import daemon, notes, outcome, results

SLOW_READER_ITEMS = 3000000


def error_of(call, *args, **params):
    try:
        call(*args, **params)
    except Failure as e:
        return e.error
    raise AssertionError("there was no error")


def pool_of(d, name="plain"):
    return d.call("status", select=name)["pools"][0]


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"


def submit(d, target, *args, **more):
    return d.call("task.submit", pool="plain", target=target, args=list(args), **more)["task"]


def settled(d, *tasks):
    return d.call("task.wait", tasks=list(tasks))["tasks"]


def states(d, *tasks):
    return [o["state"] for o in settled(d, *tasks)]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


IS_SLIM = "ASAN_OPTIONS" not in os.environ  # it keeps what was freed for a while


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def switches(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


def configure(d, **changes):
    with open(d.config, encoding="utf-8") as f:
        config = json.load(f)
    for name, keys in changes.items():
        config["pools"][name].update(keys)
    d.write_config(config)
    return d


# ---- results ----

def test_result_ttl():
    with daemon(workers=1, result_ttl="200ms") as d:
        d.start()
        a, b = submit(d, "square", 3), submit(d, "square", 4)
        assert states(d, a, b) == ["done", "done"]
        until(lambda: not d.call("task.list", pool="plain")["tasks"])
        assert error_of(d.call, "task.wait", tasks=a)["data"]["name"] == "not-found"
        c = submit(d, "square", 5, key="again")
        assert states(d, c) == ["done"]
        until(lambda: not d.call("task.list", pool="plain")["tasks"])
        assert submit(d, "square", 5, key="again") != c  # forgotten with its result


def test_results_wait_for_nothing():
    """Results that nobody fetched outlive droverd, and cost no wake-ups."""
    with daemon(workers=1) as d:
        d.start()
        tasks = [submit(d, "square", i) for i in range(100)]
        settled(d, *tasks)
        d.kill_droverd()
        assert [o["result"] for o in settled(d, *tasks)] == [i * i for i in range(100)]
        pid = d.call("daemon.info")["pid"]
        d.call("wait", select="plain", **{"for": "idle"})
        for _ in range(5):  # something may still be settling, once
            before = switches(pid)
            time.sleep(1)  # what is measured
            if switches(pid) == before:
                return
        raise AssertionError("it wakes up")


# ---- timeouts ----

def test_timeout_over_a_death_of_droverd():
    """What a task has lasted is neither forgotten nor made up by the next life."""
    with daemon(workers=2) as d:
        d.start()
        fifo = d.place + "/fifo"
        os.mkfifo(fifo)
        begun = time.monotonic()
        long, short = submit(d, "read", fifo, timeout=1000), submit(d, "nap", timeout=2)
        until(lambda: sorted(notes(d)) == ["napping", "reading"])
        d.kill_droverd()
        assert d.call("task.list", pool="plain", state="running")["tasks"][0]["task"] == long
        assert states(d, short) == ["timeout"]
        assert time.monotonic() - begun >= 2
        with open(fifo, "w", encoding="utf-8") as f:
            f.write("all of it")
        (o,) = settled(d, long)
        assert o["state"] == "done" and o["result"] == "all of it", o


# ---- back-pressure ----

def test_slow_reader():
    """A map whose results nobody reads: droverd's memory is bounded, others are served; then it is read to the end."""
    with daemon() as d:
        d.start()
        d.call("wait", select="math", **{"for": "ready"})
        pid = d.call("daemon.info")["pid"]
        before = resident(pid)
        slow = Client(d.path)
        number = slow.send("task.map", pool="math", target="square", count=SLOW_READER_ITEMS)
        until(lambda: pool_of(d, "math")["queued"] < SLOW_READER_ITEMS and not pool_of(d, "math")["busy"])
        for i in range(100):
            assert d.call("task.submit", pool="math", target="square", args=[i], wait=True)["result"] == i * i
        assert pool_of(d, "math")["queued"] > 0
        assert resident(pid) - before < 48 << 20 or not IS_SLIM, resident(pid) - before
        n = 0
        while True:
            message = slow.receive()
            if message.get("id") == number:
                break
            p = message["params"]
            assert p["index"] == n and p["results"][0] == n * n, (n, p["index"], p["results"][:3], len(p["results"]), p.get("errors"))
            n += len(p["results"])
        assert n == SLOW_READER_ITEMS and message["result"] == {"items": n, "failed": 0}
        assert resident(pid) - before < 48 << 20 or not IS_SLIM


def test_flood_of_items():
    """Items faster than workers take them: the sender is held, nobody else is."""
    with daemon(workers=1) as d:
        d.start()
        pid = d.call("daemon.info")["pid"]
        before = resident(pid)
        flood = Client(d.path)
        call = flood.send("task.map", pool="plain", target="sleep", items=[0.001], more=True)
        line = json.dumps({"jsonrpc": "2.0", "method": "task.items", "params": {"call": call, "items": [0.001, "x" * 8000] * 5}}).encode() + b"\n"
        n = 0
        flood.socket.settimeout(0.5)
        try:
            while n < 64 << 20:
                n += flood.socket.send(line * 10)
        except (socket.timeout, BrokenPipeError, ConnectionResetError):
            pass
        assert outcome(d, "square", 3, priority=5)["result"] == 9
        assert resident(pid) - before < 64 << 20 or not IS_SLIM, (n, resident(pid) - before)
        flood.close()
        until(lambda: pool_of(d)["queued"] == 0)


# ---- workers come and go ----

def test_recycle_by_tasks():
    """maxtasksperchild: the replacement is ready first, so never fewer than size - 1 are there."""
    n, size = int(os.environ.get("RECYCLE_TASKS", "600")), 3
    with configure(daemon(workers=size), math={"recycle": {"tasks": 1}}) as d:
        d.start()
        d.call("wait", select="math", **{"for": "ready"})
        watcher, least, over = Client(d.path), [size], threading.Event()

        def watch():
            while not over.is_set():
                least[0] = min(least[0], watcher.call("status", select="math")["pools"][0]["ready"])

        thread = threading.Thread(target=watch)
        thread.start()
        tasks = [d.call("task.submit", pool="math", target="square", args=[i])["task"] for i in range(n)]
        found = []
        for first in range(0, n, 1000):
            found += settled(d, *tasks[first:first + 1000])
        over.set()
        thread.join()
        assert [o.get("result", o) for o in found] == [i * i for i in range(n)]
        assert least[0] >= size - 1, least
        pids = [d.call("task.submit", pool="math", target="whoami", wait=True)["result"]["pid"] for _ in range(20)]
        assert len(set(pids)) == 20, pids  # each is done by a process of its own
        assert d.call("task.map", pool="math", target="square", count=1000) == {"items": 1000, "failed": 0}
        results(d.client)
        d.call("wait", select="math", **{"for": "ready"})


def test_size_follows_the_queue():
    with configure(daemon(), plain={"workers": {"min": 0, "max": 3, "idle_timeout": "300ms"}}) as d:
        d.start()
        assert pool_of(d)["size"] == 0
        tasks = [submit(d, "sleep", 0.1) for _ in range(20)]
        until(lambda: pool_of(d)["ready"] == 3)
        assert states(d, *tasks) == ["done"] * 20
        until(lambda: pool_of(d)["size"] == 0)
        assert outcome(d, "square", 3)["result"] == 9


def test_pause_and_drain():
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        in_hand, queued = submit(d, "sleep", 0.3), submit(d, "note", "queued")
        until(lambda: pool_of(d)["busy"])
        d.call("drain", select="plain")
        assert states(d, in_hand) == ["done"]
        d.call("wait", select="plain", **{"for": "idle"})
        (t,) = d.call("task.list", pool="plain", state="queued")["tasks"]
        assert t["task"] == queued and notes(d) == []
        d.call("resume", select="plain")
        assert states(d, queued) == ["done"]
        in_hand, queued = submit(d, "sleep", 0.3), submit(d, "note", "paused")
        until(lambda: pool_of(d)["busy"])
        d.call("pause", select="plain")
        assert error_of(d.call, "task.wait", tasks=[in_hand], timeout="500ms")["data"]["name"] == "timeout"
        d.kill_droverd()
        d.call("resume", select="plain")
        assert states(d, in_hand, queued) == ["done", "done"]
        assert notes(d) == ["queued", "paused"]


def test_resize_during_a_map():
    """What is in hand is finished, what was only given ahead goes elsewhere: nothing is lost, nothing is done twice."""
    with daemon(workers=1) as d:
        d.start()
        other, n = Client(d.path), 4000
        for pool, target in (("plain", "note"), ("math", "square")):
            number = d.client.send("task.map", pool=pool, target=target, items=list(range(n)), chunk=20)
            for size in (8, 2, 16, 1) * 3:
                other.call("scale", pool=pool, workers=size)
            assert d.client.answer(number) == {"items": n, "failed": 0}
            assert len(results(d.client)) == n
        assert sorted(map(int, notes(d))) == list(range(n))


def test_restart_during_submits():
    with daemon(workers=2) as d:
        d.start()
        other = Client(d.path)
        tasks = []
        for i in range(1000):
            tasks.append(submit(d, "note", i))
            if i % 100 == 50:
                other.call("restart", select="plain")
        assert states(d, *tasks) == ["done"] * 1000
        assert sorted(map(int, notes(d))) == list(range(1000))


# ---- the pool goes, or gives up ----

def test_stopped_pool_keeps_what_waits():
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        in_hand, queued = submit(d, "sleep", 0.3), submit(d, "note", "queued")
        until(lambda: pool_of(d)["busy"])
        d.call("stop", select="plain")
        assert states(d, in_hand) == ["done"]
        late = submit(d, "note", "late")
        limited = submit(d, "note", "limited", queue_timeout="100ms")
        assert states(d, limited) == ["timeout"] and notes(d) == []
        d.kill_droverd()
        d.call("disable", select="plain")
        d.call("start", select="plain")
        assert states(d, queued, late) == ["done", "done"] and notes(d) == ["queued", "late"]


def test_removed_pool():
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        submit(d, "sleep", 0.5)
        until(lambda: pool_of(d)["busy"])
        waiting = Client(d.path)
        one = waiting.send("task.submit", pool="plain", target="note", args=["no"], wait=True)
        many = waiting.send("task.map", pool="plain", target="note", items=["a", "b"])
        endless = waiting.send("task.map", pool="plain", target="note", count=1 << 40)
        until(lambda: pool_of(d)["queued"] > 3)
        d.call("pool.remove", pool="plain")
        assert waiting.answer(one)["state"] == "cancelled"
        for number in (many, endless):
            e = error_of(waiting.answer, number)
            assert e["data"]["name"] == "cancelled" and "removed" in e["message"], e
        assert notes(d) == []
        assert error_of(d.call, "task.submit", pool="plain", target="note")["data"]["name"] == "not-found"
        assert d.call("task.list")["tasks"] == []


def test_pool_that_gives_up():
    with daemon(workers=2) as d:
        flag = d.place + "/mended"
        with open(d.place + "/maybe.py", "w", encoding="utf-8") as f:
            f.write(f"import os, sys\nif not os.path.exists({flag!r}): sys.exit('no licence')\n"
                    f"os.execv(sys.executable, [sys.executable, {d.place + '/plain.py'!r}])\n")
        configure(d, plain={"command": [sys.executable, d.place + "/maybe.py"], "autostart": False,
                            "restart": {"limit": 2, "window": "1m", "delay": "10ms"}})
        d.start()
        queued = submit(d, "note", "queued")
        waiting = Client(d.path)
        one = waiting.send("task.submit", pool="plain", target="note", args=["one"], wait=True)
        many = waiting.send("task.map", pool="plain", target="note", items=["a"], more=True)
        until(lambda: pool_of(d)["queued"] == 3)
        try:
            d.call("start", select="plain")
        except Failure:
            pass
        (o,) = settled(d, queued)
        assert o["state"] == "failed" and o["error"]["data"]["name"] == "worker-died" and "exit" in o["error"]["message"], o
        assert waiting.answer(one)["state"] == "failed"
        assert error_of(waiting.answer, many)["data"]["name"] == "worker-died"
        for method, more in (("task.submit", {}), ("task.map", {"items": [1]})):
            e = error_of(d.call, method, pool="plain", target="note", **more)
            assert e["data"]["name"] == "failed" and "droverctl start plain" in e["message"], e
        d.kill_droverd()
        assert error_of(d.call, "task.submit", pool="plain", target="note")["data"]["name"] == "failed"
        with open(flag, "w", encoding="utf-8"):
            pass
        d.call("start", select="plain")
        assert outcome(d, "square", 3)["result"] == 9
        assert settled(d, queued) == [o]


def test_shutdown_with_tasks():
    """Whoever waits is told, at once; what is in hand is finished within stop.timeout."""
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        number = d.client.send("task.submit", pool="plain", target="sleep", args=[0.3], wait=True)
        other = Client(d.path)
        until(lambda: other.call("status", select="plain")["pools"][0]["busy"])
        queued = other.send("task.submit", pool="plain", target="note", args=["no"], wait=True)
        d.process.send_signal(signal.SIGTERM)
        assert d.client.answer(number)["result"] == 0.3
        try:
            e = error_of(other.answer, queued)
            assert e["data"]["name"] == "shutting-down", e
        except EOFError:
            pass
        assert d.process.wait(PATIENCE) == 0 and notes(d) == []


# ---- deaths ----

def test_last_lines():
    with daemon(workers=1) as d:
        with open(d.place + "/plain.py", encoding="utf-8") as f:
            text = f.read()
        with open(d.place + "/plain.py", "w", encoding="utf-8") as f:
            f.write(text.replace('if m == "exit":', 'if m == "cry": print("first", file=sys.stderr); print("disk on fire", file=sys.stderr, flush=True); os._exit(a[0])\n    if m == "exit":'))
        d.start()
        e = outcome(d, "cry", 3)["error"]
        assert e["data"]["name"] == "worker-died" and e["data"]["lines"][-2:] == ["first", "disk on fire"], e
        task = submit(d, "cry", 4)
        (o,) = settled(d, task)
        assert o["error"]["data"]["lines"][-1] == "disk on fire" and o["error"]["data"]["exits"][0]["exitcode"] == 4
        d.kill_droverd()
        assert settled(d, task) == [o]
        assert d.call("task.map", pool="plain", target="cry", items=[5])["failed"] == 1
        assert results(d.client)[0]["data"]["lines"][-1] == "disk on fire"
        assert "lines" not in outcome(d, "exit", 0)["error"]["data"]
        quiet = outcome(d, "_exit", 6)["error"]["data"]
        assert quiet["exitcode"] == 6


def test_attempts_in_a_map():
    with daemon(workers=2) as d:
        d.start()
        assert d.call("task.map", pool="plain", target="once", items=["poison"], attempts=3) == {"items": 1, "failed": 1}
        assert notes(d) == ["poison"] * 3
        e = results(d.client)[0]
        assert e["data"]["name"] == "worker-died" and [x["exitcode"] for x in e["data"]["exits"]] == [3, 3, 3], e
        call = d.client.send("task.map", pool="plain", target="square", items=list(range(2000)), attempts=5)
        other = Client(d.path)
        for _ in range(5):
            for w in other.call("status", select="plain")["pools"][0]["workers"][:1]:
                if w["pid"] and is_alive(w["pid"]):
                    kill(w["pid"])
        assert d.client.answer(call) == {"items": 2000, "failed": 0}
        assert results(d.client) == {i: i * i for i in range(2000)}


def test_cancel_what_was_given_ahead():
    with configure(daemon(workers=1), math={"tasks": {"prefetch": 8}, "workers": 1}, plain={"tasks": {"prefetch": 4}}) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        os.mkfifo(d.place + "/go")
        tasks = [submit(d, "read", d.place + "/go")] + [submit(d, "note", i) for i in range(6)]
        until(lambda: pool_of(d)["queued"] == 2)
        assert d.call("task.cancel", tasks=[tasks[2], tasks[6]]) == {"cancelled": 2}
        assert d.call("task.cancel", tasks=[tasks[2]]) == {"cancelled": 0}
        with open(d.place + "/go", "w", encoding="ascii"):
            pass
        assert states(d, *tasks) == ["done", "done", "cancelled", "done", "done", "done", "cancelled"]
        # What the worker had got already it may carry out still, or be killed for; nobody is told.
        assert [n for n in notes(d) if n != "1"] == ["reading", "0", "2", "3", "4"], notes(d)


def test_everything_at_once():
    """Times that end together: one final state, told once, the same for ever."""
    with daemon(workers=2) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        for i in range(20):
            task = submit(d, "sleep", 0.05, timeout="50ms", queue_timeout="50ms")
            waiting = [Client(d.path) for _ in range(3)]
            numbers = [c.send("task.wait", tasks=[task], timeout="50ms") for c in waiting]
            if i % 2:
                time.sleep(0.048)
                d.call("task.cancel", tasks=[task])
            first = settled(d, task)
            assert first[0]["state"] in ("done", "timeout", "cancelled"), first
            for c, n in zip(waiting, numbers):
                try:
                    assert c.answer(n)["tasks"] == first
                except Failure as e:
                    assert e.error["data"]["name"] == "timeout"
                c.close()
            assert settled(d, task) == first


def test_key_over_a_kill():
    with daemon(workers=1) as d:
        d.start()
        for i in range(4):
            number = d.client.send("task.submit", pool="plain", target="note", args=[i], key=f"k{i}")
            os.kill(Client(d.path).call("daemon.info")["pid"] if i % 2 else d.call("daemon.info")["pid"], signal.SIGKILL)
            d.wait_notice("READY=1")
            d.connect()
            task = submit(d, "note", i, key=f"k{i}")
            assert states(d, task) == ["done"], number
        assert notes(d) == [str(i) for i in range(4)]


def test_wait_with_key_or_keep_outlives_its_client():
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        submit(d, "sleep", 0.3)
        gone = Client(d.path)
        gone.send("task.submit", pool="plain", target="note", args=["keyed"], wait=True, key="k")
        gone.send("task.submit", pool="plain", target="note", args=["cancelled"], wait=True)
        until(lambda: pool_of(d)["queued"] == 2)
        gone.close()
        assert states(d, submit(d, "note", "keyed", key="k")) == ["done"]
        assert notes(d) == ["keyed"]


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            begun = time.monotonic()
            test()
            print(f"{name} {time.monotonic() - begun:.1f} s", flush=True)
