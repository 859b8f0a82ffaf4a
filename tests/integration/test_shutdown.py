"""A daemon that is told to end ends, whatever it is in the middle of. Each round starts one with everything at once (pools
that wait for each other, restarts, recycling, a reload, frozen workers, sockets nobody called yet, stop commands that hang,
probes, hooks), sends SIGTERM at a random moment, some rounds with a kill -9 of droverd or the logger around it, and
measures how long all processes need to be gone. By hand: DROVER_TEST_ROUNDS=100 DROVER_TEST_SEED=7."""
import os
import random
import select
import signal
import subprocess
import sys
import time
import unittest

from daemon_util import PATIENCE, Daemon, is_alive

ROUNDS = int(os.environ.get("DROVER_TEST_ROUNDS", "6"))
SEED = int(os.environ.get("DROVER_TEST_SEED", "1"))
STOP_SECONDS = 1.0   # the longest stop.timeout, and what hooks and stop commands may take
END_SECONDS = 40.0   # of a machine that has other work to do, and with a logger that does not answer

SLEEP = ["/bin/sleep", "1000000"]
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"]
# Ready by a line on descriptor 3, later than others.
SLOW = ["/bin/sh", "-c", "sleep 0.2; echo >&3; exec sleep 1000000"]
# A tree: a child in a session of its own.
TREE = ["/bin/sh", "-c", "setsid sleep 1000000 & exec sleep 1000000"]
HANG = ["/bin/sh", "-c", "trap '' TERM; sleep 1000000"]


def pools(place):
    stop = {"stop": {"timeout": f"{STOP_SECONDS}s"}}
    slow = {"command": SLOW, "ready": {"fd": 3}, **stop}
    return {
        "base": {"command": SLEEP, **stop},
        "middle": {"command": STUBBORN, "requires": ["base"], "workers": 2, **stop},
        "top": {**slow, "requires": ["middle"], "after": ["tree"]},
        "tree": {"command": TREE, "workers": 2, **stop},
        "young": {**slow, "workers": 2, "recycle": {"age": "150ms", "jitter": 0.5}, "reload": {"max_surge": 1}},
        "batch": {**slow, "workers": 3, "reload": {"max_unavailable": 1, "soak": "100ms"}},
        "never": {"command": SLEEP, "ready": "notify", **stop},
        "crash": {"command": ["/bin/false"], "restart": {"delay": "20ms"}},
        "missing": {"command": ["/nonexistent/program"]},
        "waits": {"command": SLEEP, "requires": ["missing"]},
        "asleep": {"command": SLEEP, "on_demand": True, "listen": {"main": place + "/asleep.sock"}, **stop},
        "loaded": {"command": SLEEP, "listen": {"main": place + "/loaded.sock"},
                   "workers": {"min": 1, "max": 3, "idle_timeout": "100ms"}, **stop},
        "asked": {"command": STUBBORN, "stop": {"command": HANG, "timeout": f"{STOP_SECONDS}s"}, "workers": 2},
        "probed": {"command": SLEEP, "health": {"exec": HANG, "interval": "50ms", "timeout": "1s", "threshold": 1000}, **stop},
        "frozen": {"command": STUBBORN, "workers": 2, **stop},
    }


def config(place):
    hook = {"command": HANG, "timeout": f"{STOP_SECONDS}s", "min_interval": "10ms"}
    return {"pools": pools(place), "hooks": {"all": {"events": ["worker.*"], **hook}, "end": {"events": ["daemon.stopping"], **hook}}}


def programs(d):
    info = d.call("daemon.info")
    return [info[key] for key in ("pid", "keeper_pid", "logger_pid")]


def family(pids):
    """Everything below these processes."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
        except OSError:
            continue
    found, todo = set(), list(pids)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += children.get(pid, [])
    return found


def kill_next(keeper):
    """SIGKILL to the next droverd that this keeper starts, as soon as it is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for pid in family([keeper]):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                    if f.read() == "droverd\n" and is_alive(pid):
                        os.kill(pid, signal.SIGKILL)
                        return
            except OSError:
                continue


def picture(pids):
    """For people: what is still there, and what it waits for."""
    lines = subprocess.run(["ps", "-o", "pid,ppid,stat,wchan:20,etimes,args", "-p", ",".join(map(str, pids))],
                           stdout=subprocess.PIPE, check=False)
    return lines.stdout.decode()


class Shutdown(unittest.TestCase):
    def meddle(self, d, rng):
        """Some calls, none of which is waited for."""
        calls = [("reload", {"select": "batch", "wait": False}), ("reload", {"select": "young", "wait": False}),
                 ("pause", {"select": "frozen"}), ("stop", {"select": "base", "wait": False}),
                 ("restart", {"select": "asked", "wait": False}), ("stop", {"select": "asked", "wait": False}),
                 ("scale", {"pool": "tree", "workers": 4, "wait": False}), ("drain", {"select": "loaded"}),
                 ("kill", {"select": "middle", "tree": True}), ("wait", {"select": "never", "for": "ready"}),
                 ("stop", {"select": "all"}), ("start", {"select": "waits"}),
                 ("run", {"command": TREE}), ("run", {"command": STUBBORN, "daemon": True, "stop": {"timeout": f"{STOP_SECONDS}s"}})]
        for method, params in rng.sample(calls, rng.randrange(len(calls))):
            d.client.send(method, **params)

    def one(self, rng):
        with Daemon() as d:
            d.write_config(config(d.place))
            d.start()
            droverd, keeper, logger = programs(d)
            if rng.random() < 0.7:
                for name in ("frozen", "batch", "asked"):
                    d.call("wait", select=name, timeout=PATIENCE, **{"for": "ready"})
            if rng.random() < 0.8:
                self.meddle(d, rng)
            faults = [(droverd, "droverd")] * (rng.random() < 0.5) + [(logger, "the logger")] * (rng.random() < 0.2)
            story = []
            before = rng.random() < 0.6
            select.select([], [], [], rng.random() * 0.6)  # the random moment
            if rng.random() < 0.1:
                os.kill(logger, signal.SIGSTOP)
                story.append("SIGSTOP of the logger")
            for pid, name in faults * before:
                os.kill(pid, signal.SIGKILL)
                story.append(f"kill -9 of {name}")
            if rng.random() < 0.15:  # until the keeper waits a while before it starts it again
                for _ in range(rng.randrange(1, 5)):
                    kill_next(keeper)
                story.append("and of its next lives")
            select.select([], [], [], rng.choice([0, 0, rng.random() * 0.05, rng.random() * 0.5]))
            all_pids = family([keeper])
            began = time.monotonic()
            d.process.send_signal(rng.choice([signal.SIGTERM, signal.SIGINT]))
            story.append("SIGTERM")
            if not before:
                select.select([], [], [], rng.random() * 0.5)
                for pid, name in faults:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                    story.append(f"kill -9 of {name}")
            try:
                d.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                left = picture(family([keeper]))
                d.process.kill()
                d.process.wait()
                self.fail(f"still there after {' '.join(story)}:\n{left}\n{d.log()}")
            took = time.monotonic() - began
            left = [pid for pid in all_pids if is_alive(pid)]
            self.assertEqual(left, [], picture(left) if left else "")
            return took, story

    def test_hooks_that_never_end(self):
        with Daemon() as d:
            hook = {"command": HANG, "timeout": "1h", "min_interval": "1h"}
            d.write_config({"pools": {"p": {"command": SLEEP}}, "hooks": {"end": {"events": ["worker.*"], **hook}}})
            d.start()
            d.call("wait", select="p", timeout=PATIENCE, **{"for": "ready"})
            self.assertEqual(d.terminate(), 0)
            self.assertIn("hook end: had not ended after 10s; killed", d.log())

    def test_it_ends_at_any_moment(self):
        slowest = 0
        for i in range(ROUNDS):
            with self.subTest(seed=SEED, round=i):
                took, story = self.one(random.Random(f"{SEED}/{i}"))
                slowest = max(slowest, took)
                if ROUNDS > 20:
                    print(f"round {i}: {took:.2f} s: {', '.join(story)}", file=sys.stderr, flush=True)
        print(f"slowest of {ROUNDS}: {slowest:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
