"""drover-host, the program of modules' workers, called as droverd calls it. Usage: test_host.py HOST MODULE LIBC"""
import subprocess
import sys

HOST, MODULE, NO_MODULE = sys.argv[1:4]
del sys.argv[1:]


def run(*args):
    r = subprocess.run([HOST, "--module", *args], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    return r.returncode, r.stdout, r.stderr


def check(got, code, out, err):
    assert got[0] == code and out in got[1] and err in got[2], got


check(run(MODULE, "--list"), 0, "square\tsquare(x, base=0): x * x + base\n", "")
check(run(MODULE, "--target", "square", "--args", "[5]", "--kwargs", '{"base":2}'), 0, "", "")
check(run(MODULE, "--target", "divide", "--args", "[5,0]"), 1, "", "ZeroDivisionError: division by zero\n")
check(run(MODULE, "--target", "divide", "--args", "[5,0]"), 1, "", "Traceback (innermost first):\n#0 divide (")
assert "math.so" in run(MODULE, "--target", "divide")[2]
assert "drover-host" not in run(MODULE, "--target", "divide")[2], "the frames of drover's own are of no interest"
check(run(MODULE, "--target", "sqare"), 1, "", 'did you mean "square"?')
check(run(MODULE, "--target", "square", "--args", "5"), 2, "", "--args takes a JSON array")
check(run("/nonexistent/m.so"), 2, "", "/nonexistent/m.so")
check(run(NO_MODULE), 2, "", "it exports no drover_module_table")
check(run(MODULE), 2, "", "no task channel")
check(run(MODULE, "--nonsense"), 2, "", "drover-host: unknown option")
