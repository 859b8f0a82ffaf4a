"""The targets of failing-module.c for a worker that is none: nothing but the protocol, in Python."""
import json
import os
import signal
import socket
import sys
import threading
import time

channel = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
channel.set_inheritable(False)


def sleep_for_ever():
    while True:
        time.sleep(1000)


def say(text):
    channel.sendall(text.encode())


def note_pid(path):
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{os.getpid()}\n")


def nap(ms, path=None):
    if path:
        note_pid(path)
    time.sleep(ms / 1000)
    return os.getpid()


def fail():
    raise ValueError("on purpose")


def loop():
    while True:
        pass


def overflow():
    sys.setrecursionlimit(1 << 30)
    return deeper(0)


def deeper(n):
    return [*map(deeper, [n + 1])]  # through C, which has no other limit


def close_channel():
    os.close(channel.fileno())
    sleep_for_ever()


def half_a_line():
    say('{"jsonrpc":"2.0","id":1,"resu')
    os.kill(os.getpid(), signal.SIGKILL)


def huge(n):
    return "x" * n


def not_utf8():
    channel.sendall(b'{"jsonrpc":"2.0","id":%d,"result":"a\xff"}\n' % current)


def cycle():
    a = []
    a.append(a)
    return a


def double_fork(path):
    if os.fork() == 0:
        if os.fork() == 0:
            note_pid(path)
            sleep_for_ever()
        os._exit(0)
    os._exit(0)


def daemonise(path):
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    note_pid(path)
    sleep_for_ever()


def child_stays(path):
    if os.fork() == 0:
        note_pid(path)
        sleep_for_ever()
    return True


def child_writes():
    if (pid := os.fork()) == 0:
        say("from the child\n")
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def thread_stays():
    threading.Thread(target=sleep_for_ever, daemon=True).start()
    return True


def thread_aborts():
    threading.Timer(0.05, os.abort).start()
    return True


def fork_with_threads():
    thread_stays()
    if (pid := os.fork()) == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def change_signals():
    for sig in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if sig < 32:
            signal.signal(sig, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    return True


TARGETS = {
    "echo": lambda x=None: x, "whoami": os.getpid, "nap": nap, "fail": fail, "leave": sys.exit,
    "leave_now": os._exit, "aborting": os.abort, "crash": lambda sig: os.kill(os.getpid(), sig), "overflow": overflow, "loop": loop,
    "stuck": sleep_for_ever, "alloc": lambda n: len(bytearray(n)) >> 20, "other_program": lambda *argv: os.execv(argv[0], argv),
    "killer": lambda pid, sig: os.kill(pid, sig) or 0, "close_channel": close_channel, "close_everything": lambda: os.closerange(0, 256),
    "garbage": lambda: say("what is this?\n") or sleep_for_ever(), "half_a_line": half_a_line, "huge": huge, "not_utf8": not_utf8,
    "not_a_number": lambda zero: float("nan"), "cycle": cycle, "double_fork": double_fork, "daemonise": daemonise, "child_stays": child_stays,
    "child_writes": child_writes, "thread_stays": thread_stays, "thread_aborts": thread_aborts, "fork_with_threads": fork_with_threads,
    "change_signals": change_signals, "change_directory": lambda: os.chdir("/proc") or 0,
}

for line in channel.makefile("rb"):
    task = json.loads(line)
    current = task["id"]
    answer = {"jsonrpc": "2.0", "id": current}
    try:
        text = json.dumps({**answer, "result": TARGETS[task["method"]](*task["params"]["args"])})
    except Exception as e:
        text = json.dumps({**answer, "error": {"code": 1, "message": f"{type(e).__name__}: {e}", "data": {"type": type(e).__name__}}})
    say(text + "\n")
