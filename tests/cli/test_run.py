"""droverctl run: bytes, signals and exit codes pass through, against a daemon that starts real processes."""
import os
import signal
import subprocess
import threading

from fake_droverd import FakeRuns
from util_cli import LIMIT, CliTest, main


class Run(CliTest):
    daemon_class = FakeRuns

    def setUp(self):
        super().setUp()
        self.env['XDG_RUNTIME_DIR'] = self.dir

    def leftovers(self):
        places = [self.dir, '/run'] if os.geteuid() == 0 else [self.dir]
        return [name for place in places for name in os.listdir(place) if name.startswith('droverctl-run-')]

    def test_output_and_code(self):
        for script, want in (('echo out; echo err >&2', (0, 'out\n', 'err\n')), ('exit 3', (3, '', '')), ('exit 255', (255, '', '')),
                             ('kill -9 $$', (137, '', '')), ('kill -TERM $$', (143, '', '')), ('printf no-newline', (0, 'no-newline', ''))):
            with self.subTest(script):
                self.assertEqual(self.ctl('run', '--', 'sh', '-c', script), want)

    def test_params(self):
        self.ctl('run', '--name', 'job-1', '-e', 'A=b c', '-e', 'PATH', '--', 'true')
        params = self.daemon.calls[0][1]
        self.assertEqual(params['name'], 'job-1')
        self.assertEqual(params['command'], ['true'])
        self.assertEqual(os.path.realpath(params['directory']), os.path.realpath(self.dir))
        self.assertEqual(params['env'], {'A': 'b c', 'PATH': os.environ['PATH']})
        self.assertTrue(params['stdin'].startswith('/'))
        self.ctl('run', '-C', 'sub/dir', '/bin/Sleep_x', '-n', '--daemon')
        params = self.daemon.calls[-1][1]
        self.assertEqual(params['command'], ['/bin/Sleep_x', '-n', '--daemon'])
        self.assertTrue(params['directory'].endswith('/sub/dir'))
        self.assertRegex(params['name'], '^sleep-x-[a-z0-9]{6}$')

    def last_run(self):
        return [params for method, params in self.daemon.calls if method == 'run'][-1]

    def test_target(self):
        open(self.dir + '/m.so', 'w').close()
        self.ctl('run', '--module', './m.so', '--target', 'square', '5', 'base=2', 'x y', 'a=b=c', '=', '1=2', '{"k": [1]}', 'null',
                 '18446744073709551616', 's="5"')
        params = self.last_run()
        self.assertEqual(os.path.realpath(params['module']), os.path.realpath(self.dir + '/m.so'))
        self.assertTrue(params['module'].startswith('/'))
        self.assertEqual(params['target'], 'square')
        self.assertEqual(params['args'], [5, 'x y', '=', '1=2', {'k': [1]}, None, '18446744073709551616'])
        self.assertEqual(params['kwargs'], {'base': 2, 'a': 'b=c', 's': '5'})
        self.assertNotIn('command', params)
        self.assertRegex(params['name'], '^square-[a-z0-9]{6}$')
        self.ctl('run', '--start-method', 'fork', '--', 'speaks-the-protocol')
        self.assertEqual((self.last_run()['command'], self.last_run()['start_method']), (['speaks-the-protocol'], 'fork'))
        self.ctl('run', '-m', 'elsewhere.so', '--target=f', '--args', '[1]', '--kwargs={"a":1}', '--start-method', 'spawn', '--', '-2')
        params = self.last_run()
        self.assertEqual((params['module'], params['args'], params['kwargs'], params['start_method']),
                         ('elsewhere.so', [1, -2], {'a': 1}, 'spawn'))
        self.ctl('run', '-m', '/m.so', '--target', 'f')
        self.assertNotIn('args', self.last_run())
        for args, text in ((('--module', 'm.so'), 'go together'), (('--target', 'f'), 'run what?'), (('--target', 'f', 'x'), 'go together'),
                           (('--args', '[1]', 'true'), 'for a target'), (('-m', 'm.so', '--target', 'f', '--args', '{}'), 'an array'),
                           (('-m', 'm.so', '--target', 'f', '--kwargs', '[]'), 'an object'),
                           (('-m', 'm.so', '--target', 'f', 'a=1', 'a=2'), 'given twice')):
            with self.subTest(args):
                code, out, err = self.ctl('run', *args)
                self.assertEqual((code, out), (2, ''))
                self.assertIn(text, err)

    def test_stdin(self):
        data = os.urandom(3 << 20)
        p = self.start('run', 'cat', stdin=subprocess.PIPE)
        out, err = p.communicate(data, timeout=LIMIT)
        self.assertEqual((p.returncode, err), (0, b''))
        self.assertEqual(out, data)

    def test_stdin_at_its_end(self):
        for redirect in ('</dev/null', '<&-', '</etc/hostname'):
            with self.subTest(redirect):
                p = subprocess.run(['sh', '-c', '"$D" run cat ' + redirect], env=dict(self.env, D=os.environ['DROVERCTL']),
                                   stdout=subprocess.PIPE, timeout=LIMIT)
                self.assertEqual(p.returncode, 0)
                self.assertEqual(bool(p.stdout), 'hostname' in redirect)

    def test_command_that_closes_stdin(self):
        p = self.start('run', 'sh', '-c', 'exec <&-; echo closed; read x <&3; exit 4', stdin=subprocess.PIPE)
        p.stdin.close()
        p.stdin = None
        out, _ = p.communicate(timeout=LIMIT)
        self.assertEqual(out, b'closed\n')
        self.assertNotEqual(p.returncode, 0)
        yes = subprocess.Popen(['yes'], stdout=subprocess.PIPE)
        p = self.start('run', 'head', '-c', '100000', stdin=yes.stdout)
        yes.stdout.close()
        out, _ = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, len(out)), (0, 100000))
        yes.wait(LIMIT)

    def test_reader_that_goes(self):
        p = self.start('run', 'yes')
        self.assertEqual(p.stdout.readline(), b'y\n')
        p.stdout.close()
        self.assertEqual(p.wait(LIMIT), 128 + signal.SIGPIPE)
        self.assertEqual(p.stderr.read(), b'')
        p.stderr.close()

    def test_slow_reader(self):
        """Nothing is lost between the end of the command and the last byte read."""
        p = self.start('run', 'head', '-c', '1000000', '/dev/zero')
        self.assertTrue(self.daemon.started.wait(LIMIT))
        out, _ = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, len(out)), (0, 1000000))

    def test_not_started(self):
        status, out, err = self.ctl('run', '/no/such/program')
        self.assertEqual((status, out), (127, ''))
        self.assertIn('/no/such/program: No such file', err)
        self.assertEqual(self.ctl('run', '/etc/passwd')[0], 126)
        self.assertEqual(self.leftovers(), [])

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
            with self.subTest(number):
                p = self.start('run', 'sh', '-c', 'echo ready; exec sleep 1000')
                self.assertEqual(p.stdout.readline(), b'ready\n')
                p.send_signal(number)
                p.communicate(timeout=LIMIT)
                self.assertEqual(p.returncode, 128 + number)
                self.assertEqual(self.daemon.calls[-1][1]['tree'], number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP))

    def test_stop_and_continue(self):
        p = self.start('run', 'sh', '-c', 'echo ready; read x; echo $x', stdin=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), b'ready\n')
        p.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(p.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        p.send_signal(signal.SIGCONT)
        out, _ = p.communicate(b'on\n', timeout=LIMIT)
        self.assertEqual((p.returncode, out), (0, b'on\n'))
        self.assertEqual([c[1]['signal'] for c in self.daemon.calls if c[0] == 'kill'], [signal.SIGSTOP, signal.SIGCONT])

    def test_daemon_killed_in_the_middle(self):
        p = self.start('run', 'sh', '-c', 'echo before; read x; echo $x; exit 5', stdin=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), b'before\n')
        self.daemon.close()
        p.stdin.write(b'while it was away\n')
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b'while it was away\n')
        self.daemon.open()
        out, err = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, out, err), (5, b'', b''))

    def test_answer_of_run_lost(self):
        """The process was started, the daemon died before it said so: it is found again by its name, not run twice."""
        real = self.daemon.run

        for ends_first in (False, True):
            with self.subTest(ends_first):
                self.daemon.n_connections = self.daemon.n_started = 0

                def run_and_die(params):
                    answer = real(params)
                    if ends_first:
                        self.daemon.processes[params['name']].wait()
                    if self.daemon.n_connections == 1:
                        self.daemon.drop()
                    return answer

                self.daemon.answers['run'] = run_and_die
                self.assertEqual(self.ctl('run', 'sh', '-c', 'echo once; exit 6'), (6, 'once\n', ''))
                self.assertEqual(self.daemon.n_started, 1)

    def test_request_lost(self):
        """The daemon died before it started anything: asked again."""
        real = self.daemon.run

        def die(params):
            self.daemon.answers['run'] = real
            self.daemon.drop()

        self.daemon.answers['run'] = die
        self.assertEqual(self.ctl('run', '--name', 'x', 'echo', 'once'), (0, 'once\n', ''))
        self.assertEqual(self.daemon.n_started, 1)

    def test_nothing_is_left(self):
        p = self.start('run', 'sh', '-c', 'echo ready; sleep 1000')
        self.assertEqual(p.stdout.readline(), b'ready\n')
        # Output is passed on only after the names are gone.
        self.assertEqual(self.leftovers(), [])
        p.kill()
        p.communicate(timeout=LIMIT)
        for process in self.daemon.processes.values():
            process.kill()

    def test_idle(self):
        """Waiting costs nothing."""
        p = self.start('run', 'sh', '-c', 'echo ready; read x', stdin=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), b'ready\n')

        def switches():
            with open('/proc/%d/status' % p.pid) as f:
                return sum(int(line.split()[1]) for line in f if 'ctxt_switches' in line)

        first = switches()
        threading.Event().wait(0.3)
        self.assertLessEqual(switches() - first, 4)
        p.communicate(b'x\n', timeout=LIMIT)

    def test_detached(self):
        status, out, _ = self.ctl('run', '-d', '--name', 'job', 'sleep', '0')
        self.assertEqual((status, out), (0, 'job\n'))
        self.assertNotIn('stdin', self.daemon.calls[0][1])
        self.assertEqual(self.ctl('wait', 'job')[0], 0)
        self.ctl('run', '-d', '--name', 'job', 'sleep', '1000')
        status, _, err = self.ctl('run', '-d', '--name', 'job', 'sleep', '0')
        self.assertEqual(status, 1)
        self.assertIn('there is a job already', err)
        self.daemon.processes['job'].kill()
        self.assertEqual(self.ctl('wait', 'job')[0], 137)
        self.assertEqual(self.ctl('run', '-d', '/no/such')[0], 127)


if __name__ == '__main__':
    main()
