"""A task that is finished stays so, whatever its worker does then: answers outlive the process that has not sent them."""
import json
import os
import random
import signal
import sys

from daemon_util import Daemon
from test_tasks import results

MODULE = os.environ["TASK_MODULE"]
N = 40  # requests that a worker has at hand at once


def daemon(workers=1):
    return Daemon({"pools": {"m": {"module": MODULE, "workers": workers, "tasks": {"prefetch": 64},
                                   "restart": {"delay": 0.01, "max_delay": 0.01}}}})


def submit(d, *calls):
    """All in one write, so that droverd and the worker see them together."""
    lines, ids = [], []
    for target, *args in calls:
        d.client.last_id += 1
        ids.append(d.client.last_id)
        lines.append('{"jsonrpc":"2.0","id":%d,"method":"task.submit","params":{"pool":"m","target":"%s","args":%s}}\n'
                     % (d.client.last_id, target, json.dumps(args)))
    d.client.socket.sendall("".join(lines).encode())
    return [d.client.answer(i)["task"] for i in ids]


def check_one_died(d, tasks):
    outcomes = d.call("task.wait", tasks=tasks)["tasks"]
    for i, o in enumerate(outcomes[:N]):
        assert o["state"] == "done" and o["result"] == i, o
    assert outcomes[N]["state"] == "failed" and outcomes[N]["error"]["data"]["name"] == "worker-died", outcomes[N]
    for i, o in enumerate(outcomes[N + 1:]):
        assert o["state"] == "done" and o["result"] == i, o


def test_before_a_death():
    with daemon() as d:
        d.start()
        for _ in range(20):
            d.call("wait", select="m", **{"for": "ready"})
            same = [("same", i) for i in range(N)]
            check_one_died(d, submit(d, *same, ("die",), *same[:10]))


def test_before_two_deaths():
    """The worker kills droverd and then itself: the next droverd finds what was finished."""
    with daemon() as d:
        d.start()
        for _ in range(5):
            d.call("wait", select="m", **{"for": "ready"})
            same = [("same", i) for i in range(N)]
            fifo = d.place + "/gate"
            os.mkfifo(fifo)
            tasks = submit(d, ("wait_for_bytes", fifo), *same, ("die", d.call("daemon.info")["pid"]), *same[:10])
            with open(fifo, "w", encoding="ascii") as f:
                f.write("x")
            os.unlink(fifo)
            d.client.socket.recv(1)  # the end of that droverd
            d.connect_again()
            check_one_died(d, tasks[1:])


def test_in_a_chunk():
    """Of a chunk only the item that killed is charged; items before it, also those that raised, have their answers."""
    with daemon(workers=2) as d:
        d.start()
        for chunk in (1, 10, 100):
            items = list(range(30)) + [-1] + list(range(30))
            assert d.call("task.map", pool="m", target="mortal", items=items, chunk=chunk) == {"items": 61, "failed": 3}
            found = results(d.client)
            for i, x in enumerate(items):
                if x == 13:
                    assert found[i]["data"]["type"] == "ValueError", found[i]
                elif x < 0:
                    assert found[i]["data"]["name"] == "worker-died", found[i]
                else:
                    assert found[i] == x * x, (i, found[i])


def test_long_answers_of_a_chunk():
    with daemon() as d:
        d.start()
        sizes = [10000] * 100
        assert d.call("task.map", pool="m", target="long_text", items=sizes, chunk=100) == {"items": 100, "failed": 0}
        assert {len(v) for v in results(d.client).values()} == {10000}


def test_answers_in_parts():
    """Long chunks answered in lines, some in the socket and some in the page when droverd looks there."""
    with daemon(workers=2) as d:
        d.start()
        for _ in range(3):
            assert d.call("task.map", pool="m", target="same", count=300000) == {"items": 300000, "failed": 0}
            assert results(d.client) == {i: i for i in range(300000)}


def test_not_withheld():
    """What is finished is told although the next task lasts."""
    with daemon() as d:
        d.start()
        d.call("wait", select="m", **{"for": "ready"})
        first, gate = d.place + "/first", d.place + "/gate"
        os.mkfifo(first)
        os.mkfifo(gate)
        tasks = submit(d, ("wait_for_bytes", first), *[("same", i) for i in range(N)], ("wait_for_bytes", gate))
        with open(first, "w", encoding="ascii") as f:
            f.write("x")
        outcomes = d.call("task.wait", tasks=tasks[:-1])["tasks"]
        assert [o["result"] for o in outcomes[1:]] == list(range(N))
        with open(gate, "w", encoding="ascii") as f:
            f.write("x")
        assert d.call("task.wait", tasks=tasks)["tasks"][-1]["state"] == "done"


def test_not_behind_a_slow_one():
    """Tasks that were given ahead go to another worker when the one before them lasts and that one has nothing to do."""
    with daemon(workers=2) as d:
        d.start()
        d.call("wait", select="m", **{"for": "ready"})
        for i in range(10):
            gate = f"{d.place}/gate{i}"
            os.mkfifo(gate)
            tasks = submit(d, ("wait_for_bytes", gate), *[("same", i) for i in range(N)])
            outcomes = d.call("task.wait", tasks=tasks[1:], timeout=60)["tasks"]
            assert [o["result"] for o in outcomes] == list(range(N))
            # One that is cancelled before its turn harms nobody.
            behind = submit(d, ("wait_for_bytes", gate + "x"), *[("same", i) for i in range(N)])
            assert d.call("task.cancel", tasks=behind[5:6]) in ({"cancelled": 0}, {"cancelled": 1})
            with open(gate, "w", encoding="ascii") as f:
                f.write("x")
            states = [o["state"] for o in d.call("task.wait", tasks=behind)["tasks"]]
            assert states[0] == "failed" and set(states[1:]) <= {"done", "cancelled"} and states.count("cancelled") <= 1, states
            assert d.call("task.wait", tasks=tasks)["tasks"][0]["state"] == "done"
        assert not any(w["restarts"] for w in d.call("status", select="m")["pools"][0]["workers"])


def test_storm():
    """droverd dies again and again while fast and slow tasks move from worker to worker: each is done, once."""
    rng = random.Random(int(os.environ.get("SEED", "1")))
    with daemon(workers=3) as d:
        d.start()
        d.call("wait", select="m", **{"for": "ready"})
        tasks = []
        for _ in range(5):
            calls = [("nap", rng.choice((3, 10, 30))) if rng.random() < 0.05 else ("same", i) for i in range(150)]
            tasks += zip(submit(d, *calls), (c[1] for c in calls))
            os.kill(d.call("daemon.info")["pid"], signal.SIGKILL)
            d.client.socket.recv(1 << 20)
            d.connect_again()
        outcomes = d.call("task.wait", tasks=[t for t, _ in tasks], timeout=60)["tasks"]
        for o, (t, result) in zip(outcomes, tasks):
            assert o["state"] == "done" and o["result"] == result, (o, t, result)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
