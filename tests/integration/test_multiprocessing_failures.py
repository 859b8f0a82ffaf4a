"""Known failures of Python's multiprocessing and concurrent.futures, each with the opposite outcome here. The numbers are those of the
issues at github.com/python/cpython (bpo in brackets), joblib/loky and celery/billiard.

For a module by each start method; an answer that does not come ends the test by PATIENCE of daemon_util."""
import os
import signal
import sys

from daemon_util import Client, wait_gone
from test_failures import answers, at_full_size, daemon, died, done, kinds, noted_pids, pool, raised, send, submit, until

N = 40


def test_a_killed_task_is_answered():
    """cpython 66587 (bpo-22393), 82265: Pool.apply_async().get() of a task whose worker was killed never returns."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            o = submit(d, "crash", int(signal.SIGKILL))
            died(-9)(o)
            # cpython 139462: and the caller is told who died, how, and what it had said.
            assert o["error"]["data"]["worker"].startswith("f/") and "SIGKILL" in o["error"]["message"], o
            at_full_size(d, 1)


def test_a_reader_killed_while_idle_harms_nobody():
    """cpython 96062, 87971, 88304, 85880, loky 2, billiard 457: one reader killed in get() holds the lock of the queue for ever."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            os.kill(pool(d)["workers"][0]["pid"], signal.SIGKILL)
            assert [o["result"] for o in answers(d.client, [send(d.client, "echo", i) for i in range(N)])] == list(range(N))
            at_full_size(d, 1)


def test_one_death_is_one_failure():
    """cpython 101267, BrokenProcessPool by design: one death fails everything that waits, and all that is submitted later."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            numbers = [send(d.client, "crash", int(signal.SIGKILL)) if i == 5 else send(d.client, "echo", i) for i in range(N)]
            got = answers(d.client, numbers)
            died(-9)(got.pop(5))
            assert [o["result"] for o in got] == [i for i in range(N) if i != 5], got
            done("later")(submit(d, "echo", "later"))
            at_full_size(d, 1)


def test_nobody_reads_and_nobody_waits():
    """cpython 94777, 105829, loky test_queue_full_deadlock: a full pipe to workers that do not read blocks whoever writes."""
    text = "x" * 50000
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            other = Client(d.path)
            workers = pool(d)["workers"]
            for w in workers:
                os.kill(w["pid"], signal.SIGSTOP)
            numbers = [send(other, "echo", text) for _ in range(N)]
            until(lambda: pool(d)["busy"] == len(workers))  # 2 MB are on their way to stopped workers, and droverd answers
            for w in workers:
                os.kill(w["pid"], signal.SIGKILL)
            assert [o["result"] for o in answers(other, numbers)] == [text] * N
            other.close()
            at_full_size(d, len(workers))


def test_all_are_replaced_after_their_tasks():
    """cpython 115634, celery 3085, 5120: with max_tasks_per_child workers are not replaced, or their last result is lost."""
    for kind in kinds():
        with daemon(kind, recycle={"tasks": 5}) as d:
            at_full_size(d)
            got = answers(d.client, [send(d.client, "whoami") for _ in range(N)])
            pids = [o["result"] for o in got]
            assert max(pids.count(pid) for pid in pids) <= 5 and len(set(pids)) >= N // 5, pids
            at_full_size(d)


def test_threads_and_forks():
    """cpython 90622, 139409, 105464: a fork of a process with threads inherits locks that nobody will release."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            for _ in range(10):
                done(7)(submit(d, "fork_with_threads"))
            at_full_size(d, 0)


def test_a_result_that_cannot_be_sent_is_an_error():
    """cpython PR 101081, billiard 452: a result that cannot be pickled, or an exception of another base, kills the worker or hangs."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            pids = {w["pid"] for w in pool(d)["workers"]}
            for target in ("cycle", "not_utf8", "fail"):
                raised()(submit(d, target))
            assert {w["pid"] for w in pool(d)["workers"]} == pids
            if kind == "python":
                died(3)(submit(d, "leave", 3))  # SystemExit, which no `except Exception` sees
                at_full_size(d, 1)


def test_nothing_is_left_behind():
    """cpython 82300, loky test_sigkill_shutdown_leaks_workers: after a SIGKILL of the owner its workers and its memory stay."""
    for kind in kinds():
        with daemon(kind) as d:
            at_full_size(d)
            before = set(os.listdir("/dev/shm"))
            o = submit(d, "child_stays", d.pids)
            done(True)(o)
            until(lambda: noted_pids(d))
            pids = [w["pid"] for w in pool(d)["workers"]] + noted_pids(d)
            d.kill_droverd()  # the workers go on
            assert [w["pid"] for w in pool(d)["workers"]] == pids[:-1]
            at_full_size(d, 0)
            assert d.terminate() == 0
            for pid in pids:
                wait_gone(pid)
            assert {name for name in set(os.listdir("/dev/shm")) - before if "drover" in name} == set()


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 2 or sys.argv[1] in name):
            print(name, flush=True)
            test()
