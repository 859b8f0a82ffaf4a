#!/usr/bin/env python3
"""Sockets that outlive everybody, and workers replaced under load: a real server, real clients, no request may fail."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

from daemon_util import Client, Daemon, Failure, is_alive

HELPER = os.environ["PREFORK_HTTP"]
N_RELOADS = int(os.environ.get("DROVER_TEST_RELOADS", "10"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(address):
    """One request on a connection of its own: the body, or None when it was refused or cut off."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(60)
        s.connect(address)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        data = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), data
    return body.decode().strip()


def server(port, **keys):
    return {"command": [HELPER], "listen": {"http": f"127.0.0.1:{port}"}, "ready": "notify",
            "restart": {"delay": 0}, "stop": {"timeout": "20s"}, **keys}


class Load(threading.Thread):
    """Clients of our own: each request on a new connection, as ab and wrk cannot be told to count resets strictly."""

    def __init__(self, address, n_clients=4):
        super().__init__()
        self.address, self.n_done, self.failures, self.is_over = address, 0, [], threading.Event()
        self.clients = [threading.Thread(target=self.ask) for _ in range(n_clients)]
        self.lock = threading.Lock()

    def ask(self):
        while not self.is_over.is_set():
            try:
                get(self.address)
                with self.lock:
                    self.n_done += 1
            except Exception as e:  # whatever it is, it is a failed request
                self.failures.append(repr(e))

    def __enter__(self):
        for c in self.clients:
            c.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for c in self.clients:
            c.join()


def await_event(d, kind, n=1):
    """The n-th event of this kind in this life of droverd, on a connection of its own."""
    c = Client(d.path)
    c.send("events", since=0, follow=True, types=[kind])
    while n > 0:
        event = c.receive().get("params", {})
        n -= event.get("event") == kind
    c.close()
    return event


def catches(pid, number):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        caught = int(re.search(r"SigCgt:\s+([0-9a-f]+)", f.read()).group(1), 16)
    return caught >> (number - 1) & 1


def pool_state(d, name):
    return d.call("status", select=[name])["pools"][0]


class UnderLoad(unittest.TestCase):
    def churn(self, d, pools, n=N_RELOADS):
        """Ten reloads and one kill -9 of droverd in the middle of one."""
        for i in range(n):
            before = {k: w["pid"] for k, w in d.workers(*pools).items()}
            if i == n // 2:
                d.client.send("reload", select=pools)
                d.kill_droverd()  # its next life goes on with it
                self.await_reloads_over(d, pools)
            else:
                d.call("reload", select=pools)
            after = d.workers(*pools)
            for name, pid in before.items():
                self.assertEqual(after[name]["state"], "running")
                if i != n // 2:
                    self.assertNotEqual(after[name]["pid"], pid, name)
                    self.assertFalse(is_alive(pid), name)

    def await_reloads_over(self, d, pools):
        c = Client(d.path)
        c.send("events", since=0, follow=True, types=["pool.reloaded", "pool.reload-failed"])
        while any(pool_state(d, p)["reloading"] for p in pools):
            c.receive()
        c.close()

    def load_story(self, listen, address, **keys):
        with Daemon() as d:
            d.write_config({"pools": {"web": server(1, workers=3, **{**keys, "listen": listen(d)})}})
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            with Load(address(d)) as load:
                self.churn(d, ["web"])
            self.assertEqual(load.failures, [])
            self.assertGreater(load.n_done, 100)
            self.assertEqual(d.terminate(), 0)
        return load.n_done

    def test_old_before_new(self):
        port = free_port()
        self.load_story(lambda d: {"http": f"127.0.0.1:{port}"}, lambda d: ("127.0.0.1", port))

    def test_new_before_old(self):
        port = free_port()
        self.load_story(lambda d: {"http": f"127.0.0.1:{port}"}, lambda d: ("127.0.0.1", port), reload={"max_surge": 2})

    def test_unix_socket(self):
        self.load_story(lambda d: {"http": d.place + "/web.sock"}, lambda d: d.place + "/web.sock",
                        reload={"max_unavailable": "50%"})

    def test_reuse_port(self):
        port = free_port()
        self.load_story(lambda d: {"http": {"tcp": f"127.0.0.1:{port}", "reuse_port": True}},
                        lambda d: ("127.0.0.1", port), reload={"max_surge": 1})

    @unittest.skipUnless(shutil.which("ab"), "ab is not installed (apache2-utils)")
    def test_ab(self):
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=3, reload={"max_surge": 1})}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            ab = self.start_ab(port)
            self.churn(d, ["web"])
            n = self.end_ab(ab)
            print(f"ab: {n} requests, {N_RELOADS} reloads, one kill -9, 0 failed", file=sys.stderr)

    @unittest.skipUnless(shutil.which("ab"), "ab is not installed (apache2-utils)")
    def test_ab_recycle(self):
        """Workers that are replaced for their age, the younger one before the old one goes."""
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=3, recycle={"age": "300ms"})}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            ab = self.start_ab(port)
            await_event(d, "worker.recycled", 9)
            d.kill_droverd()
            await_event(d, "worker.recycled", 9)
            n = self.end_ab(ab)
            print(f"ab: {n} requests, 18 workers recycled, one kill -9, 0 failed", file=sys.stderr)

    def start_ab(self, port):
        """Until it catches SIGINT: one that comes before that ends it without a report."""
        ab = subprocess.Popen(["ab", "-q", "-r", "-t", "300", "-n", "10000000", "-c", "8", f"http://127.0.0.1:{port}/"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while not catches(ab.pid, signal.SIGINT):
            self.assertIsNone(ab.poll(), "ab ended by itself")
            get(("127.0.0.1", port))
        return ab

    def end_ab(self, ab):
        """Its number of requests; none may have failed."""
        self.assertIsNone(ab.poll(), "ab ended by itself")
        ab.send_signal(signal.SIGINT)
        out = ab.communicate()[0]
        self.assertIn("Complete requests", out, f"ab ended with {ab.returncode}: {out}")
        n = int(re.search(r"Complete requests:\s+(\d+)", out).group(1))
        failed = int(re.search(r"Failed requests:\s+(\d+)", out).group(1))
        # The length of a pid may differ from the first answer's: ab calls that failed. Nothing else may be.
        length = re.search(r"Connect: (\d+), Receive: (\d+), Length: (\d+), Exceptions: (\d+)", out)
        if length:
            self.assertEqual([length.group(1), length.group(2), length.group(4)], ["0", "0", "0"], out)
            failed -= int(length.group(3))
        self.assertEqual(failed, 0, out)
        self.assertNotIn("Non-2xx", out)
        self.assertGreater(n, 100)
        return n

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_wrk(self):
        """Connections that stay open: those of a worker that goes are closed with their last answer."""
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=3, reload={"max_surge": 1})}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            wrk = subprocess.Popen(["wrk", "-t1", "-c8", "-d300s", f"http://127.0.0.1:{port}/"],
                                   stdout=subprocess.PIPE, text=True)
            while not catches(wrk.pid, signal.SIGINT):
                self.assertIsNone(wrk.poll(), "wrk ended by itself")
                get(("127.0.0.1", port))
            self.churn(d, ["web"])
            out = self.end_wrk(wrk)
            n = int(re.search(r"(\d+) requests in", out).group(1))
            self.assertNotIn("Socket errors", out)
            self.assertNotIn("Non-2xx", out)
            self.assertGreater(n, 100)
            print(f"wrk: {n} requests, {N_RELOADS} reloads, one kill -9, 0 failed", file=sys.stderr)

    def end_wrk(self, wrk):
        """What it printed. A SIGINT that comes before its sleep of 300 s does not shorten that: it gets another."""
        while True:
            wrk.send_signal(signal.SIGINT)
            try:
                return wrk.communicate(timeout=1)[0]
            except subprocess.TimeoutExpired:
                pass

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_nginx(self):
        """A server of others, with sockets it did not open: nginx takes them through $NGINX, and as they are. It expects
        them not to block: one that is too late for a connection that another nginx took would hang in accept(2)."""
        port = free_port()
        not_blocking = "import os, sys; os.set_blocking(3, False); os.execvp(sys.argv[1], sys.argv[1:])"
        with Daemon() as d:
            with open(d.place + "/nginx.conf", "w", encoding="utf-8") as f:
                f.write(f"daemon off; worker_processes 1; error_log stderr; pid {d.place}/nginx-$$;\n".replace("$$", "x.pid")
                        + "events { worker_connections 256; }\nhttp { access_log off;\n"
                        + "".join(f"{k}_temp_path {d.place}/t-{k};\n" for k in
                                  ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                        + f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 'nginx'; }} }} }}\n")
            os.chmod(d.place, 0o755)
            d.write_config({"pools": {"web": server(port, workers=2, ready="exec", reload={"max_surge": 1, "soak": "200ms"},
                            command=[os.path.realpath(sys.executable), "-c", not_blocking,
                                     "nginx", "-c", d.place + "/nginx.conf", "-e", "stderr"], env={"NGINX": "3;"},
                            stop={"signal": "QUIT", "timeout": "20s"})}})
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            get(("127.0.0.1", port))
            with Load(("127.0.0.1", port)) as load:
                self.churn(d, ["web"], 4)
            self.assertEqual(load.failures, [])
            self.assertGreater(load.n_done, 50)


class Sockets(unittest.TestCase):
    def test_every_kind(self):
        """What the worker gets, by name and in order; what is gone with the pool."""
        port, udp = free_port(), free_port()
        with Daemon() as d:
            out = d.place + "/out"
            d.write_config({"pools": {"p": {
                "command": ["/bin/sh", "-c", f"echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID - $$)) >{out}; "
                            f"ls -l /proc/$$/fd >>{out}; echo >&6; exec sleep 1000"],
                "ready": {"fd": 6},
                "listen": {"c": {"unix": d.place + "/u.sock", "mode": "0600"}, "a": port, "b": {"udp": f"[::1]:{udp}"}}}}})
            d.start()
            d.call("wait", select=["p"], **{"for": "ready"})
            with open(out, encoding="utf-8") as f:
                text = f.read()
            self.assertEqual(text.split("\n")[0], "3 a:b:c 0")
            self.assertEqual(text.count("socket:"), 3)
            self.assertEqual(os.stat(d.place + "/u.sock").st_mode & 0o777, 0o600)
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as s:
                    s.connect((host, port))
            d.kill_droverd()
            d.write_config({"pools": {}})
            d.call("config.apply")
            await_event(d, "pool.removed")
            self.assertFalse(os.path.exists(d.place + "/u.sock"))
            with socket.socket() as s:
                self.assertRaises(ConnectionRefusedError, s.connect, ("127.0.0.1", port))

    def test_an_address_in_use(self):
        port = free_port()
        with Daemon() as d, socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            d.start()
            with self.assertRaises(Failure) as e:
                d.call("pool.add", name="web", **server(port))
            text = str(e.exception)
            for word in ("pool web", "http", f"127.0.0.1:{port}", "in use"):
                self.assertIn(word, text)
            self.assertEqual(d.call("status")["pools"], [])
            d.write_config({"pools": {"web": server(port, restart={"delay": "1h", "max_delay": "1h"})}})
            change = d.call("config.apply")["changes"][0]
            self.assertIn("in use", change["error"])
            with self.assertRaises(Failure) as e:
                d.call("start", select=["web"])
            self.assertIn("cannot listen on tcp", str(e.exception))
            other.close()
            d.call("start", select=["web"])
            self.assertEqual(get(("127.0.0.1", port)), str(d.workers("web")["web/0"]["pid"]))

    def test_an_address_in_use_is_tried_again(self):
        """And the pool has the size it was scaled to, although it came without its socket."""
        port = free_port()
        with Daemon({"pools": {"web": server(port, restart={"delay": "20ms", "max_delay": "50ms"})}}) as d:
            d.start()
            d.call("scale", pool="web", workers=3)
            self.assertEqual(d.terminate(), 0)
            with socket.socket() as other:
                other.bind(("127.0.0.1", port))
                other.listen()
                d.start()
                self.assertIn("in use", pool_state(d, "web")["workers"][0]["note"] + d.log())
                self.assertEqual(len(d.workers("web")), 3)
            d.call("wait", select=["web"], **{"for": "ready"})
            get(("127.0.0.1", port))

    def test_a_low_port(self):
        """The workers need no right to it: droverd opens it."""
        with socket.socket() as s:
            for port in range(1023, 600, -1):
                try:
                    s.bind(("127.0.0.1", port))
                    break
                except PermissionError:
                    break
                except OSError:
                    continue
            may = s.getsockname()[1] == port
        with Daemon() as d:
            os.chmod(d.place, 0o755)
            helper = shutil.copy(HELPER, d.place + "/server")
            os.chmod(helper, 0o755)
            d.start()
            if not may:
                with self.assertRaises(Failure) as e:
                    d.call("pool.add", name="web", **server(port))
                self.assertIn("ports below 1024 need root", str(e.exception))
                return
            user = {"user": "nobody"} if os.geteuid() == 0 else {}
            d.call("pool.add", name="web", **server(port, command=[helper], **user))
            d.call("wait", select=["web"], **{"for": "ready"})
            pid = int(get(("127.0.0.1", port)))
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid != 0, True)

    def test_the_queue_of_a_reuse_port_socket_that_goes(self):
        """It goes with its slot: who waited in it is refused, who comes later is served by the others."""
        port = free_port()
        with Daemon() as d:
            # The second worker accepts nothing: all it is given waits.
            script = f'[ $DROVER_WORKER = 0 ] && exec {HELPER}; exec sleep 1000'
            d.write_config({"pools": {"web": server(port, workers=2, ready="exec", command=["/bin/sh", "-c", script],
                                                    listen={"http": {"tcp": f"127.0.0.1:{port}", "reuse_port": True}})}})
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
            for c in clients:
                c.settimeout(60)
                c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            d.call("scale", pool="web", workers=1)
            n_served = 0
            for c in clients:
                with c:
                    try:
                        n_served += c.recv(100).startswith(b"HTTP/1.1 200")
                    except ConnectionResetError:
                        pass
            with open("/proc/sys/net/ipv4/tcp_migrate_req", encoding="utf-8") as f:
                if f.read().strip() == "0":
                    self.assertLess(n_served, 40)
            self.assertGreater(n_served, 0)
            for _ in range(40):
                get(("127.0.0.1", port))

    def test_a_stale_file_and_a_live_one(self):
        with Daemon() as d:
            stale, live, file = (d.place + "/" + n for n in ("stale", "live", "file"))
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(stale)
            other = socket.socket(socket.AF_UNIX)
            other.bind(live)
            other.listen()
            with open(file, "w", encoding="utf-8"):
                pass
            d.start()
            d.call("pool.add", name="a", **server(1, listen={"x": stale}))
            d.call("wait", select=["a"], **{"for": "ready"})
            get(stale)
            for path, word in ((live, "answers"), (file, "else than a socket")):
                with self.assertRaises(Failure) as e:
                    d.call("pool.add", name="b", **server(1, listen={"x": path}))
                self.assertIn(word, str(e.exception))
            self.assertTrue(os.path.exists(file))
            other.close()

    def test_a_change_keeps_what_stays(self):
        one, two = free_port(), free_port()
        with Daemon({"pools": {"web": server(one, workers=2)}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            with Load(("127.0.0.1", one), 2) as load:
                d.write_config({"pools": {"web": server(one, workers=2, listen={"http": f"127.0.0.1:{one}",
                                                                               "more": f"127.0.0.1:{two}"})}})
                d.call("config.apply")
                d.call("reload", select=["web"])
                get(("127.0.0.1", two))
            self.assertEqual(load.failures, [])
            d.write_config({"pools": {"web": server(two, workers=2)}})
            d.call("config.apply")
            d.call("reload", select=["web"])
            get(("127.0.0.1", two))
            self.assertRaises(ConnectionRefusedError, get, ("127.0.0.1", one))


class OnDemand(unittest.TestCase):
    def test_rests_and_wakes(self):
        port = free_port()
        with Daemon({"pools": {"web": server(port, on_demand=True, workers=2)}}) as d:
            d.start()
            p = pool_state(d, "web")
            self.assertEqual((p["state"], p["ready"]), ("stopped", 0))
            self.assertIn("somebody connects", p["note"])
            d.kill_droverd()
            self.assertEqual(pool_state(d, "web")["state"], "stopped")
            pid = get(("127.0.0.1", port))  # it may answer before droverd has heard that it was started
            d.call("wait", select=["web"], **{"for": "ready"})
            self.assertIn(pid, {str(w["pid"]) for w in d.workers("web").values()})
            d.call("stop", select=["web"])
            self.assertEqual(pool_state(d, "web")["state"], "stopped")

    def test_rests_again_when_its_workers_are_content(self):
        port = free_port()
        command = ["/bin/sh", "-c", "exec python3 -c 'import socket; s = socket.socket(fileno=3); "
                   "c = s.accept()[0]; c.sendall(b\"bye\"); c.close()'"]
        with Daemon({"pools": {"once": server(port, on_demand=True, command=command, ready="exec",
                                              restart={"policy": "on-failure"})}}) as d:
            d.start()
            for _ in range(3):
                with socket.create_connection(("127.0.0.1", port)) as s:
                    self.assertEqual(s.recv(10), b"bye")

    ONE = ("exec python3 -c 'import socket, sys; s = socket.socket(fileno=3); c = s.accept()[0]; "
           "c.sendall(b\"bye\"); c.close(); sys.exit(CODE)'")

    def test_always_stays_awake(self):
        """With policy always (the default) an end is followed by a start; nobody has to connect for that."""
        port = free_port()
        command = ["/bin/sh", "-c", self.ONE.replace("CODE", "0")]
        with Daemon({"pools": {"once": server(port, on_demand=True, command=command, ready="exec")}}) as d:
            d.start()
            self.assertEqual(pool_state(d, "once")["state"], "stopped")
            with socket.create_connection(("127.0.0.1", port)) as s:
                self.assertEqual(s.recv(10), b"bye")
            await_event(d, "worker.running", 2)
            self.assertEqual(pool_state(d, "once")["state"], "running")

    def test_on_failure_rests_after_a_clean_end_alone(self):
        port = free_port()
        with Daemon() as d:
            flag = d.place + "/flag"
            command = ["/bin/sh", "-c", f"[ -e {flag} ] && {self.ONE.replace('CODE', '0')}; touch {flag}; "
                       + self.ONE.replace("CODE", "4")]
            d.write_config({"pools": {"once": server(port, on_demand=True, command=command, ready="exec",
                                                     restart={"policy": "on-failure", "delay": "10ms"})}})
            d.start()
            for n in (2, 2):  # it fails and is started again; then it ends well, and rests
                with socket.create_connection(("127.0.0.1", port)) as s:
                    self.assertEqual(s.recv(10), b"bye")
                await_event(d, "worker.running", n)
            await_event(d, "worker.exited", 2)
            self.assertEqual(pool_state(d, "once")["state"], "stopped")
            with socket.create_connection(("127.0.0.1", port)) as s:
                self.assertEqual(s.recv(10), b"bye")

    def test_a_failing_start_loses_no_connection_and_does_not_spin(self):
        port = free_port()
        with Daemon() as d:
            flag = d.place + "/flag"
            d.write_config({"pools": {"web": server(port, on_demand=True, restart={"delay": "50ms", "max_delay": "100ms"},
                            command=["/bin/sh", "-c", f"[ -e {flag} ] || exit 1; exec {HELPER}"])}})
            d.start()
            s = socket.create_connection(("127.0.0.1", port))
            s.settimeout(60)
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            await_event(d, "worker.backoff", 3)
            with open(flag, "w", encoding="utf-8"):
                pass
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
            s.close()


class Bad(unittest.TestCase):
    def failing(self, d, **params):
        with self.assertRaises(Failure) as e:
            d.call("reload", select=["web"], **params)
        return e.exception.error

    def script(self, d, good=True):
        """The server, as a file that the test can make bad: what a deployment does."""
        path = d.place + "/server"
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexec {HELPER} {'' if good else '--die-after-ready'}\n" if good is not None else
                    "#!/bin/sh\necho cannot find my head >&2; exit 7\n")
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
        return path

    def test_new_before_old_stops_at_the_first_and_nobody_notices(self):
        port = free_port()
        with Daemon() as d:
            d.write_config({"pools": {"web": server(port, workers=3, command=[self.script(d)], reload={"max_surge": 1})}})
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            before = {k: w["pid"] for k, w in d.workers("web").items()}
            with Load(("127.0.0.1", port), 2) as load:
                self.script(d, None)
                error = self.failing(d)
                self.assertEqual((error["data"]["worker"], error["data"]["replaced"], error["data"]["put_back"]), ("web/0", 0, 1))
                self.assertIn("code 7", error["message"])
                self.assertEqual({k: w["pid"] for k, w in d.workers("web").items()}, before)
                self.script(d, False)  # dies within the soak
                error = self.failing(d, soak="60s")
                self.assertIn("code 3", error["message"])
                self.assertEqual({k: w["pid"] for k, w in d.workers("web").items()}, before)
            self.assertEqual(load.failures, [])
            self.assertEqual(pool_state(d, "web")["state"], "running")

    def test_apply_puts_the_configuration_back(self):
        port = free_port()
        with Daemon() as d:
            good = {"pools": {"web": server(port, workers=3)}}
            d.write_config(good)
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            before = {k: w["pid"] for k, w in d.workers("web").items()}
            d.write_config({"pools": {"web": server(port, workers=3, command=[HELPER, "--never-ready"],
                                                    ready={"notify": True, "timeout": "300ms"})}})
            d.call("config.apply")
            event = await_event(d, "pool.reload-failed")
            self.assertEqual((event["data"]["worker"], event["data"]["put_back"]), ("web/0", 1))
            self.assertIn("not ready", event["data"]["reason"])
            after = {k: w["pid"] for k, w in d.workers("web").items()}
            self.assertEqual((after["web/1"], after["web/2"]), (before["web/1"], before["web/2"]))
            self.assertEqual(d.call("config.show")["pools"]["web"]["command"], [HELPER])

    def test_rollback(self):
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=2, command=[HELPER, "--text", "one"])}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            with self.assertRaises(Failure) as e:
                d.call("rollback", select=["web"])
            self.assertIn("no earlier configuration", str(e.exception))
            d.write_config({"pools": {"web": server(port, workers=2, command=[HELPER, "--text", "two"])}})
            d.call("config.apply")
            d.call("reload", select=["web"])
            self.assertEqual(get(("127.0.0.1", port)), "two")
            d.kill_droverd()
            d.call("rollback", select=["web"])
            self.assertEqual(get(("127.0.0.1", port)), "one")
            d.call("rollback", select=["web"])  # and forth
            self.assertEqual(get(("127.0.0.1", port)), "two")

    def test_an_elder_is_stopped_by_its_stop_command(self):
        port = free_port()
        with Daemon() as d:
            told = d.place + "/told"
            stop = {"command": ["/bin/sh", "-c", f"echo $MAINPID >>{told}; kill -TERM $MAINPID"], "timeout": "60s"}
            d.write_config({"pools": {"web": server(port, workers=2, stop=stop, reload={"max_surge": 1})}})
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            before = sorted(w["pid"] for w in d.workers("web").values())
            d.call("reload", select=["web"])
            with open(told, encoding="utf-8") as f:
                self.assertEqual(sorted(map(int, f.read().split())), before)

    def test_supersede_in_the_soak(self):
        """The younger process of the first reload is ready, its elder waits: the second reload must not wait for it."""
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=3, reload={"max_surge": 1, "soak": "1h"})}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            before = {w["pid"] for w in d.workers("web").values()}
            first = Client(d.path)
            number = first.send("reload", select=["web"])
            await_event(d, "worker.running", 4)
            d.call("reload", select=["web"], soak=0)
            with self.assertRaises(Failure) as e:
                first.answer(number)
            self.assertIn("another reload", str(e.exception))
            first.close()
            after = {w["pid"] for w in d.workers("web").values()}
            self.assertEqual((len(after), after & before), (3, set()))

    def test_supersede_and_stop(self):
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=3, reload={"max_surge": 1, "soak": "1h"})}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            first = Client(d.path)
            number = first.send("reload", select=["web"])
            await_event(d, "pool.reloading")
            d.call("reload", select=["web"], soak=0)
            with self.assertRaises(Failure) as e:
                first.answer(number)
            self.assertIn("another reload", str(e.exception))
            number = first.send("reload", select=["web"])
            await_event(d, "pool.reloading", 3)
            d.call("stop", select=["web"])
            with self.assertRaises(Failure) as e:
                first.answer(number)
            self.assertIn("stopped", str(e.exception))
            self.assertEqual(pool_state(d, "web")["state"], "stopped")
            first.close()

    def test_every_worker_dies_meanwhile(self):
        port = free_port()
        with Daemon({"pools": {"web": server(port, workers=3, reload={"max_surge": 1, "soak": "1h"})}}) as d:
            d.start()
            d.call("wait", select=["web"], **{"for": "ready"})
            c = Client(d.path)
            number = c.send("reload", select=["web"])
            await_event(d, "worker.running", 4)
            d.call("kill", select=["web"])
            with self.assertRaises(Failure) as e:
                c.answer(number)
            self.assertIn("SIGKILL", str(e.exception))
            c.close()
            d.call("wait", select=["web"], **{"for": "ready"})
            get(("127.0.0.1", port))

    def test_what_makes_no_sense(self):
        with Daemon({"pools": {"web": {"command": ["sleep", "1000"]}}}) as d:
            d.start()
            for params in ({"max_unavailable": 0}, {"max_unavailable": "x"}, {"max_surge": "5"}, {"max_surge": -1}):
                with self.assertRaises(Failure) as e:
                    d.call("reload", select=["web"], **params)
                self.assertEqual(e.exception.error["code"], -32602)
            d.call("reload", select=["all"])
            d.call("stop", select=["web"])
            d.call("reload", select=["web"])  # nothing runs: done
            d.call("run", command=["sleep", "1000"], name="one")
            with self.assertRaises(Failure):
                d.call("reload", select=["one"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
