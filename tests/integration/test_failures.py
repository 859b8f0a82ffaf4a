"""Every way for a worker to fail, with the real programs: the caller gets a right answer at once, its neighbours get theirs, and the
pool is at full size again. For a module by each start method, and for a plain worker in Python that knows no more than the protocol.
The lists are those of loky (tests/test_reusable_executor.py) and CPython (Lib/test/_test_multiprocessing.py, test_concurrent_futures).

Nothing here waits for a time: an answer that does not come ends the test by PATIENCE of daemon_util."""
import contextlib
import os
import signal
import sys

from daemon_util import Client, Daemon, is_alive, wait_gone

MODULE, WORKER = os.environ["FAILING_MODULE"], os.environ["FAILING_WORKER"]
SIZE = 2
CHILDREN = int(os.environ.get("CHILDREN", "10"))
IS_SANITIZED = "DROVER_SANITIZED" in os.environ  # a crash is an exit code then
# Else the environment tells whose a process is, and those that a template forked have its own.
HAS_CGROUPS = os.geteuid() == 0 and os.environ.get("DROVER_TREE") != "sweep"
RESTART = {"delay": 0.01, "max_delay": 0.01}


def pool_of(kind):
    if kind == "python":
        return {"command": [sys.executable, WORKER], "protocol": "tasks"}
    library = os.path.dirname(MODULE) + "/../lib"  # where as-user.sh puts libdrover
    return {"module": MODULE, "start_method": kind, **({"env": {"LD_LIBRARY_PATH": library}} if os.path.isdir(library) else {})}


def is_known(kind):
    with Daemon({"pools": {"f": pool_of(kind)}}) as d:
        status, said = d.run("--check")
        if status:
            print(f"skipped: {kind}: {said.strip() or d.log().strip()}", flush=True)
        return status == 0


def kinds():
    wanted = os.environ.get("KINDS", "spawn fork forkserver python").split()
    return [kind for kind in wanted if is_known(kind)]


@contextlib.contextmanager
def daemon(kind, **keys):
    with Daemon() as d:
        pool_keys = {**pool_of(kind), "workers": SIZE, "restart": RESTART, **keys}
        pool_keys["env"] = {**pool_of(kind).get("env", {}), **keys.get("env", {})}
        d.write_config({"pools": {"f": pool_keys}})
        d.pids = d.place + "/pids"
        d.start()
        yield d


def send(client, target, *args, **more):
    return client.send("task.submit", **{"pool": "f", "target": target, "args": list(args), "wait": True, **more})


def submit(d, target, *args, **more):
    return d.client.answer(send(d.client, target, *args, **more))


def answers(client, numbers):
    found = {}
    while len(found) < len(numbers):
        m = client.receive()
        found[m["id"]] = m["result"] if "result" in m else m
    return [found[n] for n in numbers]


def until(question):
    while not (answer := question()):
        pass
    return answer


def pool(d):
    return d.call("status", select="f")["pools"][0]


def at_full_size(d, n_restarts=None, size=SIZE):
    """Every worker is there and can work; when given, after so many deaths."""
    def is_so():
        workers = pool(d)["workers"]
        return (len(workers) == size and all(w["state"] == "running" and w["alive"] for w in workers)
                and n_restarts in (None, sum(w["restarts"] for w in workers)))
    until(is_so)
    assert [o["result"] for o in answers(d.client, [send(d.client, "echo", i) for i in range(2 * size)])] == list(range(2 * size))


def logged(d, word):
    """What workers write is in the log before their end is told; of those that live it may be on its way."""
    d.client.notes.clear()
    d.call("logs", select="f", lines=200)
    return any(word in m["params"]["line"] for m in d.client.notes if "params" in m)


def noted_pids(d):
    if not os.path.exists(d.pids):
        return []
    with open(d.pids, encoding="utf-8") as f:
        return [int(line) for line in f if line.endswith("\n")]


# ---- what is to come of it

def died(exitcode):
    def check(o):
        e = o["error"]
        assert o["state"] == "failed" and e["data"]["name"] == "worker-died", o
        assert exitcode in (e["data"]["exitcode"], any) or (IS_SANITIZED and exitcode < 0), o
        assert [x["exitcode"] for x in e["data"]["exits"]] == [e["data"]["exitcode"]] and e["data"]["worker"].startswith("f/"), o
    check.n_deaths = 1
    return check


def raised(type_=None, word=""):
    def check(o):
        e = o["error"]
        assert o["state"] == "failed" and e["data"]["name"] == "task-failed" and word in e["message"], o
        assert type_ is None or e["data"]["type"] == type_, o
    check.n_deaths = 0
    return check


def done(value, n_deaths=0):
    def check(o):
        assert o["state"] == "done" and (value is any or o["result"] == value), o
    check.n_deaths = n_deaths
    return check


def refused(word, n_deaths=1):
    """What it said on the channel is no answer: it is replaced."""
    def check(o):
        assert o["state"] == "failed" and o["error"]["data"]["name"] in ("failed", "limit") and word in o["error"]["message"], o
    check.n_deaths = n_deaths
    return check


def either(*checks):
    def check(o):
        checks[o["state"] == "done"](o)
    check.n_deaths = checks[0].n_deaths
    return check


def timed_out(o):
    assert o["state"] == "timeout" and o["error"]["data"]["name"] == "timeout", o


timed_out.n_deaths = 1
OWN = object()  # the file for pids

# target, arguments, keys of task.submit, what comes of it in a module, and in plain Python (None: it does not have it)
ROWS = [
    ("fail", [], {}, raised("ValueError", "on purpose"), raised("ValueError", "on purpose")),
    ("leave", [0], {}, died(0), died(0)),
    ("leave", [3], {}, died(3), died(3)),
    ("leave_now", [4], {}, died(4), died(4)),
    ("aborting", [], {}, died(-6), died(-6)),
    ("crash", [signal.SIGSEGV], {}, died(-11), died(-11)),
    ("crash", [signal.SIGKILL], {}, died(-9), died(-9)),
    ("crash", [signal.SIGTERM], {}, died(-15), died(-15)),
    ("null", [16], {}, died(-11), None),
    ("overflow", [], {}, died(-11), died(-11)),
    ("other_program", ["/bin/true"], {}, died(0), died(0)),
    ("other_program", ["/bin/sleep", "1000"], {}, died(-9), died(-9)),  # the channel closes with exec, and it is of no use
    ("close_channel", [], {}, died(-9), died(-9)),
    ("close_everything", [], {}, done(True, 1), died(any)),  # libdrover's answers are in the page before they are sent
    ("garbage", [], {}, refused("what is this?"), refused("what is this?")),
    ("half_a_line", [], {}, died(-9), died(-9)),  # SIGKILL between two writes of one line
    ("not_utf8", [], {}, raised(), raised()),
    ("not_utf8_checked", [], {}, raised("RuntimeError", "UTF-8"), None),
    ("not_a_number", [0], {}, raised("RuntimeError", "NaN"), raised()),
    ("cycle", [], {}, raised("TypeError", "contain itself"), raised("ValueError", "Circular")),
    ("nothing", [], {}, raised("RuntimeError", "returned NULL"), None),
    ("double_fork", [OWN], {}, died(0), died(0)),
    ("daemonise", [OWN], {}, died(0), died(0)),
    ("child_stays", [OWN], {}, done(True), done(True)),
    # Its own answer may have come, too, when that of the child is seen.
    ("child_writes", [], {}, either(refused("from the child"), done(True)), either(refused("from the child"), done(True))),
    ("child_returns", [OWN, 0], {}, done(True), None),
    ("child_returns", [OWN, 1], {}, done(True), None),
    ("thread_stays", [], {}, done(True), done(True)),
    ("fork_with_threads", [], {}, done(7), done(7)),
    ("change_directory", [], {}, done(0), done(0)),
    ("change_signals", [], {}, done(True), done(True)),
    ("stuck", [], {"timeout": "50ms"}, timed_out, timed_out),
]


def one_row(d, kind, row, n_restarts):
    """Neighbours before and behind it in the same write: with a module they are in the same worker's channel."""
    target, args, more, in_module, in_python = row
    check = in_python if kind == "python" else in_module
    numbers = [send(d.client, "echo", i) for i in range(4)]
    numbers.append(send(d.client, target, *[d.pids if a is OWN else a for a in args], **more))
    if target not in ("garbage", "child_writes"):  # it goes on until it is killed: who is next may be begun then
        numbers += [send(d.client, "echo", i) for i in range(4, 8)]
    got = answers(d.client, numbers)
    check(got.pop(4))
    assert [o["result"] for o in got] == list(range(len(got))), got
    at_full_size(d, n_restarts + check.n_deaths)
    return check.n_deaths


def test_what_a_child_writes():
    """It may come while the worker sends what it has gathered: what was finished before is not to blame."""
    row = next(r for r in ROWS if r[0] == "child_writes")
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            for i in range(CHILDREN):
                one_row(d, kind, row, i)


def test_rows():
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            n = 0
            for row in ROWS:
                if row[4 if kind == "python" else 3]:
                    print("   ", kind, row[0], *[a for a in row[1] if a is not OWN], flush=True)
                    n += one_row(d, kind, row, n)
            d.call("stop", select="f")
            if HAS_CGROUPS or kind in ("spawn", "python"):
                for pid in noted_pids(d):
                    wait_gone(pid)  # nothing outlives its worker, whoever its parent is
            pids = noted_pids(d)
            assert d.terminate() == 0
            for pid in pids:
                wait_gone(pid)


def test_loop():
    """The soft signal, the traceback of the stuck one in its log, SIGKILL of that one only."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            other = Client(d.path)
            looping = send(other, "loop", timeout="300ms")
            (victim,) = until(lambda: [w for w in pool(d)["workers"] if w["busy"]])
            sibling = next(w for w in pool(d)["workers"] if w["name"] != victim["name"])
            timed_out(other.answer(looping))
            at_full_size(d, 1)
            assert next(w for w in pool(d)["workers"] if w["name"] == sibling["name"])["pid"] == sibling["pid"]
            now = next(w for w in pool(d)["workers"] if w["name"] == victim["name"])
            assert now["last_exit"]["exitcode"] == -9, now
            if kind != "python":
                assert logged(d, "endless_loop") and logged(d, "lasts too long"), d.client.notes
            # Whoever ignores every signal dies all the same, now and at a stop.
            timed_out_one = [send(other, "change_signals") for _ in range(SIZE)] + [send(other, "loop", timeout="100ms")]
            timed_out(answers(other, timed_out_one)[-1])
            at_full_size(d, 2)
            other.close()


def test_out_of_memory():
    if IS_SANITIZED:
        print("skipped: a sanitizer needs the address space", flush=True)
        return
    for kind in kinds():
        with daemon(kind, limits={"as": "600M"}) as d:
            at_full_size(d)
            for _ in range(3):
                raised("MemoryError")(submit(d, "alloc", 1 << 30))
            done(16)(submit(d, "alloc", 16 << 20))
            at_full_size(d, 0)


def test_killed_by_the_kernel():
    """A real end by the OOM killer, where the kernel lets us ask for one: cgroup v1 here, as root."""
    group = f"/sys/fs/cgroup/memory/drover-test-{os.getpid()}"
    try:
        os.mkdir(group)
        with open(group + "/memory.limit_in_bytes", "w", encoding="utf-8") as f:
            f.write(str(64 << 20))
    except OSError as e:
        print(f"skipped: no memory cgroup for a test: {e}", flush=True)
        return
    try:
        for kind in kinds():
            if IS_SANITIZED:
                continue
            with daemon(kind) as d:
                at_full_size(d)
                for w in pool(d)["workers"]:
                    with open(group + "/cgroup.procs", "w", encoding="utf-8") as f:
                        f.write(str(w["pid"]))
                died(-9)(submit(d, "alloc", 256 << 20))
                at_full_size(d, 1)
                d.call("restart", select="f")
    finally:
        os.rmdir(group)


def test_huge_result():
    """1 GB: a right error, nothing of it in droverd's memory, and the pool goes on."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            before = memory_of(d.call("daemon.info")["pid"])
            o = submit(d, "huge", 300 << 20 if kind.startswith("fork") else 1 << 30)  # it takes its seconds to be made
            assert o["error"]["data"]["name"] in ("failed", "limit", "task-failed"), o
            assert o["state"] == "failed" or o["spill"]["size"] > 300 << 20, o  # done, and there to be fetched as a blob
            assert memory_of(d.call("daemon.info")["pid"]) - before < 64 << 20
            at_full_size(d)
            assert pool(d)["state"] == "running"


def memory_of(pid):
    with open(f"/proc/{pid}/statm", encoding="utf-8") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_arguments_that_cannot_be_read():
    """loky's "error at unpickling": JSON all the same, but not for the library that reads it. Only its own task fails."""
    texts = {"twice": '[{"a":1,"a":2}]', "nul": '["a\\u0000b"]', "nul in a name": '[{"a\\u0000b":1}]', "too large": "[1e999]",
             "too long": "[123456789012345678901234567890]", "deep": "[" * 30 + "]" * 30}
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            c = d.client
            for what, text in texts.items():
                numbers = [send(c, "echo", 1)]
                c.last_id += 1
                c.socket.sendall(('{"jsonrpc":"2.0","id":%d,"method":"task.submit","params":{"pool":"f","target":"echo","args":%s,"wait":true}}\n'
                                  % (c.last_id, text)).encode())
                numbers += [c.last_id, send(c, "echo", 2)]
                first, o, last = answers(c, numbers)
                assert first["result"] == 1 and last["result"] == 2
                assert o.get("state") == "done" or "error" in o, (what, o)
                if kind == "python":
                    assert "error" in o and "code" in o["error"] or o["state"] == "done", (what, o)
            # In a map each stands for itself.
            c.notes.clear()
            c.last_id += 1
            c.socket.sendall(('{"jsonrpc":"2.0","id":%d,"method":"task.map","params":{"pool":"f","target":"echo","chunk":5,"items":'
                              '[0,1,123456789012345678901234567890,3,"\\u0000",5,6,7,8,9]}}\n' % c.last_id).encode())
            try:
                c.answer(c.last_id)
            except Exception as e:  # refused as a whole, with the reason
                assert e.error["data"]["name"] == "invalid", e.error
            else:
                found = {m["params"]["index"] + i: m["params"].get("errors", {}).get(str(i), r)
                         for m in c.notes for i, r in enumerate(m["params"]["results"])}
                assert {i: found[i] for i in (0, 1, 3, 5, 6, 7, 8, 9)} == {i: i for i in (0, 1, 3, 5, 6, 7, 8, 9)}, found
                assert kind == "python" or ("code" in found[2] and "code" in found[4]), found
            at_full_size(d, 0)


def test_killed_by_a_sibling():
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            other = Client(d.path)
            napping = send(other, "nap", 1000000, d.pids)
            until(lambda: noted_pids(d))  # begun: else it would go to another, and nobody were to blame
            (victim,) = [w for w in pool(d)["workers"] if w["busy"]]
            done(0)(submit(d, "killer", victim["pid"], int(signal.SIGKILL)))
            died(-9)(other.answer(napping))
            other.close()
            at_full_size(d, 1)


def test_killed_while_idle():
    """CPython's #96062: who is killed while it waits for a task takes nothing with it."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            for turn in range(1, 6):
                for w in pool(d)["workers"]:
                    os.kill(w["pid"], signal.SIGKILL)
                assert [o["result"] for o in answers(d.client, [send(d.client, "echo", i) for i in range(50)])] == list(range(50))
                at_full_size(d, turn * SIZE)


def test_thread_outlives_its_target():
    """The caller has its result already when it brings the worker down."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            done(True)(submit(d, "thread_aborts"))
            at_full_size_after(d, 1)
            for _ in range(SIZE):
                done(True)(submit(d, "thread_stays"))
            for w in d.call("stop", select="f")["workers"]:
                assert w["last_exit"]["exitcode"] == 0, w


def at_full_size_after(d, n_restarts):
    """The death is still to come: nobody's task is to be there then."""
    until(lambda: sum(w["restarts"] for w in pool(d)["workers"]) == n_restarts)
    at_full_size(d, n_restarts)


def test_channel_closed_while_drained():
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            other = Client(d.path)
            napping = send(other, "nap", 300)
            until(lambda: pool(d)["busy"])
            d.call("drain", select="f")
            assert isinstance(other.answer(napping)["result"], int)
            d.call("resume", select="f")
            napping = [send(other, "nap", 100), send(other, "close_channel")]
            until(lambda: pool(d)["busy"] == 2)
            d.call("drain", select="f")
            died(-9)(answers(other, napping)[1])
            d.call("resume", select="f")
            other.close()
            at_full_size(d)


def test_killed_at_shutdown():
    for kind in kinds():
        with daemon(kind, stop={"timeout": "20s"}) as d:
            at_full_size(d)
            other = Client(d.path)
            numbers = [send(other, "nap", 1000000) for _ in range(SIZE)] + [send(other, "echo", 1)]
            until(lambda: pool(d)["busy"] == SIZE)
            victims = pool(d)["workers"]
            d.process.send_signal(signal.SIGTERM)
            for w in victims:
                os.kill(w["pid"], signal.SIGKILL)
            try:
                for o in answers(other, numbers):
                    assert "error" in o, o
            except (EOFError, ConnectionError):
                pass  # the daemon is gone: that is an answer, too
            assert d.process.wait(90) == 0
            for w in victims:
                assert not is_alive(w["pid"])


def test_killed_at_stop():
    """A stop waits for the task in hand; a kill meanwhile is the end of both."""
    for kind in kinds():
        with daemon(kind, stop={"timeout": "60s"}) as d:
            at_full_size(d)
            other = Client(d.path)
            napping = send(other, "nap", 1000000, d.pids)
            until(lambda: noted_pids(d))  # begun: else it would go to another, and nobody were to blame
            (victim,) = [w for w in pool(d)["workers"] if w["busy"]]
            stopping = d.client.send("stop", select="f")
            watcher = Client(d.path)
            until(lambda: any(w["state"] == "stopping" for w in watcher.call("status", select="f")["pools"][0]["workers"]))
            os.kill(victim["pid"], signal.SIGKILL)
            died(-9)(other.answer(napping))
            d.client.answer(stopping)
            assert all(w["state"] == "stopped" for w in pool(d)["workers"])
            d.call("start", select="f")
            at_full_size(d)
            watcher.close()
            other.close()


def test_killed_at_resize():
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            other = Client(d.path)
            numbers = []
            for turn, size in enumerate((4, 1, 5, 2, 3, SIZE)):
                numbers += [send(other, "echo", i) for i in range(30)] + [send(other, "nap", 5), send(other, "leave_now", 1)]
                scaling = d.client.send("scale", pool="f", workers=size, wait=False)
                d.client.answer(scaling)
                for w in pool(d)["workers"]:
                    if w["pid"] and (w["slot"] + turn) % 2:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(w["pid"], signal.SIGKILL)
            for o in answers(other, numbers):
                assert o["state"] in ("done", "failed"), o
                assert o["state"] == "done" or o["error"]["data"]["name"] == "worker-died", o
            other.close()
            at_full_size(d)


def test_init_and_exit():
    """loky's "at init" and "at exit"; CPython's worker that dies at once, for ever."""
    ends = {"init-exit": 5, "init-crash": -6, "init-error": 1}
    for kind in kinds():
        if kind == "python":
            continue
        for how, exitcode in ends.items():
            print("   ", kind, how, flush=True)
            with daemon(kind, env={"FAIL_AT": how}, restart={**RESTART, "limit": 3}) as d:
                o = submit(d, "echo", 1)
                assert o["state"] == "failed", o
                until(lambda: pool(d)["state"] == "failed")
                (o,) = answers(d.client, [send(d.client, "echo", 2)])
                assert "no worker" in o["error"]["message"], o
                assert all(w["last_exit"]["exitcode"] == exitcode or IS_SANITIZED or kind != "spawn" for w in pool(d)["workers"]), pool(d)
            with daemon(kind, env={"FAIL_AT": how}) as d:  # no limit: it is tried for ever, and the task waits as long as it may
                o = submit(d, "echo", 1, queue_timeout="200ms")
                assert o["state"] == "timeout", o
        for how in ("exit-exit", "exit-crash", "exit-stuck"):
            print("   ", kind, how, flush=True)
            with daemon(kind, env={"FAIL_AT": how}, stop={"timeout": "300ms"}) as d:
                at_full_size(d)
                for w in d.call("stop", select="f")["workers"]:
                    assert w["state"] == "stopped" and w["last_exit"]["exitcode"] != 0, w
                d.call("start", select="f")
                at_full_size(d)


def test_dies_at_once_for_ever():
    with Daemon({"pools": {"f": {"command": ["false"], "protocol": "tasks", "restart": {**RESTART, "limit": 5}}}}) as d:
        d.start()
        numbers = [send(d.client, "echo", i) for i in range(10)]
        for o in answers(d.client, numbers):
            assert "error" in o, o
        until(lambda: pool(d)["state"] == "failed")
        assert pool(d)["queued"] == 0
    # Tried for ever: each that is given to one of them is told in the end.
    with Daemon({"pools": {"f": {"command": ["false"], "protocol": "tasks", "restart": RESTART}}}) as d:
        d.start()
        for o in answers(d.client, [send(d.client, "echo", i) for i in range(3)]):
            died(1)(o)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
