"""The storm: tasks are submitted by several connections while workers and droverd are killed at random.

Each accepted task has exactly one final state, none is carried out twice, and none hangs. Whole: test_tasks_storm.py
1000000; the tests do a few thousand. SEED repeats a run's kills, as far as time allows."""
import collections
import json
import os
import random
import signal
import socket
import sys
import threading
import time

from daemon_util import PATIENCE, Daemon

N = int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ.get("STORM_TASKS", "6000"))
SEED = int(os.environ.get("SEED", "1"))
CONNECTIONS = 4
BATCH = 500
WORKER_KILLS_EACH = 400  # tasks, on average
DAEMON_KILLS_EACH = 3000 if N <= 20000 else 20000

# Notes each task as begun, then carries it out. One that is asked to fails.
WORKER = r"""
import json, os, socket
s = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
notes = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND)
for line in s.makefile("r"):
    r = json.loads(line)
    n = r["params"]["args"][0]
    os.write(notes, b"%d\n" % n)
    answer = {"error": {"code": 1, "message": "odd"}} if n % 1000 == 999 else {"result": n * n}
    s.sendall(json.dumps({"jsonrpc": "2.0", "id": r["id"], **answer}).encode() + b"\n")
"""
FINAL = {"done", "failed", "cancelled", "timeout", "lost"}


class Line:
    """A connection that comes back, with many calls in flight."""

    def __init__(self, path):
        self.path, self.file, self.socket = path, None, None

    def open(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(PATIENCE)
                self.socket.connect(self.path)
                self.file = self.socket.makefile("rb", 1 << 18)
                return
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline, "there is no socket"

    def calls(self, method, all_params):
        """The answers, in the order of @all_params."""
        if not self.file:
            self.open()
        lines = [json.dumps({"jsonrpc": "2.0", "id": i, "method": method, "params": p}) for i, p in enumerate(all_params)]
        answers = {}
        try:
            for first in range(0, len(lines), 50):
                some = lines[first:first + 50]
                self.socket.sendall(("\n".join(some) + "\n").encode())
                while len(answers) < first + len(some):
                    line = self.file.readline()
                    if not line:
                        raise EOFError
                    a = json.loads(line)
                    answers[a["id"]] = a
        except (OSError, EOFError):
            self.socket.close()
            self.file = None
            raise
        return [answers[i] for i in range(len(lines))]


class Storm:
    def __init__(self, d):
        self.d, self.lock, self.rng = d, threading.Lock(), random.Random(SEED)
        self.counts, self.done, self.ids = collections.Counter(), bytearray(N), {}
        self.n_limits = self.n_again = self.n_submitted = self.n_reruns = 0
        self.errors = []

    def insist(self, line, method, params):
        while True:
            try:
                return line.calls(method, params)
            except (OSError, EOFError):
                self.n_again += 1

    def submit(self, line, numbers):
        """Ids by number; whoever meets a limit waits for what is there, which is done by waiting for others."""
        ids, left = {}, list(numbers)
        while left:
            params = [{"pool": "plain", "target": "f", "args": [n], "key": f"t{n}", "priority": n % 3 - 1} for n in left]
            refused = []
            for n, a in zip(left, self.insist(line, "task.submit", params)):
                if "result" in a:
                    ids[n] = a["result"]["task"]
                    continue
                assert a["error"]["data"]["name"] == "limit", a
                refused.append(n)
            self.n_limits += len(refused)
            left = refused
            if refused and ids:
                self.insist(line, "task.wait", [{"tasks": list(ids.values())}])
        return ids

    def settle(self, line, ids):
        asked = list(ids.items())
        if self.rng.random() < 0.02:  # change one's mind about some
            some = [i for _, i in asked[-20:]]
            self.insist(line, "task.cancel", [{"tasks": some}])
        (a,) = self.insist(line, "task.wait", [{"tasks": [i for _, i in asked]}])
        assert "result" in a, a
        with self.lock:
            for (n, i), o in zip(asked, a["result"]["tasks"]):
                assert o["task"] == i and o["state"] in FINAL, o
                self.counts[o["state"]] += 1
                if o["state"] == "failed":
                    self.counts["failed: " + o["error"]["data"]["name"]] += 1
                if o["state"] == "done":
                    assert o["result"] == n * n
                    self.done[n] = 1

    def client(self, which):
        try:
            line = Line(self.d.path)
            for first in range(which * BATCH, N, CONNECTIONS * BATCH):
                ids = self.submit(line, range(first, min(first + BATCH, N)))
                with self.lock:
                    assert not set(ids.values()) & self.ids.keys(), "an id twice"
                    self.ids.update((i, None) for i in ids.values())
                    self.n_submitted += len(ids)
                self.settle(line, ids)
        except BaseException as e:
            self.errors.append(e)
            raise

    def killer(self, threads):
        line, n_workers, n_daemons, next_worker, next_daemon = Line(self.d.path), 0, 0, 0, DAEMON_KILLS_EACH
        while any(t.is_alive() for t in threads):
            threads[0].join(0.02)  # the pace; what happens hangs on counts
            if self.n_submitted < min(next_worker, next_daemon):
                continue
            if self.n_submitted >= next_worker:
                next_worker = self.n_submitted + self.rng.randrange(2 * WORKER_KILLS_EACH)
                (a,) = self.insist(line, "status", [{"select": "plain"}])
                pids = [w["pid"] for w in a["result"]["pools"][0]["workers"] if w["pid"]]
                for pid in pids[:1] if self.rng.random() < 0.9 else pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                        n_workers += 1
                    except ProcessLookupError:
                        pass
            if self.n_submitted >= next_daemon:
                next_daemon = self.n_submitted + self.rng.randrange(2 * DAEMON_KILLS_EACH)
                (a,) = self.insist(line, "daemon.info", [{}])
                os.kill(a["result"]["pid"], signal.SIGKILL)
                n_daemons += 1
        return n_workers, n_daemons


def main():
    with Daemon() as d:
        notes = d.place + "/notes"
        open(notes, "w", encoding="utf-8").close()
        with open(d.place + "/worker.py", "w", encoding="utf-8") as f:
            f.write(WORKER)
        d.write_config({"pools": {"plain": {"command": [sys.executable, "-S", "-E", d.place + "/worker.py"], "protocol": "tasks",
                                            "workers": 3, "env": {"NOTES": notes}, "tasks": {"queue_max": 1000}}}})
        d.start()
        begun = time.monotonic()
        s = Storm(d)
        threads = [threading.Thread(target=s.client, args=(i,)) for i in range(CONNECTIONS)]
        for t in threads:
            t.start()
        n_workers, n_daemons = s.killer(threads)
        for t in threads:
            t.join()
        if s.errors:
            print(d.log()[-5000:])
            raise s.errors[0]
        seconds = time.monotonic() - begun
        n_final = sum(s.counts[state] for state in FINAL)
        print(f"{N} tasks in {seconds:.1f} s, {n_workers} workers and {n_daemons} times droverd killed, {s.n_limits} times at a limit, "
              f"{s.n_again} calls repeated: {dict(s.counts)}")
        assert n_final == s.n_submitted == N, (n_final, s.n_submitted)
        said = bytearray(N)
        with open(notes, encoding="utf-8") as f:
            for line in f:
                assert not said[int(line)], "carried out twice"
                said[int(line)] = 1
        assert all(said[n] for n in range(N) if s.done[n]), "done, but never begun"
        assert s.counts["failed: worker-died"] + s.counts["lost"] <= n_workers + n_daemons * 3
        d.connect_again()
        (pool,) = d.call("status", select="plain")["pools"]
        assert pool["queued"] == 0 and pool["busy"] == 0, pool


if __name__ == "__main__":
    main()
