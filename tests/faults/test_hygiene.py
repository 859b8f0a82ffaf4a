"""What surrounds droverd at its start reaches no worker; what it is given it gives back: no descriptor and no memory is
lost over many runs; who is not root has no power left."""
import ctypes
import os
import pwd
import signal
import tempfile
import unittest

from daemon_util import PATIENCE, Daemon

HELPER = os.environ["HELPER"]
REPORT = ["/bin/sh", "-c", "cat /proc/self/status; echo \"umask $(umask)\"; echo \"cwd $(pwd)\"; ls -l /proc/self/fd; env"]
PROGRAMS = ("pid", "keeper_pid", "logger_pid")
RUNS = int(os.environ.get("DROVER_HYGIENE_RUNS", "4000"))
IS_SANITIZED = b"__asan_init" in open(os.environ["DROVERD"], "rb").read()


class KernelAction(ctypes.Structure):
    _fields_ = [("handler", ctypes.c_void_p), ("flags", ctypes.c_ulong), ("restorer", ctypes.c_void_p),
                ("mask", ctypes.c_uint64)]


def spoil():
    """In the new process, before droverd: what a careless parent leaves behind."""
    libc = ctypes.CDLL(None)
    ignore = KernelAction(1, 0, None, 0)
    for number in (signal.SIGHUP, signal.SIGPIPE, 32, 33, signal.SIGCHLD):
        libc.syscall(13, number, ctypes.byref(ignore), None, 8)  # rt_sigaction: libc refuses 32 and 33
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGHUP})
    os.umask(0)
    for _ in range(20):
        os.set_inheritable(os.dup(2), True)
    place = tempfile.mkdtemp()
    os.chdir(place)
    os.rmdir(place)
    os.close(0)


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


class Hygiene(unittest.TestCase):
    def report(self, d, **params):
        name = d.call("run", command=REPORT, **params)["process"]
        d.call("wait", process=name, timeout=PATIENCE)
        d.client.notes.clear()
        d.call("logs", select=name, lines=200)
        return [n["params"]["line"] for n in d.client.notes if n["method"] == "log"]

    def field(self, lines, name):
        return next(line[len(name):].strip(": \t") for line in lines if line.startswith(name))

    @unittest.skipUnless(os.uname().machine == "x86_64", "the number of rt_sigaction is another here")
    def test_nothing_of_the_surroundings_reaches_a_worker(self):
        with Daemon() as clean, Daemon() as spoilt:
            clean.start()
            spoilt.env = {"LD_PRELOAD": "/nowhere/evil.so", "MALLOC_CHECK_": "3", "EVIL": "1"}
            spoilt.spawn_options = {"preexec_fn": spoil, "close_fds": False, "stdin": None}
            spoilt.start()
            a, b = self.report(clean), self.report(spoilt)
            for name in ("SigBlk", "SigIgn", "SigCgt", "umask", "cwd", "NoNewPrivs", "CapEff", "CapInh", "Groups"):
                self.assertEqual(self.field(a, name), self.field(b, name), name)
            self.assertEqual(int(self.field(b, "SigBlk"), 16), 0)
            self.assertEqual(int(self.field(b, "SigIgn"), 16), 0)
            self.assertFalse([line for line in b if line.split("=")[0] in ("LD_PRELOAD", "MALLOC_CHECK_", "EVIL")])
            links = [line.split() for line in b if "->" in line]
            self.assertLessEqual({line[-3] for line in links}, {"0", "1", "2", "3"}, links)  # 3: ls reads the directory
            self.assertEqual(len([line for line in a if "->" in line]), len(links))
            info = spoilt.call("daemon.info")
            for key in PROGRAMS if os.geteuid() == 0 else ():  # programs that are not dumpable show theirs to root alone
                self.assertNotIn(spoilt.place + "/stderr", [os.readlink(f"/proc/{info[key]}/fd/{fd}")
                                 for fd in os.listdir(f"/proc/{info[key]}/fd") if int(fd) > 2], key)
            self.assertEqual(spoilt.terminate(), 0, spoilt.log())

    def run_many(self, d, n):
        for _ in range(n):
            d.call("wait", process=d.call("run", command=["/bin/true"])["process"], timeout=PATIENCE)

    @unittest.skipIf(IS_SANITIZED, "a sanitizer keeps what is freed")
    @unittest.skipUnless(os.geteuid() == 0, "only root can count the descriptors of programs that are not dumpable")
    def test_runs_leave_nothing_behind(self):
        with Daemon() as d:
            d.start()
            self.run_many(d, 5000)  # until the remembered ended ones and the events fill what they may
            pids = [d.call("daemon.info")[key] for key in PROGRAMS]
            before = [(len(os.listdir(f"/proc/{p}/fd")), resident(p)) for p in pids]
            self.run_many(d, RUNS)
            for pid, key, (fds, memory) in zip(pids, PROGRAMS, before):
                self.assertLessEqual(len(os.listdir(f"/proc/{pid}/fd")), fds, key)
                self.assertLess(resident(pid) - memory, 1024, f"{key}: KiB more after {RUNS} runs")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to change the user")
    def test_another_user_has_no_power(self):
        user = pwd.getpwnam("nobody")
        with Daemon() as d:
            d.start()
            lines = self.report(d, user="nobody")
            self.assertEqual(self.field(lines, "Uid").split(), [str(user.pw_uid)] * 4)
            self.assertEqual(self.field(lines, "Gid").split(), [str(user.pw_gid)] * 4)
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(self.field(lines, name), 16), 0, name)
            self.assertEqual(self.field(lines, "NoNewPrivs"), "1")
            groups = self.field(lines, "Groups").split()
            self.assertLessEqual(set(groups), {str(g) for g in os.getgrouplist("nobody", user.pw_gid)})
            self.assertIn(f"USER={user.pw_name}", lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
