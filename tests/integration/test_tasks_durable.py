"""Durable tasks: everything is killed, keeper and all, and started anew; the file is cut; the disk is full."""
import os
import random
import re
import signal
import subprocess
import sys

from daemon_util import PATIENCE, Client, Failure, wait_gone
from test_tasks import daemon, notes
from test_tasks_edges import configure, pool_of, settled, states, submit, until


def durable(workers=1, **tasks):
    d = daemon(workers=workers, durable=True, **tasks)
    d.file = d.place + "/state/tasks.log"
    return d


def power_cut(d, start=True):
    """Keeper, droverd, logger and workers, none of whom is asked."""
    info = d.call("daemon.info")
    pids = [info["pid"], info["logger_pid"]] + [w["pid"] for w in d.workers().values() if w["pid"]]
    os.kill(info["keeper_pid"], signal.SIGSTOP)
    for pid in pids + [info["keeper_pid"]]:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        wait_gone(pid)
    d.process.wait(PATIENCE)
    d.client.close()
    d.client = None
    while True:  # what it said before
        d.notify.settimeout(0)
        try:
            d.notify.recv(4096)
        except BlockingIOError:
            break
    d.notify.settimeout(PATIENCE)
    if os.path.exists(d.path):
        os.unlink(d.path)
    if start:
        d.start()


def test_accepted_tasks_survive():
    with durable() as d:
        d.start()
        d.call("stop", select="plain")
        tasks = [submit(d, "note", i, key=f"k{i}", priority=i % 2) for i in range(50)]
        assert os.stat(d.file).st_mode & 0o777 == 0o600
        power_cut(d)
        assert submit(d, "note", 0, key="k0") == tasks[0]  # the same task still
        assert states(d, *tasks) == ["done"] * 50
        assert notes(d) == [str(i) for i in range(1, 50, 2)] + [str(i) for i in range(0, 50, 2)]
        new = submit(d, "note", "new")
        assert new not in tasks and states(d, new) == ["done"]
        n = len(notes(d))
        d.kill_droverd()
        power_cut(d)
        assert states(d, *tasks, new) == ["done"] * 51 and len(notes(d)) == n


def test_begun_tasks():
    """At most once: lost, and it says so. By leave: once more."""
    with durable(workers=2) as d:
        d.start()
        d.call("wait", select="plain", **{"for": "ready"})
        once, again = submit(d, "sleep", 5), submit(d, "sleep", 0.5, attempts=2)
        until(lambda: pool_of(d)["busy"] == 2)
        behind = submit(d, "note", "behind", queue_timeout="1h")
        power_cut(d)
        (o, p, q) = settled(d, once, again, behind)
        assert o["state"] == "lost" and o["error"]["data"]["name"] == "worker-died" and "not known" in o["error"]["message"], o
        assert p["result"] == 0.5 and q["state"] == "done" and notes(d) == ["behind"]
        power_cut(d)
        assert settled(d, once, again, behind) == [o, p, q]


def test_storm_of_power_cuts():
    with durable(workers=2) as d:
        d.start()
        rng, ids = random.Random(int(os.environ.get("SEED", "1"))), {}
        for i in range(300):
            while True:
                try:
                    ids[i] = submit(d, "note", i, key=f"k{i}")
                    break
                except (OSError, EOFError):
                    d.connect_again()
            if rng.random() < 0.015:
                power_cut(d)
            elif rng.random() < 0.01:
                d.kill_droverd()
        found = settled(d, *ids.values())
        said = notes(d)
        assert len(set(ids.values())) == 300 and len(said) == len(set(said)), "done twice"
        assert {o["state"] for o in found} <= {"done", "lost", "failed"}, found
        assert all(str(i) in said for i, o in zip(ids, found) if o["state"] == "done")


def test_cut_file():
    """Whatever is cut off: droverd comes up, and has the tasks that are whole."""
    with durable() as d:
        configure(d, plain={"autostart": False})
        d.start()
        for i in range(12):
            submit(d, "note", i)
        power_cut(d, start=False)
        with open(d.file, "rb") as f:
            whole = f.read()
        rng = random.Random(7)
        for cut in [0, 1, len(whole) - 1] + [rng.randrange(len(whole)) for _ in range(int(os.environ.get("CUTS", "4")))]:
            with open(d.file, "wb") as f:
                f.write(whole[:cut])
            d.start()
            listed = [t["task"] for t in d.call("task.list", pool="plain")["tasks"]]
            expected = re.findall(rb"\btask:(plain-\d+) .*\n", whole[:cut])
            assert [t.encode() for t in listed] in (expected, expected + [b"plain-12"] if cut == len(whole) - 1 else expected), (cut, listed)
            assert submit(d, "note", "new") not in listed
            power_cut(d, start=False)


def test_full_disk():
    """New ones are refused and say why; those accepted are carried out, and their ends are on record."""
    if os.geteuid() != 0:
        return  # needs a small file system
    with durable() as d:
        os.makedirs(d.place + "/state")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", d.place + "/state"], check=False).returncode:
            print("no mount here")
            return
        try:
            d.start()
            d.call("stop", select="plain")
            accepted, error = [], None
            while error is None and len(accepted) < 3000:
                try:
                    accepted.append(submit(d, "note", len(accepted), key="x" * 100 + str(len(accepted))))
                except Failure as e:
                    error = e.error
            assert error and error["data"]["name"] == "failed" and "disk is full" in error["message"], (error, len(accepted))
            d.call("start", select="plain")
            assert states(d, *accepted) == ["done"] * len(accepted)
            power_cut(d)
            assert states(d, *accepted) == ["done"] * len(accepted) and len(notes(d)) == len(accepted)
        finally:
            if d.process:
                d.terminate()
            subprocess.run(["umount", "-l", d.place + "/state"], check=False)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
