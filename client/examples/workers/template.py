"""template.py - a command that forks its own workers, with the standard library alone: start methods fork and forkserver.
{"pools": {"py": {"command": ["python3", "/path/template.py"], "protocol": "tasks", "start_method": "forkserver"}}}"""
import fcntl, json, os, socket

started = []  # what all workers share: made once with forkserver, in each worker with fork


def load():
    started.append(os.getpid())


def work():
    """What a worker does: here it takes tasks, as worker.py does, and answers with who it is."""
    channel = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
    for line in channel.makefile("rb"):
        task = json.loads(line)
        result = {"name": os.environ["DROVER_NAME"], "pid": os.getpid(), "loaded_by": started[0], "args": task["params"]["args"]}
        channel.sendall(json.dumps({"jsonrpc": "2.0", "id": task["id"], "result": result}).encode() + b"\n")


def begin(names, fds):
    """In the new process: descriptors, environment and session as drover wants them; then wait for its leave."""
    os.setsid()
    template.close()
    named = dict(zip(names, fds))
    request = json.loads(os.pread(named["request"], os.fstat(named["request"]).st_size, 0))
    if "cgroup" in named:
        try:
            with open(f"/proc/self/fd/{named['cgroup']}/cgroup.procs", "w") as procs:
                procs.write("0")
        except OSError:
            pass  # not ours to enter: the keeper does it
    safe = 100  # above every number that is given away below
    report = socket.socket(fileno=fcntl.fcntl(named["report"], fcntl.F_DUPFD, safe))
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, safe) for fd in fds[len(names):]]
    os.dup2(named["stdout"], 1)
    os.dup2(named["stderr"], 2)
    for fd in fds:
        os.close(fd)
    for fd, number in zip(moved, request["fds"]):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.update(request["env"])
    for name in ("LISTEN_PID", "WATCHDOG_PID"):
        if name in os.environ:
            os.environ[name] = str(os.getpid())
    report.send(b"hello")
    if report.recv(1) != b"g":
        os._exit(1)
    report.close()


method = os.environ.pop("DROVER_START_METHOD")
template = socket.socket(fileno=os.dup(int(os.environ["DROVER_TEMPLATE_FD"])))
os.dup2(0, int(os.environ.pop("DROVER_TEMPLATE_FD")))  # its number is wanted for the workers' own
if method == "forkserver":
    load()
template.send(b"ready")
while True:
    names, fds, _, _ = socket.recv_fds(template, 256, 32)
    if not names:
        break  # drover wants no more of them
    if os.fork() == 0:
        if os.fork() > 0:
            os._exit(0)  # so that the worker becomes the keeper's child
        begin(names.decode().split(), fds)
        if method == "fork":
            load()
        work()
        break
    os.wait()
    for fd in fds:
        os.close(fd)
