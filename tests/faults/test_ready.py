"""droverd is killed in the very moment in which workers say READY=1: each of them is ready in the next life, at once and
with the last thing it said, however little of it was on record."""
import os
import unittest

from daemon_util import Daemon

N_ROUNDS = int(os.environ.get("DROVER_READY_ROUNDS", "12"))
N_WORKERS = 6
SPANS = (100, 400, 1500)  # µs between the word and the kill, at most: some rounds of each
AT_ONCE = 20  # seconds; what was lost would take READY_TIMEOUT
READY_TIMEOUT = "10m"


class Ready(unittest.TestCase):
    def round(self, d, trigger, pool):
        """All workers anew; one of them, whoever is the first to try, kills droverd."""
        with open(trigger, "w", encoding="utf-8"):
            pass
        before = {w["pid"] for w in d.workers(pool).values()}
        d.client.send("restart", select=pool)
        d.wait_notice("READY=1")  # of the next life
        d.connect()
        d.call("wait", select=pool, timeout=AT_ONCE, **{"for": "ready"})
        workers = d.workers(pool)
        self.assertEqual(len(workers), N_WORKERS)
        for name, w in workers.items():
            self.assertEqual(w["state"], "running", name)
            self.assertEqual(w["status_text"], f"pid {w['pid']}", name)
            self.assertNotIn(w["pid"], before, name)

    def test_killed_at_ready(self):
        with Daemon() as d:
            trigger = d.place + "/trigger"
            d.write_config({"pools": {f"w{span}": {
                "command": [os.environ["HELPER"], "ready-kill", trigger, str(span)], "workers": N_WORKERS,
                "ready": {"notify": True, "timeout": READY_TIMEOUT}, "restart": {"delay": 0}} for span in SPANS}})
            d.start()
            d.call("wait", select="*", timeout=AT_ONCE, **{"for": "ready"})
            for i in range(N_ROUNDS):
                self.round(d, trigger, f"w{SPANS[i % len(SPANS)]}")
            self.assertEqual(d.terminate(), 0, d.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
