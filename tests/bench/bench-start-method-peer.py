"""What Python 3.11 does in the place of bench-start-method's figures: bench-start-method-peer.py METHOD N prints the median
seconds of one Process, start() and join(), of a function that does nothing. With forkserver the server is up already."""
import multiprocessing
import statistics
import sys
import time


def nothing(x):
    return x


def one(context):
    start = time.perf_counter()
    process = context.Process(target=nothing, args=(5,))
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.perf_counter() - start


if __name__ == "__main__":
    chosen = multiprocessing.get_context(sys.argv[1])
    one(chosen)
    print(statistics.median(one(chosen) for _ in range(int(sys.argv[2]))))
