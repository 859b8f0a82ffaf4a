"""submit, map, tasks, cancel and wait on tasks, against a daemon with fixed answers."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios

from fake_droverd import Error, FakeMaps, Silence
from util_cli import LIMIT, CliTest, main


def done(task, result, **more):
    return dict({'task': task, 'state': 'done', 'result': result}, **more)


def failed(task, message='ValueError: of no value', state='failed', name='task-failed', **data):
    return {'task': task, 'state': state, 'error': {'code': -32009, 'message': message, 'data': dict(name=name, **data)}}


RAISED = failed('math-2', type='ValueError', traceback='#0 fail (basics.c:70) in basics.so\n')
KILLED = failed('math-3', 'the worker died with it: math/0 killed by SIGSEGV', name='worker-died', exitcode=-11)
LATE = failed('math-4', 'it did not end within 1s', 'timeout', 'timeout')
DETAILS = {'pool': 'math', 'target': 'square', 'priority': 0, 'deaths': 0, 'attempts': 1, 'uid': 1000, 'worker': None,
           'submitted_at': '2026-01-02T03:04:05.678Z', 'ended_at': '2026-01-02T03:04:07.178Z'}
TASKS = [done('math-1', 25, **DETAILS), dict(RAISED, **DETAILS), dict(KILLED, **dict(DETAILS, deaths=3, attempts=3)),
         {'task': 'math-5', 'state': 'running', **dict(DETAILS, worker='math/1', ended_at=None)},
         {'task': 'math-6', 'state': 'queued', **dict(DETAILS, target='a-target-with-quite-a-long-name', ended_at=None, deaths=1, attempts=3)}]
NO_PROCESS = Error('not-found', 'there is no such pool, worker or process')


class Submit(CliTest):
    def setUp(self):
        super().setUp()
        self.daemon.answers['task.submit'] = {'task': 'math-1'}

    def submitted(self):
        (params,) = [p for m, p in self.daemon.calls if m == 'task.submit']
        return params

    def test_arguments(self):
        self.assertEqual(self.ctl('submit', 'math', 'square', '5', 'base=2', 'text', '[1]', 'k={"a":1}'), (0, 'math-1\n', ''))
        params = self.submitted()
        self.assertRegex(params.pop('key'), '^ctl-[0-9a-f]{24}$')
        self.assertEqual(params, {'pool': 'math', 'target': 'square', 'args': [5, 'text', [1]], 'kwargs': {'base': 2, 'k': {'a': 1}}})

    def test_options(self):
        self.ctl('submit', '--task-timeout', '1500ms', '--queue-timeout', '1m', '--attempts', '3', '--priority', '-5', '--key', 'k', 'math', 'f',
                 '--', '-5', '--wait')
        self.assertEqual(self.submitted(), {'pool': 'math', 'target': 'f', 'args': [-5, '--wait'], 'timeout': 1.5, 'queue_timeout': 60.0,
                                            'attempts': 3, 'priority': -5, 'key': 'k'})

    def test_wrong(self):
        for args, words in ((('math',), 'submit wants'), (('math', 'f', '5', '--wait'), '--wait stands behind the target'),
                            (('math', 'f', '5', '--key=x'), '--key=x stands behind'), (('--keep', 'math', 'f'), '--keep goes with --wait'),
                            (('--no-wait', '--wait', 'math', 'f'), 'contradict'), (('math', 'f', 'a=1', 'a=2'), 'given twice'),
                            (('--priority', 'high', 'math', 'f'), 'no number')):
            with self.subTest(args):
                status, out, err = self.ctl('submit', *args)
                self.assertEqual((status, out), (2, ''))
                self.assertIn(words, err)
        self.assertEqual(self.daemon.calls, [])

    def test_forms(self):
        self.assertEqual(self.ctl('-o', 'jsonl', 'submit', 'math', 'f'), (0, '{"task":"math-1"}\n', ''))
        self.assertEqual(self.ctl('-q', 'submit', 'math', 'f'), (0, '', ''))

    def test_refused(self):
        for name, status in (('not-found', 4), ('denied', 5), ('limit', 1), ('invalid', 2)):
            self.daemon.answers['task.submit'] = Error(name, 'why not')
            self.assertEqual(self.ctl('submit', 'math', 'f'), (status, '', 'droverctl: why not\n'))

    def test_answer_lost(self):
        """The daemon was killed before its answer was here: the key makes the second submit the same task."""
        def die(_params):
            self.daemon.answers['task.submit'] = {'task': 'math-1'}
            self.daemon.drop()

        self.daemon.answers['task.submit'] = die
        self.assertEqual(self.ctl('submit', 'math', 'f'), (0, 'math-1\n', ''))
        first, second = [p for m, p in self.daemon.calls if m == 'task.submit']
        self.assertEqual(first, second)

    def wait(self, outcome, *options):
        self.daemon.answers['task.submit'] = outcome
        return self.ctl('submit', '--wait', *options, 'math', 'f')

    def test_results(self):
        for result, text in ((25, '25'), ('bare text', 'bare text'), ([1, 0.1, 1e300, 0.30000000000000004], '[1,0.1,1e+300,0.30000000000000004]'),
                             (None, 'null'), ({'a': {'b': 'c\n'}}, '{"a":{"b":"c\\n"}}'), (2.0, '2.0'), ('21333325333334000000', '21333325333334000000')):
            with self.subTest(result):
                self.assertEqual(self.wait(done('math-1', result)), (0, text + '\n', ''))
        self.assertEqual(self.wait(done('math-1', 25), '-o', 'json'), (0, '{"task":"math-1","state":"done","result":25}\n', ''))
        self.assertEqual(self.wait(done('math-1', 25), '-q'), (0, '', ''))
        self.assertTrue(all(p['wait'] and 'key' not in p for _, p in self.daemon.calls))

    def test_failures(self):
        self.assertEqual(self.wait(RAISED), (1, '', 'Traceback (innermost first):\n#0 fail (basics.c:70) in basics.so\nValueError: of no value\n'))
        self.assertEqual(self.wait(KILLED), (1, '', 'droverctl: math-3: the worker died with it: math/0 killed by SIGSEGV\n'))
        self.assertEqual(self.wait(LATE), (6, '', 'droverctl: math-4: it did not end within 1s\n'))
        self.assertEqual(self.wait(failed('math-9', 'it was cancelled', 'cancelled', 'cancelled'))[0], 1)
        self.assertEqual(self.wait({'task': 'math-9', 'state': 'lost'}), (1, '', 'droverctl: math-9: lost\n'))

    def test_interrupt(self):
        mute = self.daemon.answers['task.submit'] = Silence()
        p = self.start('submit', '--wait', 'math', 'f')
        mute.heard.wait(LIMIT)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, out), (130, b''))
        self.assertIn(b'the task is cancelled', err)

    def test_time_is_over(self):
        self.assertEqual(self.wait(Silence(), '-T', '50ms')[0], 6)

    def test_daemon_goes(self):
        self.daemon.answers['task.submit'] = lambda _: self.daemon.drop()
        status, _, err = self.ctl('submit', '--wait', 'math', 'f')
        self.assertEqual(status, 7)
        self.assertIn('With --keep', err)

    def test_keep_over_restart(self):
        def die(_params):
            self.daemon.answers['task.wait'] = {'tasks': [done('math-1', 25)]}
            self.daemon.drop()

        self.daemon.answers['task.wait'] = die
        self.assertEqual(self.ctl('submit', '--wait', '--keep', 'math', 'f'), (0, '25\n', ''))
        self.assertEqual([p for m, p in self.daemon.calls if m == 'task.wait'], [{'tasks': ['math-1'], 'attach': True}] * 2)
        self.assertNotIn('wait', self.submitted())


class Wait(CliTest):
    def setUp(self):
        super().setUp()
        outcomes = {'math-1': done('math-1', 25), 'math-2': RAISED, 'math-3': KILLED, 'math-4': LATE}
        processes = {'job-1': 0, 'web': 0, 'job-2': 3}
        worker = {'pool': 'job-1', 'state': 'exited', 'alive': False, 'started_at': '2026-01-01T00:00:00.000Z'}

        def status(params):
            return {'pools': []} if params['select'][0] in processes else NO_PROCESS

        def wait(params):
            return {'workers': [dict(worker, name=n, exitcode=processes[n]) for n in params['select']]}

        def wait_tasks(params):
            if not set(params['tasks']) <= set(outcomes):
                return Error('not-found', 'there is no task "%s"' % params['tasks'][0])
            return {'tasks': [outcomes[t] for t in params['tasks']]}

        self.daemon.answers.update({'status': status, 'wait': wait, 'task.wait': wait_tasks})

    def test_one(self):
        self.assertEqual(self.ctl('wait', 'math-1'), (0, '25\n', ''))
        self.assertEqual(self.ctl('wait', 'math-2')[0], 1)
        self.assertEqual(self.ctl('wait', 'math-4')[0], 6)
        self.assertEqual(self.ctl('wait', 'math-99'), (4, '', 'droverctl: there is no task "math-99"\n'))

    def test_several(self):
        status, out, _ = self.ctl('wait', 'math-1', 'math-2', 'math-4')
        self.assertEqual(status, 1)
        self.expect('wait-tasks.txt', out)
        self.assertEqual(self.ctl('wait', 'math-1', 'math-4')[0], 6)
        status, out, _ = self.ctl('wait', '-o', 'json', 'math-1', 'math-4')
        self.assertEqual([t['state'] for t in json.loads(out)['tasks']], ['done', 'timeout'])
        self.assertEqual(self.ctl('wait', '-o', 'name', 'math-4', 'math-1')[1], 'math-4\nmath-1\n')

    def test_a_process_comes_first(self):
        self.assertEqual(self.ctl('wait', 'job-2'), (3, '', ''))
        self.assertNotIn('task.wait', [m for m, _ in self.daemon.calls])
        status, out, _ = self.ctl('wait', 'job-1', 'math-1')
        self.assertEqual((status, out.splitlines()[0]), (0, 'job-1: 1 exited'))
        self.assertIn('math-1  done', out)
        self.assertEqual(self.ctl('wait', 'web'), (0, '', ''))
        self.assertEqual(self.ctl('wait', '--for', 'idle', 'math-1')[0], 2)


class Tasks(CliTest):
    def setUp(self):
        super().setUp()
        self.daemon.answers['task.list'] = {'tasks': TASKS, 'more': 0}

    def test_forms(self):
        for form in ('table', 'wide', 'json', 'jsonl', 'name'):
            with self.subTest(form):
                status, out, _ = self.ctl('-o', form, 'tasks')
                self.assertEqual(status, 0)
                self.expect('tasks-%s.txt' % form, re.sub(r' +(AGE|\d+d(?:\d+h)?)', lambda m: ' AGE' if m[1] == 'AGE' else ' 3d2h', out))

    def test_terminal(self):
        """80 columns, colours, and the end of what is too long."""
        primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        p = self.start('tasks', stdout=secondary)
        os.close(secondary)
        seen = b''
        try:
            while True:
                seen += os.read(primary, 65536)
        except OSError:
            pass
        os.close(primary)
        self.assertEqual(p.wait(LIMIT), 0)
        p.communicate()
        lines = re.sub(rb'\033\[\d*m', b'', seen).decode().splitlines()
        self.assertEqual(len(lines), len(TASKS) + 1)
        self.assertLessEqual(max(map(len, lines)), 80, lines)
        self.assertIn(b'\033[31mfailed\033[0m', seen)

    def test_pages(self):
        all_tasks = [done('math-%d' % i, i, **DETAILS) for i in range(1, 2501)]

        def page(params):
            after = int(params['after'].split('-')[1]) if 'after' in params else 0
            rest = all_tasks[after:]
            return {'tasks': rest[:params['limit']], 'more': max(0, len(rest) - params['limit'])}

        self.daemon.answers['task.list'] = page
        names = [t['task'] for t in all_tasks]
        self.assertEqual(self.ctl('tasks', '-o', 'name')[1].split(), names)
        self.assertEqual(len([1 for m, _ in self.daemon.calls if m == 'task.list']), 3)
        self.assertEqual(self.ctl('tasks', '-o', 'name', '-n', '1002')[1].split(), names[:1002])
        self.assertEqual(self.daemon.calls[-1][1], {'limit': 2, 'after': 'math-1000'})

    def test_parameters(self):
        self.ctl('tasks', '--state', 'failed', 'math', 'web')
        self.assertEqual([p for _, p in self.daemon.calls], [{'limit': 1000, 'pool': 'math', 'state': 'failed'},
                                                             {'limit': 1000, 'pool': 'web', 'state': 'failed'}])
        status, _, err = self.ctl('tasks', '--state', 'faild')
        self.assertEqual(status, 2)
        self.assertIn('did you mean "failed"?', err)

    def test_odd_answers(self):
        for answer in ({}, {'tasks': 7}, {'tasks': [None, 7, {}, {'task': 1, 'state': [], 'error': 5}], 'more': 5}, []):
            with self.subTest(answer):
                self.daemon.answers['task.list'] = answer
                for form in ('table', 'wide', 'jsonl', 'name'):
                    self.assertLessEqual(self.ctl('-o', form, 'tasks', '-n', '9')[0], 1)

    def test_cancel(self):
        self.daemon.answers['task.cancel'] = lambda p: {'cancelled': len(set(p['tasks']) & {'math-5', 'math-6'})}
        self.assertEqual(self.ctl('cancel', 'math-5', 'math-6'), (0, '', ''))
        self.assertEqual(self.ctl('cancel', 'math-5', 'math-1'), (0, '', 'droverctl: 1 of 2 cancelled; the rest had ended before\n'))
        self.assertEqual(self.ctl('cancel', 'math-1')[0], 3)
        self.assertEqual(self.ctl('-o', 'jsonl', 'cancel', 'math-5'), (0, '{"cancelled":1}\n', ''))

    def test_completion(self):
        self.daemon.answers['task.list'] = lambda p: {'tasks': [t for t in TASKS if t['state'] == p['state']], 'more': 0}
        self.daemon.answers['status'] = {'pools': [{'name': 'math', 'state': 'running', 'workers': []}]}
        for words, wanted in ((('cancel', ''), ['math-5', 'math-6']), (('wait', 'ma'), ['math', 'math-5', 'math-6']), (('submit', 'm'), ['math']),
                              (('submit', 'math', ''), []), (('submit', 'math', 'f', ''), []), (('map', '--ra'), ['--raw']),
                              (('tasks', '--state', 'f'), ['failed']), (('tasks', 'ma'), ['math'])):
            with self.subTest(words):
                self.assertEqual([line.split('\t')[0] for line in self.ctl('__complete', *words)[1].splitlines()], wanted)


class Map(CliTest):
    daemon_class = FakeMaps

    def map(self, text, *options):
        return self.ctl('map', *options, 'math', 'f', input=text.encode())

    def test_lines(self):
        self.assertEqual(self.map('1\n"two"\n\n[3, {"a": null}]\n 0.1 \n30000000000000000000\n-7'),
                         (0, '1\n"two"\n[3,{"a":null}]\n0.1\n"30000000000000000000"\n-7\n', ''))
        self.assertEqual(self.map(''), (0, '', ''))
        self.assertEqual(self.map('\n \n'), (0, '', ''))

    def test_raw(self):
        self.assertEqual(self.map('a b\n\n"q"\r\nü\n', '--raw'), (0, '"a b"\n""\n"\\"q\\"\\r"\n"ü"\n', ''))
        self.assertEqual(self.map('\x7f\x9b\n', '--raw'), (0, '"\\u007f\\u009b"\n', ''))
        self.assertEqual(self.ctl('map', '--raw', 'math', 'f', input=b'a\n\xff\n'),
                         (2, '"a"\n', 'droverctl: line 2 is not UTF-8, and JSON carries nothing else\n'))

    def test_parameters(self):
        self.map('1\n', '--unordered', '--chunk', '7', '--attempts', '2', '--task-timeout', '3s', '--priority', '1')
        self.ctl('map', 'math', 'f', 'base=2', input=b'')
        first, second = [p for m, p in self.daemon.calls if m == 'task.map']
        self.assertEqual(first, {'pool': 'math', 'target': 'f', 'items': [], 'more': True, 'ordered': False, 'chunk': 7, 'attempts': 2,
                                 'timeout': 3.0, 'priority': 1})
        self.assertEqual(second, {'pool': 'math', 'target': 'f', 'items': [], 'more': True, 'kwargs': {'base': 2}})

    def test_forms(self):
        for options in (('-o', 'jsonl'), ('--unordered',), ('-o', 'json')):
            self.assertEqual(self.map('1\n{"a":2}\n', *options), (0, '{"index":0,"result":1}\n{"index":1,"result":{"a":2}}\n', ''))
        self.assertEqual(self.map('1\n', '-q'), (0, '', ''))

    def test_failures(self):
        status, out, err = self.map('1\n"bad"\n2\n')
        self.assertEqual((status, err), (1, 'droverctl: 1 of 3 failed\n'))
        lines = out.splitlines()
        self.assertEqual((lines[0], lines[2]), ('1', '2'))
        self.assertEqual(json.loads(lines[1]), {'index': 1, 'error': {'code': -32009, 'message': 'ValueError: bad', 'data': {'name': 'task-failed'}}})

    def test_bad_lines(self):
        self.assertEqual(self.map('1\nfoo\n3\n'), (2, '1\n', "droverctl: line 2 is no JSON value: invalid token near 'foo'; --raw takes lines as strings\n"))
        for line in ('{"a":1,"a":2}', '[', '1 2', 'NaN', '-', "'x'"):
            self.assertEqual(self.map(line + '\n')[0], 2, line)
        status, out, err = self.map('1\n"%s"\n2\n' % ('x' * 70000))
        self.assertEqual((status, out), (2, '1\n'))
        self.assertIn('line 2 has 70002 bytes as JSON', err)
        status, out, err = self.map('1\n' + ' ' * 2000000)
        self.assertEqual((status, out), (2, '1\n'))
        self.assertIn('line 2 has more than', err)

    def test_usage(self):
        for args, words in ((('math', 'f', '5'), 'the one argument'), (('--count', '3', '--raw', 'math', 'f'), '--raw'),
                            (('math',), 'map wants'), (('math', 'f', 'a=1', '--raw'), 'stands behind')):
            status, _, err = self.ctl('map', *args)
            self.assertEqual(status, 2)
            self.assertIn(words, err)
        status, _, err = self.ctl('map', 'math', 'f', stdin=os.open(self.dir, os.O_RDONLY))
        self.assertEqual((status, err), (2, 'droverctl: cannot read stdin: Is a directory\n'))

    def test_count(self):
        self.assertEqual(self.ctl('map', '--count', '3', 'math', 'f'), (0, '0\n1\n2\n', ''))
        self.assertNotIn('task.items', [m for m, _ in self.daemon.calls])

    def test_many(self):
        """Every message to the daemon is within its bound, and nothing is lost between reads."""
        lines = [json.dumps('\x01' * (i % 37) + str(i)) for i in range(30000)]
        status, out, _ = self.map('\n'.join(lines))
        self.assertEqual((status, out.splitlines()), (0, lines))
        sizes = [len(json.dumps(p)) for m, p in self.daemon.calls if m == 'task.items']
        self.assertGreater(len(sizes), 5)

    def test_the_first_does_not_wait_for_the_second(self):
        p = self.start('map', 'math', 'f', stdin=subprocess.PIPE)
        for i in range(3):
            p.stdin.write(b'%d\n' % i)
            p.stdin.flush()
            self.assertEqual(p.stdout.readline(), b'%d\n' % i)
        out, _ = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, out), (0, b''))

    def test_daemon_without_room(self):
        """Two messages wait for an answer, and no more is read than they hold and one buffer."""
        self.daemon.gate.clear()
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        p = self.start('map', 'math', 'f', stdin=read_end)
        os.close(read_end)
        chunk, n = b'1\n' * 2048, 0
        while len(self.daemon.held) < 2:
            try:
                n += os.write(write_end, chunk)
            except BlockingIOError:
                pass
        while True:  # what it takes now it has in memory
            try:
                os.set_blocking(write_end, False)
                n += os.write(write_end, chunk)
                self.assertLess(n, 1 << 20)
            except BlockingIOError:
                break
        self.assertEqual(len(self.daemon.held), 2)
        p.kill()
        p.communicate()
        os.close(write_end)

    def test_refused(self):
        self.daemon.answers['task.map'] = Error('not-found', 'there is no pool "math"')
        self.daemon.answers['task.items'] = Error('not-found', 'no task.map')
        self.assertEqual(self.map('1\n2\n'), (4, '', 'droverctl: there is no pool "math"\n'))
        del self.daemon.answers['task.map']
        self.daemon.answers['task.items'] = Error('limit', 'too large')
        self.assertEqual(self.map('1\n2\n'), (1, '', 'droverctl: too large\n'))

    def begin(self, **more):
        self.daemon.gate.clear()
        p = self.start('map', 'math', 'f', stdin=subprocess.PIPE, **more)
        p.stdin.write(b'1\n')
        p.stdin.flush()
        self.assertTrue(self.daemon.came.wait(LIMIT))
        return p

    def test_interrupt(self):
        p = self.begin()
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, err), (130, b'droverctl: interrupted after 0 results; what no worker has begun is not done\n'))

    def test_daemon_goes(self):
        p = self.begin()
        self.daemon.drop()
        _, err = p.communicate(timeout=LIMIT)
        self.assertEqual(p.returncode, 7)
        self.assertEqual(err.count(b'the daemon went away'), 1)

    def test_reader_goes(self):
        p = self.begin()
        p.stdout.close()
        self.assertEqual(p.wait(LIMIT), 141)
        p.stdin.close()
        p.stderr.close()

    def test_time_is_over(self):
        self.daemon.gate.clear()
        status, _, err = self.map('1\n', '-T', '100ms')
        self.assertEqual(status, 6)
        self.assertIn('the time is over', err)

    def progress(self, *args, shares):
        primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        p = self.start('map', *args, 'math', 'f', stdin=subprocess.PIPE, stderr=secondary, **({'stdout': secondary} if shares else {}))
        os.close(secondary)
        return p, primary

    def read_until(self, fd, pattern):
        seen = b''
        while not re.search(pattern, seen):
            seen += os.read(fd, 65536)
        return seen

    def test_progress(self):
        for shares in (False, True):
            with self.subTest(shares):
                p, terminal = self.progress(shares=shares)
                p.stdin.write(b'1\n"bad"\n')
                p.stdin.flush()
                seen = self.read_until(terminal, rb'\r\033\[K2 done  \d+/s  \d+\w*  1 failed')
                self.daemon.gate.clear()
                self.daemon.came.clear()
                p.stdin.write(b'3\n4\n')
                p.stdin.close()
                seen += self.read_until(terminal, rb'\r\033\[K 50% \[#+-+\]  2/4')
                for line in seen.split(b'\r\033[K'):
                    self.assertLessEqual(len(line.split(b'\r\n')[0]), 80 if b'index' not in line else 200)
                self.daemon.release(self.daemon.connections[-1])
                seen = b''
                try:
                    while True:
                        seen += os.read(terminal, 65536)
                except OSError:
                    pass
                self.assertTrue(seen.startswith(b'\r\033[K'), seen)
                self.assertTrue(seen.endswith(b'droverctl: 1 of 4 failed\r\n'), seen)
                p.stdout and p.stdout.close()
                self.assertEqual(p.wait(LIMIT), 1)
                os.close(terminal)
                self.daemon.gate.set()


if __name__ == '__main__':
    main()
