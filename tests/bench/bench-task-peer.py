"""What Python 3.11 does in the place of bench-task's figures: bench-task-peer.py FIGURE N WORKERS [BYTES] prints one number.

Pools are made and warm before the clock starts, as drover's workers are."""
import concurrent.futures
import multiprocessing
import os
import sys
import time


def nothing(_):
    return None


def same(x):
    return x


def clock(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def pool_map(pool, n):
    """All figures are tasks a second; here one at a time goes to a worker."""
    return n / clock(lambda: pool.map(nothing, range(n), chunksize=1))


def pool_apply_async(pool, n):
    """The same, each with a future of its own."""
    return n / clock(lambda: [r.get() for r in [pool.apply_async(nothing, (i,)) for i in range(n)]])


def pool_apply(pool, n):
    """One after the other."""
    return n / clock(lambda: [pool.apply(nothing, (0,)) for _ in range(n)])


def pool_best(pool, n):
    """Small integers a second, at the best of some chunks."""
    return max(n / clock(lambda: pool.map(same, range(n), chunksize=chunk)) for chunk in (1000, 5000, n // 8 + 1))


def pool_bytes(pool, n):
    """Bytes a second, there and back: arguments and results of so many bytes each."""
    data = [b"x" * int(sys.argv[4])] * n
    pool.map(same, data[:4], chunksize=1)
    return 2 * n * len(data[0]) / clock(lambda: pool.map(same, data, chunksize=1))


def executor_map(executor, n):
    return n / clock(lambda: list(executor.map(nothing, range(n), chunksize=1)))


def executor_best(executor, n):
    return max(n / clock(lambda: list(executor.map(same, range(n), chunksize=chunk))) for chunk in (1000, 5000, n // 8 + 1))


def main():
    figure, n, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    multiprocessing.set_start_method("fork")
    if figure.startswith("pool"):
        with multiprocessing.Pool(workers) as pool:
            pool.map(nothing, range(100), chunksize=1)
            print(globals()[figure](pool, n))
    else:
        with concurrent.futures.ProcessPoolExecutor(workers) as executor:
            list(executor.map(nothing, range(100), chunksize=1))
            print(globals()[figure](executor, n))
    sys.stdout.flush()
    os._exit(0)


main()
