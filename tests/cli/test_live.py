"""What droverctl shows while it goes on: top, status -w, progress; in a pseudo-terminal, against a fake daemon.

The terminal must be as it was after every way out: q, Ctrl-C, SIGTERM, a crash, a daemon that does not come back.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from fake_droverd import Error, Silence, Stream
from util_cli import LIMIT, CliTest, main

ENTER, LEAVE = b'\033[?1049h', b'\033[?1049l'


class Terminal:
    """droverctl in a terminal of its own; what it wrote so far is in `seen`."""

    def __init__(self, test, *args, rows=24, columns=80, **env):
        self.test, self.seen = test, b''
        self.primary, self.secondary = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.secondary)
        env = dict(test.env, TERM='xterm', NO_COLOR='1', **env)

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([os.environ['DROVERCTL'], *args], stdin=self.secondary, stdout=self.secondary,
                                        stderr=self.secondary, env=env, preexec_fn=take_terminal)
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.primary)
        os.close(self.secondary)

    def resize(self, rows, columns):
        fcntl.ioctl(self.primary, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def read(self, seconds):
        ready, _, _ = select.select([self.primary], [], [], seconds)
        if ready:
            self.seen += os.read(self.primary, 65536)
        return bool(ready)

    def wait_for(self, pattern, from_here=True):
        """Until what is written from now on (or at all) matches."""
        start = len(self.seen) if from_here else 0
        end = time.monotonic() + LIMIT
        while not re.search(pattern, self.seen[start:], re.DOTALL):
            if time.monotonic() > end:
                self.test.fail('no %r in %r' % (pattern, self.seen[start:]))
            self.read(0.5)

    def type(self, text):
        os.write(self.primary, text.encode())

    def end(self):
        """Exit status; the terminal must be what it was."""
        end = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        while self.read(0.05):
            pass
        self.test.assertEqual(termios.tcgetattr(self.secondary), self.before)
        self.test.assertEqual(self.seen.count(ENTER), self.seen.count(LEAVE), self.seen)
        return self.process.wait(LIMIT)


def worker(name, state='running', **more):
    return dict({'name': name, 'pool': name.split('/')[0], 'state': state, 'alive': state == 'running', 'pid': 7, 'restarts': 0, 'uptime': 5.0,
                 'cpu': 1.0, 'memory': 1 << 20, 'exitcode': None, 'last_exit': None, 'note': '', 'started_at': None}, **more)


def status(*workers):
    pools = {}
    for w in workers:
        pools.setdefault(w['pool'], []).append(w)
    return {'pools': [{'name': name, 'state': 'running', 'origin': 'config', 'ready': len(ws), 'wanted': len(ws), 'restarts': 0, 'busy': 0,
                       'queued': 0, 'note': '', 'workers': ws} for name, ws in pools.items()]}


class Live(CliTest):
    def setUp(self):
        super().setUp()
        self.daemon.answers['status'] = status(worker('web/0'), worker('web/1', 'failed', note='exited with code 3'), worker('db/0'))
        self.daemon.answers['events'] = Stream('event', [])

    def top(self, *args, **more):
        t = Terminal(self, 'top', *args, **more)
        t.wait_for(rb'web/0.*db/0', False)
        return t

    def test_quit(self):
        t = self.top()
        self.assertIn(ENTER, t.seen)
        self.assertNotEqual(termios.tcgetattr(t.secondary), t.before)
        t.type('q')
        self.assertEqual(t.end(), 0)

    def test_ends(self):
        for number, want in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0), (signal.SIGQUIT, 131),
                             (signal.SIGSEGV, -11), (signal.SIGABRT, -6)):
            with self.subTest(number):
                t = self.top()
                t.process.send_signal(number)
                self.assertEqual(t.end(), want)

    def test_stop_and_continue(self):
        t = self.top()
        t.process.send_signal(signal.SIGTSTP)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(t.process.pid, os.WUNTRACED)[1]))
        while t.read(0.05):
            pass
        self.assertEqual(t.seen.count(LEAVE), 1)
        self.assertEqual(termios.tcgetattr(t.secondary), t.before)
        t.process.send_signal(signal.SIGCONT)
        t.wait_for(rb'web/0')
        t.type('q')
        self.assertEqual(t.end(), 0)

    def test_resize(self):
        t = self.top()
        for rows, columns in ((50, 200), (5, 30), (1, 1), (2, 10), (24, 80)):
            t.resize(rows, columns)
            t.wait_for(rb'\033\[H')
        t.wait_for(rb'q quit|sort  \? h')
        t.type('q')
        self.assertEqual(t.end(), 0)

    def test_keys(self):
        for method in ('stop', 'start', 'restart', 'reload', 'pause', 'resume'):
            self.daemon.answers[method] = {'workers': []}
        t = self.top()
        for keys, message, call in (('s', b'stopping web/0', ('stop', {'select': ['web/0'], 'wait': False})),
                                    ('\033[BS', b'starting web/1', ('start', {'select': ['web/1'], 'wait': False})),
                                    ('jr', b'restarting db/0', ('restart', {'select': ['db/0'], 'wait': False})),
                                    ('kR', b'reloading web', ('reload', {'select': ['web'], 'wait': False})),
                                    ('p', b'pausing web/1', ('pause', {'select': ['web/1']}))):
            t.type(keys)
            t.wait_for(message)
            self.assertIn(call, self.wait_calls(call))
        self.daemon.answers['stop'] = Error('denied', 'you may not')
        t.type('s')
        t.wait_for(b'you may not')
        t.type('?')
        t.wait_for(b'choose a worker')
        t.type('x')
        t.wait_for(b'web/0')
        t.type('q')
        self.assertEqual(t.end(), 0)

    def wait_calls(self, call):
        end = time.monotonic() + LIMIT
        while call not in self.daemon.calls and time.monotonic() < end:
            select.select([], [], [], 0.01)
        return self.daemon.calls

    def test_filter(self):
        t = self.top()
        t.type('/db\r')
        t.wait_for(rb'filter: db \(1 of 3\)')
        t.type('\033')
        t.wait_for(rb'1-3 of 3')
        t.type('q')
        self.assertEqual(t.end(), 0)

    def test_log(self):
        line = {'worker': 'web/0', 'stream': 'stdout', 'time': None, 'line': 'hello \033[2Jworld'}
        self.daemon.answers['logs'] = lambda _: Stream('log', [dict(line)])
        t = self.top()
        t.type('f')
        t.wait_for(rb'hello \\x1b\[2Jworld')
        t.type('q')
        t.wait_for(rb'web/0')
        self.wait_calls_of('call.cancel')
        t.type('q')
        self.assertEqual(t.end(), 0)

    def wait_calls_of(self, method):
        end = time.monotonic() + LIMIT
        while all(m != method for m, _ in self.daemon.calls) and time.monotonic() < end:
            select.select([], [], [], 0.01)
        self.assertIn(method, [m for m, _ in self.daemon.calls])

    def test_daemon_comes_back(self):
        t = self.top()
        self.daemon.close()
        t.wait_for(b'the daemon is away')
        self.daemon.answers['status'] = status(worker('new/0'))
        self.daemon.open()
        t.wait_for(b'new/0')
        t.type('q')
        self.assertEqual(t.end(), 0)

    def test_no_daemon(self):
        self.daemon.close()
        t = Terminal(self, 'top')
        self.assertEqual(t.end(), 7)
        self.assertNotIn(ENTER, t.seen)

    def test_unknown_name(self):
        self.daemon.answers['status'] = Error('not-found', 'there is no "x"')
        t = Terminal(self, 'top', 'x')
        self.assertEqual(t.end(), 4)
        self.assertGreater(t.seen.index(b'there is no'), t.seen.index(LEAVE))

    def test_top_without_terminal(self):
        code, out, _ = self.ctl('top', '--sort', 'mem')
        self.assertEqual(code, 0)
        self.assertIn('web/1', out)
        self.assertNotIn('\033', out)

    def test_watch_draws_on_events(self):
        t = Terminal(self, 'status', '-w')
        t.wait_for(rb'web .*running', False)
        t.process.send_signal(signal.SIGINT)
        self.assertEqual(t.end(), 130)
        self.assertIn(b'web', t.seen[t.seen.index(LEAVE):])  # the last table stays

    def test_watch_in_a_pipe(self):
        """The events are the reason to print, not the time."""
        answers = [status(worker('web/0', 'starting')), status(worker('web/0'))]
        self.daemon.answers['status'] = lambda _: answers.pop(0) if len(answers) > 1 else answers[0]
        self.daemon.answers['events'] = lambda _: Stream('event', [{'seq': 1, 'event': 'worker.running', 'worker': 'web/0'}])
        p = self.start('status', '-w', 'web/0')
        lines = []
        while not any(b'running' in x for x in lines):
            lines.append(p.stdout.readline())
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=LIMIT)
        self.assertEqual(p.returncode, 130)
        self.assertTrue(any(b'starting' in x for x in lines))
        self.assertNotIn(b'\033', b''.join(lines))

    def test_watch_ends_with_its_reader(self):
        p = self.start('status', '-w')
        p.stdout.readline()
        p.stdout.close()
        self.assertEqual(p.wait(LIMIT), 0)
        p.stderr.close()

    def test_watch_times_out(self):
        self.assertEqual(self.ctl('-T', '100ms', 'status', '-w')[0], 0)

    def test_progress(self):
        silence = Silence()
        self.daemon.answers['start'] = silence
        self.daemon.answers['status'] = status(worker('web/0', 'starting', note='loading'), worker('web/1', 'starting'))
        t = Terminal(self, 'start', 'web')
        t.wait_for(rb'waiting for web/0: starting \w+, loading \(and 1 more\)', False)
        self.daemon.answers['start'] = {'workers': [worker('web/0')]}
        self.daemon.drop()  # it asks again
        self.assertEqual(t.end(), 0)
        self.assertIn(b'\r\033[K', t.seen)

    def test_progress_of_tasks(self):
        """Who waits for a task hears of its pool alone."""
        asked = []

        def answer(params):
            asked.append(params)
            if params['select'] == ['math-7']:
                return Error('not-found', 'there is no math-7')
            answered = status(worker('math/0', 'backoff', note='init failed, next try in 8s'))
            answered['pools'][0]['ready'] = 0
            return answered

        self.daemon.answers['status'] = answer
        for verb, *args in (('task.wait', 'wait', 'math-7'), ('task.submit', 'submit', 'math', 'f', '--wait')):
            self.daemon.answers[verb] = Silence()
            t = Terminal(self, *args)
            t.wait_for(rb'waiting for math/0: backoff \w+, init failed, next try in 8s', False)
            t.process.send_signal(signal.SIGINT)
            t.end()
        self.assertIn({'select': ['math']}, asked)
        self.assertIn({'select': 'math'}, asked)

    def test_progress_is_for_terminals(self):
        silence = Silence()
        self.daemon.answers['start'] = silence
        self.assertEqual(self.ctl('-T', '1s', 'start', 'web')[0], 6)
        self.assertNotIn('status', [m for m, _ in self.daemon.calls])


if __name__ == '__main__':
    main()
