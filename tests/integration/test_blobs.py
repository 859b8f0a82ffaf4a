"""Blobs with the real programs: a Python worker and a Python client that pass descriptors, modules of libdrover's, and whoever
means harm to either side."""
import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys

from daemon_util import PATIENCE, Client, Daemon, Failure

MODULE, PICTURE = os.environ["BLOB_MODULE"], os.environ["PICTURE_MODULE"]
CLIENT, INVERT = os.environ["BLOB_CLIENT"], os.environ["EXAMPLE_INVERT"]
F_SEAL_WRITE = 8

# A worker that takes and makes blobs: arguments are read, results are written, both by descriptors beside the lines.
WORKER = r"""
import fcntl, json, os, signal, socket, sys, time
s = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
data, fds, waiting = b"", [], []
def say(**m): s.sendall(json.dumps({"jsonrpc": "2.0", **m}).encode() + b"\n")
def receive():
    global data
    while b"\n" not in data:
        more, new, _, _ = socket.recv_fds(s, 65536, 64)
        if not more: sys.exit()
        data += more; fds.extend(new)
    line, data = data.split(b"\n", 1)
    m = json.loads(line)
    m["fds"] = [fds.pop(0) for _ in range((m.get("params") or m.get("result") or {}).get("descriptors", 0))]
    return m
def blob(content, seal=True, size=None):
    say(id="b", method="blob.new", params={"size": size or len(content)})
    while True:
        m = receive()
        if m["id"] == "b": break
        waiting.append(m)
    if "error" in m: raise MemoryError(m["error"]["message"])
    os.pwrite(m["fds"][0], content, 0)
    if seal: fcntl.fcntl(m["fds"][0], fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    os.close(m["fds"][0])
    return m["result"]["blob"]
def call(m, a, k, blobs):
    if m == "sum": return {"result": [sum(b) for b in blobs] + a}
    if m == "double": return {"result": {"$blob": 0}, "blobs": [blob(blobs[0] * 2)]}
    if m == "text": return {"result": None, "spill": blob(json.dumps("x" * a[0], indent=1).encode() + b"\n")}
    if m == "count": return {"result": None, "spill": blob(json.dumps({"args": a, "kwargs": k}).encode())}
    if m == "part": return {"result": {"$blob": 0}, "blobs": [{"blob": blob(b"abc", size=4096), "size": 3}]}
    if m == "wrong": return {"result": None, "spill": blob(b'{"no":')}
    if m == "unsealed": return {"result": None, "spill": blob(b"1", seal=False)}
    if m == "other": return {"result": None, "spill": "blob-1"}
    if m == "toolong": return {"result": None, "blobs": [{"blob": blob(b"1"), "size": 5000}]}
    if m == "twice": b = blob(b"1"); return {"result": None, "blobs": [b, b]}
    if m == "many": return {"result": None, "blobs": [blob(b"1")] * 17}
    if m == "greedy":
        n = 0
        try:
            while True: blob(b"1"); n += 1
        except MemoryError as e: return {"result": [n, str(e)]}
    if m == "huge": blob(b"1", size=a[0])
    if m == "die": blob(b"1"); os._exit(3)
    if m == "sleep": time.sleep(a[0]); return {"result": a[0]}
    if m == "note":
        with open(os.environ["NOTES"], "a") as f: f.write("here\n")
        time.sleep(a[0]); return {"result": None, "spill": blob(json.dumps("y" * a[1]).encode())}
    raise ValueError("no " + m)
say(method="hello", params={"name": "test", "targets": [], "items": False, "page": False, "blobs": True})
while True:
    r = waiting.pop(0) if waiting else receive()
    p = r["params"]
    read = [os.pread(fd, 1 << 30, 0) for fd in r["fds"]]
    for fd in r["fds"]: os.close(fd)
    if "spill" in p: p.update(json.loads(read.pop(0)))
    try: answer = call(r["method"], p["args"], p["kwargs"], read)
    except Exception as e: answer = {"error": {"code": 1, "message": f"{type(e).__name__}: {e}", "data": {"type": type(e).__name__}}}
    say(id=r["id"], **answer)
"""


class BlobClient(Client):
    """With the descriptors that come along."""

    def __init__(self, path):
        super().__init__(path)
        self.data, self.fds = b"", []

    def receive(self):
        while b"\n" not in self.data:
            more, fds, _, _ = socket.recv_fds(self.socket, 65536, 64)
            if not more:
                raise EOFError("the daemon closed the connection")
            self.data += more
            self.fds += fds
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def new(self, size):
        answer = self.call("blob.new", size=size)
        assert answer["descriptors"] == 1 and len(self.fds) == 1, answer
        return answer["blob"], self.fds.pop()

    def blob(self, content):
        name, fd = self.new(len(content))
        assert os.pwrite(fd, content, 0) == len(content)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        os.close(fd)
        return name

    def take(self):
        fd = self.fds.pop(0)
        with os.fdopen(fd, "rb") as f:
            return f.read()

    def get(self, task, **more):
        answer = self.call("blob.get", task=task, **more)
        content = self.take()
        assert answer["size"] <= len(content)
        return content[: answer["size"]]


def daemon(workers=2, **tasks):
    d = Daemon()
    with open(d.place + "/blobs.py", "w", encoding="utf-8") as f:
        f.write(WORKER)
    d.notes = d.place + "/notes"
    open(d.notes, "w", encoding="utf-8").close()
    d.write_config({"pools": {
        "blobs": {"module": MODULE, "workers": workers, "tasks": {"prefetch": 30}},
        "pictures": {"module": PICTURE},
        "plain": {"command": ["/bin/sleep", "1000"], "protocol": "tasks", "stop": {"timeout": "100ms"}},
        "py": {"command": [sys.executable, d.place + "/blobs.py"], "protocol": "tasks", "workers": workers, "env": {"NOTES": d.notes},
               "ready": "exec", "stop": {"timeout": 5}, "tasks": tasks}}})
    return d


def start(d):
    d.start()
    c = BlobClient(d.path)
    c.call("wait", select="py", **{"for": "ready"})
    return c


def refused(name, call, *args, **more):
    try:
        call(*args, **more)
    except Failure as e:
        assert e.error["data"]["name"] == name, e.error
        return e.error["message"]
    raise AssertionError("not refused")


def submit(c, target, *args, **more):
    return c.call("task.submit", pool="py", target=target, args=list(args), wait=True, **more)


def n_memfds(d, pid=None):
    """Of droverd; of the keeper, where it may be asked."""
    place = f"/proc/{pid or d.call('daemon.info')['pid']}/fd"
    found = 0
    if pid and os.getuid() > 0:
        return 2
    for name in os.listdir(place):
        try:
            found += "drover-blob" in os.readlink(f"{place}/{name}")
        except FileNotFoundError:
            pass
    return found


def test_arguments_and_results():
    with daemon() as d:
        c = start(d)
        a, b = c.blob(b"\1" * 100000), c.blob(b"\2" * 70000)
        o = submit(c, "sum", 5, blobs=[a, b])
        assert o["result"] == [100000, 140000, 5], o
        assert n_memfds(d) == 0
        # Its descriptors come with the outcome, or are asked for.
        o = submit(c, "double", blobs=[c.blob(b"abc" * 50000)], attach=True)
        assert o["descriptors"] == 1 and o["blobs"] == [{"size": 300000}] and o["result"] == {"$blob": 0}, o
        assert c.take() == b"abc" * 100000
        o = submit(c, "double", blobs=[c.blob(b"abc" * 50000)])
        assert "descriptors" not in o and c.get(o["task"], index=0) == b"abc" * 100000
        refused("not-found", c.get, o["task"], index=1)
        refused("not-found", c.get, o["task"])
        # Long texts of arguments, and of results for those who take descriptors and for those who do not.
        text = json.dumps({"args": ["z" * 100000, 2], "kwargs": {"k": [1]}}).encode()
        o = c.call("task.submit", pool="py", target="count", spill=c.blob(text), wait=True)
        assert o["result"] == {"args": ["z" * 100000, 2], "kwargs": {"k": [1]}}, str(o)[:200]
        o = submit(c, "text", 100000, attach=True)
        assert o["descriptors"] == 1 and "result" not in o and json.loads(c.take()) == "x" * 100000
        assert submit(c, "text", 100000)["result"] == "x" * 100000
        o = submit(c, "text", 2000000)
        assert o["state"] == "done" and o["error"]["data"]["name"] == "limit" and "blob.get" in o["error"]["message"], o
        assert json.loads(c.get(o["task"])) == "x" * 2000000
        # A part of a larger one; several waited for; one waited for with descriptors.
        o = submit(c, "part", attach=True)
        assert o["blobs"] == [{"size": 3}] and c.take()[:3] == b"abc"
        task = c.call("task.submit", pool="py", target="text", args=[70000])["task"]
        (o,) = c.call("task.wait", tasks=[task])["tasks"]
        assert o["result"] == "x" * 70000
        (o,) = c.call("task.wait", tasks=[task], attach=True)["tasks"]
        assert o["descriptors"] == 1 and json.loads(c.take()) == "x" * 70000
        (o,) = [o for o in c.call("task.list", pool="py")["tasks"] if o["task"] == task]
        assert "result" not in o and o["spill"]["size"] > 70000


def test_map():
    with daemon() as d:
        c = start(d)
        assert c.call("task.map", pool="py", target="text", items=[70000, 3, 100000]) == {"items": 3, "failed": 0}
        found = {}
        for m in c.notes:
            for i, value in enumerate(m["params"]["results"]):
                found[m["params"]["index"] + i] = value
        assert [len(found[i]) for i in range(3)] == [70000, 3, 100000]
        assert c.call("task.map", pool="py", target="text", items=[2000000, 3]) == {"items": 2, "failed": 1}


def test_a_worker_that_takes_none():
    with daemon() as d:
        c = start(d)
        c.call("wait", select="plain", **{"for": "ready"})
        o = c.call("task.submit", pool="plain", target="x", blobs=[c.blob(b"1")], wait=True)
        assert o["error"]["data"]["name"] == "limit" and "hello" in o["error"]["message"], o
        assert n_memfds(d) == 0


def test_wrong_clients():
    with daemon() as d:
        c, other = start(d), BlobClient(d.path)
        for size, name in ((0, "invalid"), (-1, "invalid"), ("x", "invalid"), ((1 << 30) + 1, "limit"), (1 << 60, "limit")):
            refused(name, c.call, "blob.new", size=size)
        name, fd = c.new(8192)
        # Its size is what it is; while somebody can write it, it is no argument.
        for cut in (0, 4096, 1 << 20):
            try:
                os.ftruncate(fd, cut)
                raise AssertionError("truncated")
            except PermissionError:
                pass
        assert "not sealed" in refused("invalid", c.call, "task.submit", pool="py", target="sum", blobs=[name])
        mapping = mmap.mmap(fd, 8192)
        try:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_WRITE)
            raise AssertionError("sealed while mapped")
        except OSError:
            pass
        assert "not sealed" in refused("invalid", c.call, "task.submit", pool="py", target="sum", blobs=[name])
        refused("not-found", other.call, "task.submit", pool="py", target="sum", blobs=[name])
        mapping[:3] = b"\1\1\1"
        mapping.close()
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_WRITE)
        for wrong in ("x", "blob-", "blob-x", "blob-99999", 5, {"blob": name, "size": 0}, {"size": 3}, None):
            refused("not-found", c.call, "task.submit", pool="py", target="sum", blobs=[wrong])
        refused("invalid", c.call, "task.submit", pool="py", target="sum", blobs=[{"blob": name, "size": 9000}])
        refused("not-found", c.call, "task.submit", pool="py", target="sum", blobs=[name, name])
        refused("invalid", c.call, "task.submit", pool="py", target="sum", args=[1], spill=name)
        refused("invalid", c.call, "task.submit", pool="py", target="sum", attach=True)
        refused("not-found", c.call, "task.submit", pool="none", target="sum", blobs=[name])
        assert submit(c, "sum", blobs=[{"blob": name, "size": 8192}])["result"] == [3]
        refused("not-found", c.call, "task.submit", pool="py", target="sum", blobs=[name])
        os.close(fd)
        # The offset is nobody's but the reader's; neither can what was used be written.
        name, fd = c.new(100)
        os.write(fd, b"\1" * 100)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_WRITE)
        assert submit(c, "sum", blobs=[name])["result"] == [100]
        try:
            os.pwrite(fd, b"x", 0)
            raise AssertionError("written")
        except PermissionError:
            pass
        os.close(fd)
        # What is given back is gone.
        name, fd = c.new(100)
        os.close(fd)
        assert c.call("blob.drop", blobs=[name, "blob-7", "x"]) == {"dropped": 1} and n_memfds(d) == 0


def program(d, *command):
    done = subprocess.run(command, env=dict(os.environ, DROVER_SOCKET=d.path), check=False, stdout=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == 0, done
    return done.stdout.decode()


def test_library():
    """libdrover on both sides; and each side against Python."""
    with daemon() as d:
        c = start(d)
        assert program(d, CLIENT) == "long texts\nthere and back\nat once\na crowd\nmany\n"
        assert program(d, INVERT, "pictures", "16") == "16777216 bytes, the first f0, the last f0\n"
        o = c.call("task.submit", pool="blobs", target="same", args=[{"$blob": 0}, 5], blobs=[c.blob(b"abc" * 30000)], wait=True, attach=True)
        assert o["result"] == [{"$blob": 0}, 5] and c.take()[:90000] == b"abc" * 30000, o
        text = json.dumps({"args": ["z" * 100000], "kwargs": {"k": "zz"}}).encode()
        o = c.call("task.submit", pool="blobs", target="lengths", spill=c.blob(text), wait=True)
        assert o["result"] == [100000, 2], o
        o = c.call("task.submit", pool="blobs", target="lengths", spill=c.blob(b'{"args":'), wait=True)
        assert o["error"]["data"]["name"] == "task-failed", o
        assert c.call("task.map", pool="blobs", target="text", items=[10, 70000, 20, 100000, 30], chunk=5) == {"items": 5, "failed": 0}
        found = {m["params"]["index"] + i: len(v) for m in c.notes for i, v in enumerate(m["params"]["results"])}
        assert found == {0: 10, 1: 70000, 2: 20, 3: 100000, 4: 30}, found
        c.notes.clear()
        answer = c.call("task.map", pool="blobs", target="text", items=[10, 1100000, 20], chunk=1)
        assert answer == {"items": 3, "failed": 1}, answer
        assert c.call("task.map", pool="blobs", target="make", items=[1, 2])["failed"] == 2
        c.notes.clear()


def test_a_gigabyte():
    """A result of that size is an error, or a blob: never droverd's memory."""
    with daemon(workers=1) as d:
        c = start(d)
        o = c.call("task.submit", pool="blobs", target="text", args=[(1 << 30) + 5], wait=True, attach=True)
        assert o["state"] == "failed" and "at most 1073741824" in o["error"]["message"], o
        o = c.call("task.submit", pool="blobs", target="make", args=[1, 1 << 30], wait=True, attach=True)
        assert o["descriptors"] == 1 and o["blobs"] == [{"size": 1 << 30}], o
        os.close(c.fds.pop())
        with open(f"/proc/{d.call('daemon.info')['pid']}/status", encoding="utf-8") as f:
            peak = int(next(line for line in f if line.startswith("VmHWM")).split()[1])
        assert peak < 100000, peak


def test_thousands():
    """Bounded on a connection, for a user, and gone with the connection."""
    with daemon() as d:
        c = start(d)
        many = [BlobClient(d.path) for _ in range(10)]
        n = 0
        for one in many:
            try:
                for _ in range(1000):
                    os.close(one.new(4096)[1])
                    n += 1
            except Failure as e:
                assert e.error["data"]["name"] == "limit"
        assert n == 1024, n
        assert submit(c, "sum", 1)["result"] == [1]
        for one in many:
            one.close()
        while n_memfds(d):
            c.call("status")
        os.close(c.new(1 << 30)[1])
        os.close(c.new(1 << 30)[1])
        refused("limit", c.call, "blob.new", size=1)
        # Somebody who does not read what he asked for.
        c.call("blob.drop", blobs=["blob-%d" % i for i in range(1025, 1030)])
        rude = BlobClient(d.path)
        rude.socket.setblocking(False)
        for i in range(3000):
            rude.last_id = i
            try:
                rude.send("blob.new", size=4096)
            except OSError:
                break
        rude.close()
        while n_memfds(d):
            c.call("status")


def test_a_client_that_dies():
    """At each step: nothing of it stays."""
    with daemon(workers=1) as d:
        c = start(d)
        for step in range(6):
            gone = BlobClient(d.path)
            if step > 0:
                name, fd = gone.new(100000)
            if step > 1:
                os.pwrite(fd, b"\1", 0)
            if step > 2:
                fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_WRITE)
            if step == 3:
                gone.send("task.submit", pool="py", target="sleep", args=[1000], blobs=[name], wait=True)
                while not d.call("status", select="py")["pools"][0]["busy"]:
                    pass
            if step == 4:
                gone.send("task.submit", pool="py", target="text", args=[300000], wait=True, attach=True)
            if step == 5:
                gone.call("task.submit", pool="py", target="text", args=[300000], wait=True, attach=True)
            gone.close()
            if step > 0:
                os.close(fd)
            while n_memfds(d):
                d.call("status")
        assert submit(c, "sum", 1)["result"] == [1]


def test_wrong_workers():
    with daemon() as d:
        c = start(d)
        for target, name in (("unsealed", "failed"), ("other", "failed"), ("toolong", "failed"), ("twice", "failed"), ("many", "failed"),
                             ("die", "worker-died")):
            o = submit(c, target, attach=True)
            assert o["error"]["data"]["name"] == name, o
            assert submit(c, "sum", 1)["result"] == [1], target
        o = submit(c, "wrong")
        assert o["error"]["data"]["name"] == "failed" and "no JSON" in o["error"]["message"], o
        n, message = submit(c, "greedy")["result"]
        assert 16 <= n <= 24 and "too many" in message
        for size, word in ((1 << 40, "at most"), ((1 << 30) + 1, "at most")):
            o = submit(c, "huge", size)
            assert o["error"]["data"]["name"] == "task-failed" and word in o["error"]["message"], o
        d.call("kill", select="py")
        while n_memfds(d) > 1:  # that of "wrong" is on record
            d.call("status")


def test_kept():
    """Arguments and results of what is on record outlive droverd, and so does what a worker has in hand."""
    with daemon(workers=1) as d:
        c = start(d)
        running = c.call("task.submit", pool="py", target="note", args=[0.5, 90000])["task"]
        waiting = c.call("task.submit", pool="py", target="sum", args=[], blobs=[c.blob(b"\1" * 80000)])["task"]
        text = json.dumps({"args": ["q" * 80000], "kwargs": {}}).encode()
        spilled = c.call("task.submit", pool="py", target="count", spill=c.blob(text))["task"]
        while not os.path.getsize(d.notes):
            pass
        loose, fd = c.new(5000)
        os.close(fd)
        d.kill_droverd()
        c = BlobClient(d.path)
        tasks = c.call("task.wait", tasks=[running, waiting, spilled])["tasks"]
        assert [o["state"] for o in tasks] == ["done"] * 3, tasks
        assert tasks[0]["result"] == "y" * 90000 and tasks[1]["result"] == [80000] and tasks[2]["result"]["args"] == ["q" * 80000]
        d.kill_droverd()
        c = BlobClient(d.path)
        assert json.loads(c.get(running)) == "y" * 90000
        assert n_memfds(d) == 2, n_memfds(d)
        assert n_memfds(d, d.process.pid) == 2  # and the keeper has none beyond these


def test_storm():
    """Workers and droverd are killed while results go back and forth: each is right, or an error, and nothing is left over."""
    with daemon(workers=2, attempts=100) as d:
        c = start(d)
        tasks = {}
        for i in range(60):
            if i % 15 == 7:
                for w in c.call("status", select="py")["pools"][0]["workers"]:
                    if w["pid"]:
                        try:
                            os.kill(w["pid"], signal.SIGKILL)
                        except ProcessLookupError:
                            pass
            if i % 20 == 13:
                os.kill(c.call("daemon.info")["pid"], signal.SIGKILL)
                d.connect_again()
                c = BlobClient(d.path)
            tasks[i] = c.call("task.submit", pool="py", target="double", blobs=[c.blob(bytes([i]) * 70000)])["task"]
        for i, task in tasks.items():
            (o,) = c.call("task.wait", tasks=[task], attach=True)["tasks"]
            assert o["state"] == "done", o
            assert c.take() == bytes([i]) * 140000


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
