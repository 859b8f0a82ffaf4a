"""Tasks with the real programs: a module of libdrover's and a plain worker of ten lines, and every way for them to fail."""
import os
import random
import signal
import sys

from daemon_util import Client, Daemon, Failure

MODULE = os.environ["MATH_MODULE"]

# Ten lines and what the tests want to see go wrong.
PLAIN = r"""
import json, os, signal, socket, sys, time
s = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
def note(word):
    with open(os.environ["NOTES"], "a") as f: f.write(word + "\n")
def call(m, a):
    if m == "square": return a[0] * a[0]
    if m == "note": return note(str(a[0]))
    if m == "exit": sys.exit(a[0])
    if m == "_exit": os._exit(a[0])
    if m == "signal": os.kill(os.getpid(), a[0])
    if m == "once": note(str(a[0])); os._exit(3)
    if m == "loop":
        while True: pass
    if m == "nan": return float("nan")
    if m == "sleep": time.sleep(a[0]); return a[0]
    if m == "read": note("reading"); return open(a[0]).read()
    if m == "nap": note("napping"); time.sleep(1000)
    if m == "exec": os.execv("/bin/true", ["true"])
    if m == "close": os.close(s.fileno()); time.sleep(100)
    if m == "garbage": s.sendall(b"what is this\n"); time.sleep(100)
    if m == "other": s.sendall(b'{"jsonrpc":"2.0","id":4711,"result":1}\n'); time.sleep(100)
    if m == "bytes": s.sendall(b'{"jsonrpc":"2.0","id":%d,"result":"\xff"}\n' % current); return "late"
    if m == "huge": return "x" * (1 << 30 if a[0] else 100000)
    if m == "fork":
        if os.fork() == 0:
            if os.fork() == 0: time.sleep(100)
            os._exit(0)
        os._exit(0)
    raise ValueError("no " + m)
for line in s.makefile("r"):
    r = json.loads(line); current = r["id"]
    try: answer = {"jsonrpc": "2.0", "id": r["id"], "result": call(r["method"], r["params"]["args"])}
    except Exception as e: answer = {"jsonrpc": "2.0", "id": r["id"], "error": {"code": 1, "message": f"{type(e).__name__}: {e}", "data": {"type": type(e).__name__}}}
    s.sendall(json.dumps(answer).encode() + b"\n")
"""


def daemon(workers=2, **tasks):
    d = Daemon()
    with open(d.place + "/plain.py", "w", encoding="utf-8") as f:
        f.write(PLAIN)
    d.notes = d.place + "/notes"
    open(d.notes, "w", encoding="utf-8").close()
    d.write_config({"pools": {
        "math": {"module": MODULE, "workers": workers},
        "plain": {"command": [sys.executable, d.place + "/plain.py"], "protocol": "tasks", "workers": workers,
                  "env": {"NOTES": d.notes}, "stop": {"timeout": 5}, "tasks": tasks}}})
    return d


def outcome(d, target, *args, **more):
    return d.call("task.submit", pool="plain", target=target, args=list(args), wait=True, **more)


def notes(d):
    with open(d.notes, encoding="utf-8") as f:
        return f.read().split()


def results(client):
    found = {}
    for m in client.notes:
        p = m["params"]
        for i, value in enumerate(p["results"]):
            assert p["index"] + i not in found
            found[p["index"] + i] = p.get("errors", {}).get(str(i), value)
    client.notes.clear()
    return found


def test_one():
    with daemon() as d:
        d.start()
        assert d.call("task.submit", pool="math", target="square", args=[5], kwargs={"base": 1}, wait=True)["result"] == 26
        task = d.call("task.submit", pool="math", target="divide", args=[1, 0])["task"]
        (o,) = d.call("task.wait", tasks=task)["tasks"]
        assert o["state"] == "failed" and o["error"]["data"]["name"] == "task-failed" and "divide" in o["error"]["data"]["traceback"]
        assert o["error"]["data"]["type"] == "ZeroDivisionError"
        o = d.call("task.submit", pool="math", target="sqare", wait=True)
        assert o["error"]["data"]["name"] == "not-found" and "square" in o["error"]["message"]
        for params, name in (({"pool": "none", "target": "x"}, "not-found"), ({"pool": "math", "target": "x", "args": 5}, "invalid"),
                             ({"pool": "math", "target": "x", "args": ["y" * 65395]}, "limit")):
            try:
                d.call("task.submit", **params)
                raise AssertionError(list(params))
            except Failure as e:
                assert e.error["data"]["name"] == name, e.error
        assert outcome(d, "square", 7)["result"] == 49
        assert outcome(d, "none")["error"]["message"] == "ValueError: no none"
        a = d.call("task.submit", pool="plain", target="note", args=["once"], key="k")["task"]
        assert d.call("task.submit", pool="plain", target="note", args=["once"], key="k")["task"] == a
        d.call("task.wait", tasks=[a])
        assert notes(d) == ["once"]


def test_deaths():
    """Each gives a right answer at once, and the next task is carried out."""
    with daemon() as d:
        d.start()
        for target, args, exitcode in (("exit", [0], 0), ("exit", [3], 3), ("_exit", [4], 4), ("signal", [11], -11), ("signal", [6], -6),
                                       ("exec", [], 0), ("fork", [], 0)):
            e = outcome(d, target, *args)["error"]
            assert e["data"]["name"] == "worker-died" and e["data"]["exitcode"] == exitcode, (target, e)
            assert outcome(d, "square", 3)["result"] == 9
        for target, args, word in (("close", [], "worker-died"), ("garbage", [], "failed"), ("other", [], "failed"),
                                   ("huge", [0], "failed"), ("huge", [1], "failed"), ("nan", [], "task-failed"),
                                   ("bytes", [], "task-failed")):
            e = outcome(d, target, *args)["error"]
            assert e["data"]["name"] == word, (target, e)
            assert outcome(d, "square", 3)["result"] == 9
        o = outcome(d, "loop", timeout="200ms")
        assert o["state"] == "timeout" and o["error"]["data"]["name"] == "timeout"
        assert outcome(d, "square", 3)["result"] == 9
        d.call("wait", select="plain", **{"for": "ready"})
        (pool,) = d.call("status", select="plain")["pools"]
        assert pool["ready"] == 2


def test_poison():
    with daemon() as d:
        d.start()
        poison = d.call("task.submit", pool="plain", target="once", args=["p"], attempts=3)["task"]
        good = [d.call("task.submit", pool="plain", target="square", args=[i])["task"] for i in range(100)]
        (o,) = d.call("task.wait", tasks=poison)["tasks"]
        assert [e["exitcode"] for e in o["error"]["data"]["exits"]] == [3, 3, 3] and notes(d) == ["p"] * 3
        assert o["error"]["message"].startswith("3 workers died with it, the last one: plain/"), o
        assert [t["result"] for t in d.call("task.wait", tasks=good)["tasks"]] == [i * i for i in range(100)]


def test_cancel():
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        running = d.call("task.submit", pool="plain", target="sleep", args=[100])["task"]
        queued = d.call("task.submit", pool="plain", target="note", args=["no"])["task"]
        last = d.call("task.submit", pool="plain", target="note", args=["yes"], priority=5)["task"]
        assert d.call("task.cancel", tasks=queued) == {"cancelled": 1}
        assert d.call("task.cancel", tasks=[running]) == {"cancelled": 1}
        states = [t["state"] for t in d.call("task.wait", tasks=[running, queued, last])["tasks"]]
        assert states == ["cancelled", "cancelled", "done"] and notes(d) == ["yes"]
        d.call("task.submit", pool="plain", target="nap")
        while notes(d)[-1] != "napping":  # begun, and so charged when its worker is killed
            pass
        gone = Client(d.path)
        gone.send("task.submit", pool="plain", target="note", args=["gone"], wait=True)
        gone.send("task.submit", pool="plain", target="note", args=["kept"], wait=True, on_disconnect="keep")
        while d.call("status", select="plain")["pools"][0]["queued"] < 2:
            pass
        gone.close()
        while d.call("status", select="plain")["pools"][0]["queued"] > 1:
            pass
        (kept,) = d.call("task.list", pool="plain", state="queued")["tasks"]
        d.call("kill", select="plain/0")
        assert d.call("task.wait", tasks=kept["task"])["tasks"][0]["state"] == "done"
        assert notes(d) == ["yes", "napping", "kept"]


def test_pages():
    """task.list page after page, over all pools; a page may begin behind a task that is gone."""
    with daemon() as d:
        d.start()
        ids = [d.call("task.submit", pool=p, target="square", args=[i])["task"] for p in ("plain", "math") for i in range(25)]
        d.call("task.wait", tasks=ids)
        for pools in ([None], ["plain", "math"]):
            seen = []
            for p in pools:
                page, more = {"tasks": []}, 1
                while more:
                    page = d.call("task.list", limit=7, **({"pool": p} if p else {}), **({"after": page["tasks"][-1]["task"]} if page["tasks"] else {}))
                    seen += [t["task"] for t in page["tasks"]]
                    more = page["more"]
            assert sorted(seen) == sorted(ids) and len(set(seen)) == 50, seen
        assert d.call("task.list", pool="math", after="math-0", limit=3)["tasks"][0]["attempts"] == 1
        assert d.call("task.list", after="math-1000000", pool="math") == {"tasks": [], "more": 0}
        for wrong in ("", "math", "math-", "math-x", "-"):
            try:
                d.call("task.list", after=wrong)
                raise AssertionError(wrong)
            except Failure as e:
                assert e.error["code"] == -32602


def test_limits():
    with daemon(workers=1, queue_max=3) as d:
        d.start()
        d.call("stop", select="plain")
        for i in range(3):
            d.call("task.submit", pool="plain", target="note", args=[i], queue_timeout="1h")
        try:
            d.call("task.submit", pool="plain", target="note", args=[3])
            raise AssertionError("beyond queue_max")
        except Failure as e:
            assert e.error["data"]["name"] == "limit"
        d.call("start", select="plain")
        while len(notes(d)) < 3:
            d.call("status")
        assert notes(d) == ["0", "1", "2"]
        d.call("stop", select="plain")
        o = outcome(d, "note", "late", queue_timeout="50ms")
        assert o["state"] == "timeout"


def test_stop_lets_it_end():
    with daemon(workers=1) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        number = d.client.send("task.submit", pool="plain", target="sleep", args=[0.5], wait=True)
        while not d.call("status", select="plain")["pools"][0]["busy"]:
            pass
        other = Client(d.path)
        (w,) = other.call("stop", select="plain")["workers"]
        assert w["last_exit"]["exitcode"] == 0, w
        assert d.client.answer(number)["result"] == 0.5


def test_map():
    with daemon() as d:
        d.start()
        for more in ({}, {"chunk": 7}, {"chunk": 1}, {"ordered": False}):
            for pool in ("math", "plain"):
                assert d.call("task.map", pool=pool, target="square", items=list(range(1000)), **more) == {"items": 1000, "failed": 0}
                assert results(d.client) == {i: i * i for i in range(1000)}
        assert d.call("task.map", pool="math", target="square", count=5000)["items"] == 5000
        assert results(d.client) == {i: i * i for i in range(5000)}
        assert d.call("task.map", pool="math", target="square", items=[1, "x", [3], 4], chunk=4)["failed"] == 2
        found = results(d.client)
        assert found[0] == 1 and found[3] == 16 and found[1]["data"]["name"] == "task-failed"
        call = d.client.send("task.map", pool="math", target="square", items=[], more=True)
        for i in range(50):
            d.call("task.items", call=call, items=list(range(i * 100, i * 100 + 100)))
        last = d.client.send("task.items", call=call, more=False)
        d.client.answer(last)
        if not any(m.get("id") == call for m in d.client.notes):
            d.client.answer(call)
        d.client.notes = [m for m in d.client.notes if "method" in m]
        assert results(d.client) == {i: i * i for i in range(5000)}
        assert d.call("task.map", pool="plain", target="exit", items=[0, 1, 2]) == {"items": 3, "failed": 3}
        results(d.client)
        # A reader that goes away: what is not begun is not done.
        gone = Client(d.path)
        gone.send("task.map", pool="plain", target="sleep", items=[0.01] * 10000)
        gone.receive()
        gone.close()
        while d.call("status", select="plain")["pools"][0]["queued"]:
            pass
        assert outcome(d, "square", 2)["result"] == 4


def test_storm():
    """Workers and droverd are killed at random while thousands are submitted: none is lost, none is done twice."""
    with daemon(workers=3) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        rng, ids, n = random.Random(int(os.environ.get("SEED", "1"))), {}, int(os.environ.get("STORM_TASKS", "3000"))
        for i in range(n):
            if i % 250 == 100:
                for worker in d.call("status", select="plain")["pools"][0]["workers"]:
                    if worker["pid"] and rng.random() < 0.5:
                        os.kill(worker["pid"], signal.SIGKILL)
            if i % 500 == 400:
                os.kill(d.call("daemon.info")["pid"], signal.SIGKILL)
                d.connect_again()
            while True:
                try:
                    ids[i] = d.call("task.submit", pool="plain", target="note", args=[i], key=f"t{i}")["task"]
                    break
                except (OSError, EOFError):
                    d.connect_again()
        counts = {}
        done = set()
        for first in range(0, n, 1000):
            some = [ids[i] for i in range(first, min(first + 1000, n))]
            for i, o in enumerate(d.call("task.wait", tasks=some)["tasks"]):
                counts[o["state"]] = counts.get(o["state"], 0) + 1
                if o["state"] == "done":
                    done.add(str(first + i))
        said = notes(d)
        assert sum(counts.values()) == n and set(counts) <= {"done", "failed"}, counts
        assert len(said) == len(set(said)), "done twice"
        assert done <= set(said)
        assert counts.get("failed", 0) <= n // 250 * 3 + n // 500 * 3, counts


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
