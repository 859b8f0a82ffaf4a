"""A client that takes a snapshot and then every event in its order knows the state, whatever happens meanwhile."""
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_util import Client, Daemon  # noqa: E402

STATES = {"worker.starting": "starting", "worker.running": "running", "worker.stopping": "stopping",
          "worker.backoff": "backoff", "worker.stopped": "stopped", "worker.failed": "failed", "worker.done": "exited",
          "worker.adopted": None}


class Mirror:
    """What a newcomer would write: {pool: {slot: state}}, fed by the stream alone."""

    def __init__(self, path, **params):
        self.client = Client(path)
        self.client.send("events", snapshot=True, follow=True, **params)
        self.pools, self.seq, self.n_events, self.n_snapshots = {}, None, 0, 0

    def take(self, message):
        params = message["params"]
        if message["method"] == "gap":
            assert params["from"] == self.seq + 1, (params, self.seq)
            self.seq = params["to"]
        elif params["event"] == "snapshot":
            assert self.seq is None or params["seq"] >= self.seq
            self.n_snapshots += 1
            self.seq = params["seq"]
            self.pools = {p["name"]: {w["slot"]: w["state"] for w in p["workers"]} for p in params["pools"]}
        else:
            assert params["seq"] == self.seq + 1, (params["seq"], self.seq)
            self.seq = params["seq"]
            self.n_events += 1
            self.apply(params)

    def apply(self, e):
        pool, data = e.get("pool"), e["data"]
        if e["event"] == "pool.removed":
            del self.pools[pool]
        elif e["event"] in ("pool.added", "pool.scaled", "pool.resized"):
            before = self.pools.get(pool, {})
            self.pools[pool] = {slot: before.get(slot, "created") for slot in range(data["workers"])}
        elif STATES.get(e["event"]):
            slot = int(e["worker"].split("/")[1]) if "/" in e["worker"] else 0
            workers = self.pools.setdefault(pool, {})
            if slot in workers or pool == e["worker"]:  # else its slot is gone already: it only ends
                workers[slot] = STATES[e["event"]]

    def until(self, seq):
        while self.seq is None or self.seq < seq:
            self.take(self.client.receive())
        return self.pools


def truth(d):
    """At rest: the state, and the number of the last event before it."""
    pools = d.call("status")["pools"]
    return ({p["name"]: {w["slot"]: w["state"] for w in p["workers"]} for p in pools}, d.call("events")["last"])


def churn(d, n, seed):
    """Whatever a user does, without waiting; then rest."""
    pick = random.Random(seed)
    for i in range(n):
        pool = pick.choice(["web", "db", "bad"])
        what = pick.choice(["kill", "stop", "start", "restart", "scale", "add", "run"])
        if what == "kill":
            d.call("kill", select=[pool])
        elif what == "scale":
            d.call("scale", pool=pool, workers=pick.randrange(5))
        elif what == "add":
            d.call("pool.add", name=f"more-{seed}-{i}", command=["/bin/sleep", "1000"], workers=2)
            d.call("pool.remove", pool=f"more-{seed}-{i}", wait=pick.random() < 0.5)
        elif what == "run":
            d.call("wait", process=d.call("run", command=["/bin/true"], name=f"job-{seed}-{i}")["process"])
        else:
            d.call(what, select=["all" if pick.random() < 0.2 else pool], wait=False)
    d.call("stop", select=["bad"])
    for pool in ("web", "db"):
        d.call("scale", pool=pool, workers=3)
    d.call("start", select=["web", "db"])


class Snapshot(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        sleeper = {"command": ["/bin/sleep", "1000"], "workers": 3, "stop": {"timeout": 5},
                   "restart": {"policy": "always", "delay": 0.01, "max_delay": 0.01, "limit": 0}}
        self.d = Daemon({"pools": {"web": sleeper, "db": sleeper,
                                   "bad": {**sleeper, "command": ["/bin/false"]}}})
        self.d.__enter__()
        self.addCleanup(self.d.__exit__)
        self.d.start()

    def at_rest(self, *mirrors):
        mirrors[0].until(self.d.call("events")["last"])
        while any(name.startswith("more-") for name in mirrors[0].pools):  # they are still going
            mirrors[0].take(mirrors[0].client.receive())
        state, last = truth(self.d)
        for m in mirrors:
            self.assertEqual(m.until(last), state)

    def test_churn(self):
        first = Mirror(self.d.path)
        for seed in range(3):
            late = Mirror(self.d.path)  # comes in the midst of it
            churn(self.d, 25, seed)
            self.at_rest(first, late)
            late.client.close()
        self.assertEqual(first.n_snapshots, 1)
        self.assertGreater(first.n_events, 100)

    def test_death_of_the_daemon(self):
        first = Mirror(self.d.path)
        for seed in range(3):
            churn(self.d, 10, seed)
            for pool in ("web", "db"):
                self.d.call("restart", select=[pool], wait=False)
            seq = first.seq or 0
            self.d.kill_droverd()
            again = Mirror(self.d.path)
            churn(self.d, 5, seed + 100)
            self.at_rest(again)
            self.assertGreater(again.seq, seq)  # numbers only grow
            self.assertEqual(again.n_snapshots, 1)
            first = again

    def test_selection_and_types(self):
        m = Mirror.__new__(Mirror)
        m.client = Client(self.d.path)
        m.client.send("events", snapshot=True, follow=True, select=["web/0", "d*"], types=["worker.stop*"])
        snapshot = m.client.receive()["params"]
        names = [w["name"] for p in snapshot["pools"] for w in p["workers"]]
        self.assertEqual(names, ["db/0", "db/1", "db/2", "web/0"])
        self.d.call("stop", select=["web", "db/1"])
        got = [m.client.receive()["params"] for _ in range(4)]
        self.assertEqual({(e["event"], e["worker"]) for e in got},
                         {(f"worker.stop{end}", w) for end in ("ping", "ped") for w in ("web/0", "db/1")})

    def test_without_follow_it_ends(self):
        client = Client(self.d.path)
        result = client.call("events", snapshot=True)
        self.assertEqual([n["params"]["event"] for n in client.notes], ["snapshot"])
        self.assertEqual(result["last"], client.notes[0]["params"]["seq"])


if __name__ == "__main__":
    unittest.main()
