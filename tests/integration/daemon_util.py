"""The real programs in a directory of their own, driven through the control socket. Nothing here sleeps: readiness
comes by sd_notify, everything else by the daemon's own `wait`, `events` and by the end of processes."""
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 90  # seconds for anything at all; reached only by a bug


class Failure(Exception):
    """An error answer."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.file = self.socket.makefile("r", encoding="utf-8")
        self.last_id = 0
        self.notes = []
        self.early = {}  # answers to calls that nobody waits for yet, by id

    def send(self, method, **params):
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return self.last_id

    def receive(self):
        line = self.file.readline()
        if not line:
            raise EOFError("the daemon closed the connection")
        return json.loads(line)

    def answer(self, number):
        message = self.early.pop(number, None)
        while message is None:
            message = self.receive()
            if message.get("id") == number or ("error" in message and message["id"] is None):
                break  # null: the call could not even be read
            if isinstance(message.get("id"), int) and "method" not in message:
                self.early[message["id"]] = message
            else:
                self.notes.append(message)
            message = None
        if "error" in message:
            raise Failure(message["error"])
        return message["result"]

    def call(self, method, **params):
        return self.answer(self.send(method, **params))

    def close(self):
        self.file.close()
        self.socket.close()


class Daemon:
    """droverd below its keeper. `with Daemon() as d: d.start(); d.call("status")`"""

    def __init__(self, config=None):
        self.place = tempfile.mkdtemp(prefix="drover-test-")
        self.path = self.place + "/control.sock"
        self.config = self.place + "/drover.json"
        self.process = None
        self.client = None
        self.prefix = []  # a command that runs droverd
        self.env = {}
        self.spawn_options = {}
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.place + "/systemd.sock")
        self.notify.settimeout(PATIENCE)
        os.mkdir(self.place + "/libexec")
        for name in ("drover-keeper", "drover-logger", "drover-host"):
            if name == "drover-host" and "DROVER_HOST" not in os.environ:
                continue  # only for tests of modules
            os.symlink(os.path.realpath(os.environ[name.upper().replace("-", "_")]), f"{self.place}/libexec/{name}")
        self.write_config(config or {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                print(self.log())
                raise
        if self.client:
            self.client.close()
        self.notify.close()
        shutil.rmtree(self.place)

    def write_config(self, config):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config if isinstance(config, str) else json.dumps(config))
        os.chmod(self.config, 0o600)

    def spawn(self, *options, stdout=subprocess.DEVNULL):
        env = dict(os.environ, NOTIFY_SOCKET=self.place + "/systemd.sock", DROVER_LIBEXEC=self.place + "/libexec",
                   XDG_STATE_HOME=self.place + "/state", LOGS_DIRECTORY=self.place + "/log",
                   STATE_DIRECTORY=self.place + "/state", **self.env)
        with open(self.place + "/stderr", "ab") as err:
            return subprocess.Popen([*self.prefix, os.environ["DROVERD"], "-S", self.path, "-c", self.config, *options],
                                    **{"env": env, "stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": err,
                                       **self.spawn_options})

    def run(self, *options):
        """One that ends by itself: (exit status, what it printed)."""
        with tempfile.TemporaryFile() as out:
            status = self.spawn(*options, stdout=out).wait(PATIENCE)
            out.seek(0)
            return status, out.read().decode()

    def start(self):
        self.process = self.spawn()
        self.wait_notice("READY=1")
        self.connect()
        return self

    def connect(self):
        if self.client:
            self.client.close()
        self.client = Client(self.path)

    def connect_another(self):
        """The connection so far stays with whoever holds it."""
        self.client = Client(self.path)
        return self.client

    def connect_again(self):
        """To a socket that is just being made: its directory tells when."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.connect()
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline, "there is no socket"

    def wait_notice(self, wanted):
        """Everything systemd was told, up to the datagram that has the line @wanted."""
        said = []
        while not said or wanted not in said[-1].split("\n"):
            said.append(self.notify.recv(4096).decode())
        return said

    def log(self):
        with open(self.place + "/stderr", encoding="utf-8", errors="replace") as f:
            return f.read()

    def call(self, method, **params):
        return self.client.call(method, **params)

    def workers(self, *select_):
        pools = self.call("status", select=list(select_))["pools"]
        return {w["name"]: w for p in pools for w in p["workers"]}

    def kill_droverd(self):
        """SIGKILL, and be back with its next life."""
        pid = self.call("daemon.info")["pid"]
        os.kill(pid, signal.SIGKILL)
        self.wait_notice("READY=1")
        self.connect()
        assert self.call("daemon.info")["pid"] != pid

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def wait_gone(pid):
    """Until the process has ended (a zombie counts)."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([fd], [], [], PATIENCE)
    os.close(fd)
    assert ready, f"process {pid} is still there"


def state_of(pid):
    """The letter of the kernel's, "Z" also for one that is gone altogether."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def is_alive(pid):
    return state_of(pid) != "Z"
