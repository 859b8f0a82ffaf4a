"""Workers that are no modules, in four languages and as crooked as the protocol allows: who follows drover-protocol(7) works.
The examples come by the environment: WORKER_C, WORKER_JS, WORKER_PY, WORKER_SH. A language that is not there is skipped, and
said so; with nothing but such the test ends with 77."""
import json
import os
import shutil
import signal
import sys

from daemon_util import Client, Daemon, Failure, wait_gone

LANGUAGES = {"c": [[]], "py": [["python3"]], "sh": [["sh"], "jq"], "js": [["node"]]}


def commands():
    """{language: argv}; what is missing is said."""
    found = {}
    for language, (interpreter, *tools) in LANGUAGES.items():
        missing = [tool for tool in [*interpreter, *tools] if not shutil.which(tool)]
        if missing:
            print(f"skipped: {language}: no {missing[0]}; conf/setup.sh test installs it", flush=True)
        else:
            found[language] = [*interpreter, os.environ["WORKER_" + language.upper()]]
    return found


def daemon(command, workers=1, env=None, **tasks):
    """One pool "w"; a text is the source of a Python worker that begins with what all of them need."""
    d = Daemon()
    if isinstance(command, str):
        with open(d.place + "/worker.py", "w", encoding="utf-8") as f:
            f.write(PRELUDE + command)
        command = [sys.executable, d.place + "/worker.py"]
    d.notes = d.place + "/notes"
    open(d.notes, "w", encoding="utf-8").close()
    d.write_config({"pools": {"w": {"command": command, "protocol": "tasks", "workers": workers, "tasks": tasks,
                                    "env": {"NOTES": d.notes, **(env or {})}}}})
    d.start()
    d.call("wait", select="w", **{"for": "ready"})
    return d


PRELUDE = r"""
import json, os, signal, socket, sys, time
channel = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
lines = channel.makefile("rb")
def say(text):
    channel.sendall(text if isinstance(text, bytes) else text.encode())
def take():
    line = lines.readline()
    if not line: sys.exit(0)
    return json.loads(line)
def answer(task, result):
    return json.dumps({"jsonrpc": "2.0", "id": task["id"], "result": result}) + "\n"
def note(word):
    with open(os.environ["NOTES"], "a") as f: f.write(f"{word}\n")
"""


def submit(d, target, *args, **more):
    return d.call("task.submit", pool="w", target=target, args=list(args), wait=True, **more)


def result(d, target, *args, **more):
    o = submit(d, target, *args, **more)
    assert o["state"] == "done", o
    return o["result"]


def mapped(d, items, **more):
    """{index: result or ERROR}"""
    d.client.notes.clear()
    d.call("task.map", pool="w", items=items, **more)
    found = {}
    for m in d.client.notes:
        p = m["params"]
        for i, value in enumerate(p["results"]):
            assert p["index"] + i not in found
            found[p["index"] + i] = p.get("errors", {}).get(str(i), value)
    assert len(found) == len(items)
    return found


def answers(client, numbers):
    """The outcomes in the order of @numbers, whatever the order in which they come."""
    found = {}
    while len(found) < len(numbers):
        m = client.receive()
        found[m["id"]] = m["result"]
    return [found[n] for n in numbers]


def notes(d):
    with open(d.notes, encoding="utf-8") as f:
        return f.read().split()


def until(question):
    """@question asks the daemon."""
    while not (answer := question()):
        pass
    return answer


def busy(d):
    return [w for w in d.workers("w").values() if w["busy"]]


# ---- four languages

def calls(d):
    assert result(d, "square", -12) == 144 and result(d, "divide", 1, 4) == 0.25
    assert result(d, "join", "it's", "a  b", "$(id) é \u2028 \\ \"") == "it's a  b $(id) é \u2028 \\ \""
    assert result(d, "join") == ""
    o = submit(d, "divide", 1, 0)
    assert o["state"] == "failed" and o["error"]["data"]["name"] == "task-failed", o
    assert "zero" in o["error"]["message"], o
    assert submit(d, "none", 1)["error"]["data"]["name"] == "not-found"
    assert mapped(d, list(range(40)), target="square") == {i: i * i for i in range(40)}
    found = mapped(d, [2, "two", 3], target="square")
    assert found[0] == 4 and found[2] == 9 and (found[1] is None or "code" in found[1]), found  # null: NaN, in JavaScript


def dies_with_a_task(d):
    """It is stopped, so that the task is certainly with it and not answered. In test_failures.py they have begun."""
    d.call("wait", select="w", **{"for": "ready"})
    before = d.workers("w")
    for w in before.values():
        os.kill(w["pid"], signal.SIGSTOP)
    first = d.client.send("task.submit", pool="w", target="square", args=[3], wait=True)
    with_it = Client(d.path)
    victim = until(lambda: busy(d))[0]
    behind = [with_it.send("task.submit", pool="w", target="square", args=[i], wait=True) for i in range(5)]
    for w in before.values():
        if w["name"] != victim["name"]:
            os.kill(w["pid"], signal.SIGCONT)
    os.kill(victim["pid"], signal.SIGKILL)
    o = d.client.answer(first)
    assert o.get("result") == 9, o  # it had not begun, and nobody is to blame
    assert [o["result"] for o in answers(with_it, behind)] == [i * i for i in range(5)]
    with_it.close()
    d.call("wait", select="w", **{"for": "ready"})
    assert len([w for w in d.workers("w").values() if w["state"] == "running"]) == len(before)


def ends_in_order(d):
    """At the channel's end it answers what it has and ends with 0; a new one serves."""
    for w in d.call("restart", select="w")["workers"]:
        assert w["last_exit"]["exitcode"] == 0, w
    assert result(d, "square", 5) == 25
    d.kill_droverd()
    assert result(d, "square", 6) == 36


def test_languages():
    for language, command in commands().items():
        print("   ", language, flush=True)
        with daemon(command, workers=2) as d:
            calls(d)
            dies_with_a_task(d)
            ends_in_order(d)


def test_manual():
    """The worker of drover-protocol(7), as it stands there."""
    with open(os.environ["PROTOCOL_MANUAL"], encoding="utf-8") as f:
        source = f.read().split(".SS A worker in Python\n.nf\n")[1].split(".fi\n")[0].replace("\\e", "\\")
    d = Daemon()
    with d:
        with open(d.place + "/worker.py", "w", encoding="utf-8") as f:
            f.write(source)
        d.write_config({"pools": {"w": {"command": [sys.executable, d.place + "/worker.py"], "protocol": "tasks"}}})
        d.start()
        assert [result(d, "square", i) for i in range(20)] == [i * i for i in range(20)]
        assert submit(d, "square", "x")["error"]["data"]["type"] == "TypeError"


# ---- what the protocol allows

def test_prints_are_logs():
    with daemon(r"""
print("hello from its begin", flush=True)
while True:
    t = take()
    print(json.dumps({"jsonrpc": "2.0", "id": t["id"], "result": "from stdout"}), flush=True)
    sys.stderr.write("a word on stderr\n")
    say(answer(t, t["params"]))
""") as d:
        assert result(d, "x", 1, kwargs={"a": None}) == {"args": [1], "kwargs": {"a": None}}
        follower, said = Client(d.path), set()
        follower.send("logs", select="w/0", lines=10, follow=True)
        awaited = {("stdout", "hello from its begin"), ("stderr", "a word on stderr")}
        while not (awaited <= said and any("from stdout" in line for _, line in said)):
            note = follower.receive()["params"]
            said.add((note["stream"], note["line"]))
        follower.close()


def test_any_order_and_any_pieces():
    """Several answers in one write, in another order than asked; one answer byte by byte, with white space, CRLF and empty lines."""
    with daemon(r"""
while True:
    four = [take() for _ in range(4)]
    say("".join(answer(t, t["params"]["args"][0]) for t in reversed(four)))
    t = take()
    for byte in b"\n\r\n \t{ \"result\" : [1 ,\r 2],\t\"jsonrpc\":\"2.0\", \"id\" : %d, \"more\":{\"a\":[]} } \r\n" % t["id"]: say(bytes([byte]))
""", prefetch=3) as d:
        for turn in range(3):
            numbers = [d.client.send("task.submit", pool="w", target="x", args=[turn * 10 + i], wait=True) for i in range(4)]
            assert [o["result"] for o in answers(d.client, numbers)] == [turn * 10 + i for i in range(4)]
            assert result(d, "x") == [1, 2]


def test_requests_are_lines():
    """However the client wrote its arguments, only a newline ends a line, and for those who think otherwise as well."""
    with daemon(r"""
for line in channel.makefile("r", encoding="utf-8"):  # ends lines at \r, too
    assert line.endswith("\n") and len((line[:-1] + "x").splitlines()) == 1, line  # and this at U+2028
    t = json.loads(line)
    say(answer(t, t["params"]["args"]))
""") as d:
        c = d.client
        for args in ('[\r1,\r\t"a"\r]', '["\u2028 \u2029 \\u2028 \u00e9"]', '[ ]'):
            c.last_id += 1
            c.socket.sendall(('{"jsonrpc":"2.0","id":%d,"method":"task.submit","params":{"pool":"w","target":"x","args":%s,"wait":true}}\n'
                              % (c.last_id, args)).encode())
            o = c.answer(c.last_id)
            assert o["state"] == "done" and o["result"] == json.loads(args), o
            c.last_id += 1
            c.notes.clear()
            c.socket.sendall(('{"jsonrpc":"2.0","id":%d,"method":"task.map","params":{"pool":"w","target":"x","items":%s}}\n'
                              % (c.last_id, args)).encode())
            c.answer(c.last_id)
            assert [r for m in c.notes for r in m["params"]["results"]] == [[v] for v in json.loads(args)]


def test_errors_in_every_shape():
    shapes = {
        "plain": ('{"code":1,"message":"m"}', "task-failed", "m"),
        "other": ('{"code":-5,"message":"m","data":{"type":"T","more":[1]}}', "task-failed", "m"),
        "value": ('{"code":1,"message":"m","data":[1,2]}', "task-failed", "m"),
        "named": ('{"code":1,"message":"m","data":{"name":"denied"}}', "task-failed", "m"),
        "unknown": ('{"code":-32601,"message":"m"}', "not-found", "m"),
        "params": ('{"code":-32602,"message":"m"}', "invalid", "m"),
        "text": ('"just words"', "task-failed", "just words"),
        "empty": ("{}", "task-failed", "did not say why"),
        "null": ("null", "task-failed", "null"),
    }
    with daemon(r"""
while True:
    t = take()
    say('{"jsonrpc":"2.0","id":%s,"error":%s}\n' % ("null" if t["params"]["kwargs"] else t["id"], t["params"]["args"][0]))
""") as d:
        for shape, (text, name, message) in shapes.items():
            for kwargs in ({}, {"null": 1}):
                o = submit(d, "x", text, kwargs=kwargs)
                assert o["state"] == "failed" and o["error"]["data"]["name"] == name, (shape, o)
                assert message in o["error"]["message"], (shape, o)
        assert submit(d, "x", shapes["other"][0])["error"]["data"] == {"name": "task-failed", "type": "T", "more": [1]}
        assert submit(d, "x", shapes["value"][0])["error"]["data"] == {"name": "task-failed", "value": [1, 2]}
        (w,) = d.workers("w").values()
        assert w["restarts"] == 0


def test_answers_twice():
    """Once is enough; neither is the second taken for another task's."""
    with daemon(r"""
while True:
    t = take()
    say(answer(t, "first") + answer(t, "second"))
""") as d:
        assert [result(d, "x") for _ in range(50)] == ["first"] * 50
        assert d.workers("w")["w/0"]["restarts"] == 0


def test_hello():
    """After a hello it gets more than one task at a time, and chunks, when it can take them."""
    with daemon(r"""
say('{"jsonrpc":"2.0","method":"hello","params":{"name":"toy","targets":[],"items":true}}\n')
while True:
    t = take()
    items = t["params"].get("items")
    note(len(items) if items else 1)
    if items is None:
        say(answer(t, t["params"]["args"][0] * 2))
    elif t["method"] == "few":
        say(answer(t, {"items": items[1:]}))
    else:
        bad = [i for i, x in enumerate(items) if x == 13]
        say(answer(t, {"items": [None if x == 13 else x * 2 for x in items], "errors": {i: {"code": 1, "message": "unlucky"} for i in bad}}))
""") as d:
        assert result(d, "x", 1) == 2  # it has said it
        found = mapped(d, list(range(100)), target="x", chunk=10)
        assert notes(d) == ["1"] + ["10"] * 10
        assert found.pop(13)["message"] == "unlucky" and found == {i: i * 2 for i in range(100) if i != 13}
        found = mapped(d, [1, 2, 3], target="few", chunk=3)
        assert all(f["data"]["name"] == "failed" for f in found.values()), found
        assert mapped(d, ["ab"], target="x", chunk=10) == {0: "abab"}
        d.kill_droverd()
        assert mapped(d, list(range(20)), target="x", chunk=10)[19] == 38
        assert notes(d)[-2:] == ["10", "10"], "the next life of droverd does not know what it said"


def test_chunk_dies():
    """Nobody knows how far it was with a chunk: at-most-once is kept, none of it is done twice."""
    with daemon(r"""
say('{"jsonrpc":"2.0","method":"hello","params":{"items":true}}\n')
while True:
    t = take()
    done = []
    for x in t["params"].get("items") or t["params"]["args"]:
        if x == 7: os._exit(3)
        note(x)
        done.append(x)
    say(answer(t, {"items": done} if "items" in t["params"] else done[0]))
""") as d:
        assert result(d, "x", 100) == 100  # it has said hello
        found = mapped(d, list(range(40)), target="x", chunk=5)
        said = notes(d)
        assert len(said) == len(set(said)), said
        failed = {i for i, f in found.items() if f != i}
        assert failed == set(range(5, 10)) and found[6]["data"]["exitcode"] == 3, found
        d.call("wait", select="w", **{"for": "ready"})
        assert result(d, "x", 100) == 100
        # By leave, again: who died with it runs alone in the end, and only it fails.
        found = mapped(d, list(range(40)), target="x", chunk=5, attempts=3)
        assert {i for i, f in found.items() if f != i} == {7} and len(found[7]["data"]["exits"]) >= 1, found


def wait_event(d, kind):
    """Told already, or yet to come. A worker's last line is in the log before its end is told."""
    c = Client(d.path)
    c.send("events", since=0, types=[kind], follow=True)
    while c.receive().get("method") != "event":
        pass
    c.close()


def test_soft_signal():
    """Who asks for it is told before it is killed: time for a traceback in the log."""
    with daemon(r"""
import faulthandler
faulthandler.register(signal.SIGUSR2)
say('{"jsonrpc":"2.0","method":"hello","params":{"signal":true}}\n')
def deeply_stuck():
    while True: pass
while True:
    t = take()
    if t["method"] == "stuck": deeply_stuck()
    say(answer(t, 1))
""") as d:
        assert result(d, "fine") == 1  # it has said hello
        o = submit(d, "stuck", timeout="100ms")
        assert o["state"] == "timeout", o
        assert result(d, "fine") == 1  # by the next process, which does not wait for the last line of the one before
        wait_event(d, "worker.exited")
        d.client.notes.clear()
        d.call("logs", select="w", lines=100)
        # Where it was depends on how soon it began: 100 ms may be over before.
        assert any("most recent call first" in m["params"]["line"] for m in d.client.notes), d.client.notes
        d.call("wait", select="w", **{"for": "ready"})
        assert d.workers("w")["w/0"]["restarts"] == 1


def test_limits():
    with daemon(r"""
while True:
    t = take()
    n = t["params"]["args"][0]
    say(answer(t, "x" * (n - len(answer(t, "")) + 1)) if n else b"x" * 70000)
""") as d:
        assert len(result(d, "x", 65536)) > 65000
        for n in (65537, 0):
            e = submit(d, "x", n)["error"]
            assert e["data"]["name"] in ("failed", "limit") and "65536" in e["message"], e
        assert len(result(d, "x", 1000)) < 1000


def test_closes_and_stays():
    """Without its channel it is of no use: its task fails, it is replaced."""
    with daemon(r"""
t = take()
if t["method"] == "close":
    lines.close(); channel.close()
elif t["method"] == "half":
    channel.shutdown(socket.SHUT_WR)
else:
    say(answer(t, os.getpid()))
    channel.close(); lines.close()
time.sleep(1000)
""") as d:
        for how in ("close", "half"):
            e = submit(d, how)["error"]
            assert e["data"]["name"] == "worker-died" and e["data"]["exitcode"] == -9, e
            assert e["message"].endswith("/0 killed by SIGKILL: it closed its task channel"), e
            assert e["data"]["exits"][0]["cause"] == "killed by SIGKILL: it closed its task channel", e
        wait_gone(result(d, "between"))
        assert result(d, "between") > 1


def test_environment():
    """Neither of the descriptors of others nor more than it needs."""
    with daemon(r"""
while True:
    t = take()
    say(answer(t, {"env": dict(os.environ), "fds": sorted(os.listdir("/proc/self/fd"), key=int), "pid": os.getpid()}))
""") as d:
        r = result(d, "x")
        assert r["env"]["DROVER_POOL"] == "w" and r["env"]["DROVER_WORKER"] == "0" and r["env"]["DROVER_NAME"] == "w/0"
        assert r["env"]["DROVER_TASKS_FD"] == "3" and set(r["fds"]) >= {"0", "1", "2", "3"}, r
        extra = {f for f in r["fds"] if int(f) > 3} - {r["env"].get("DROVER_TASKS_PAGE_FD")}
        assert len(extra) == 1, r  # the directory that it reads


def test_not_a_task_pool():
    d = Daemon({"pools": {"plain": {"command": ["sleep", "1000"]}}})
    with d:
        d.start()
        try:
            d.call("task.submit", pool="plain", target="x")
            raise AssertionError("taken")
        except Failure as e:
            assert e.error["data"]["name"] == "invalid" and "protocol" in e.error["message"], e.error


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
