"""What droverctl prints and how it exits, against a daemon with fixed answers."""
import datetime
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios

from fake_droverd import Error, Raw, Silence, Stream
from util_cli import LIMIT, CliTest, main


def worker(pool, slot, state='running', **more):
    alive = state in ('running', 'starting', 'stopping')
    w = {'name': '%s/%d' % (pool, slot), 'pool': pool, 'slot': slot, 'pid': 1000 + slot if alive else None,
         'ppid': 1 if alive else None, 'state': state, 'alive': alive, 'exitcode': None, 'daemon': False,
         'started_at': '2026-01-02T03:04:05.678Z', 'uptime': 270000 if alive else None, 'restarts': 0, 'last_exit': None,
         'busy': False, 'task': None, 'tasks_done': 0, 'cpu': 8100.0 if alive else None,
         'memory': 81264640 if alive else None, 'status_text': '', 'note': ''}
    w.update(more)
    return w


def pool(name, state, workers, ready, wanted, **more):
    p = {'name': name, 'state': state, 'wanted': wanted, 'ready': ready, 'busy': 0, 'queued': 0, 'restarts': 2,
         'size': wanted, 'origin': 'config', 'removing': False, 'note': '', 'workers': workers}
    p.update(more)
    return p


KILLED = {'exitcode': -9, 'cause': 'killed by SIGKILL', 'at': '2026-01-02T03:04:05.678Z'}
WEB = pool('web', 'running', [worker('web', i) for i in range(4)], 4, 4)
MATH = pool('math', 'degraded', [worker('math', 0, uptime=22320, cpu=64281.6, memory=1288490188, tasks_done=7, busy=True),
                                 worker('math', 1, 'backoff', exitcode=-9, restarts=9, last_exit=KILLED,
                                        note='killed by SIGKILL 40s ago, next try in 8s')], 1, 2, busy=3, queued=17, restarts=9,
            note='math/1: killed by SIGKILL 40s ago, next try in 8s')
JOB = pool('job-1', 'exited', [dict(worker('job-1', 0, 'exited', exitcode=3), name='job-1')], 0, 0, origin='run',
           note='job-1: exited with code 3 2s ago')
STATUS = {'pools': [JOB, MATH, WEB]}


def status_of(params):
    names = params.get('select')
    if names is None:
        return STATUS
    pools = []
    for p in STATUS['pools']:
        workers = [w for w in p['workers'] if p['name'] in names or w['name'] in names or 'all' in names]
        if workers:
            pools.append(dict(p, workers=workers))
    if not pools:
        return Error('not-found', 'there is no "%s"; did you mean "web"?' % names[0])
    return {'pools': pools}


class Status(CliTest):
    def setUp(self):
        super().setUp()
        self.daemon.answers['status'] = status_of

    def test_formats(self):
        for form in ('table', 'wide', 'json', 'jsonl', 'name'):
            with self.subTest(form):
                status, out, _ = self.ctl('-o', form, 'status')
                self.assertEqual(status, 0)
                self.expect('status-%s.txt' % form, out)

    def test_table_fits(self):
        _, out, _ = self.ctl('status', 'web')
        self.assertLessEqual(max(map(len, out.splitlines())), 80)

    def test_workers(self):
        for form in ('table', 'jsonl', 'name'):
            with self.subTest(form):
                status, out, _ = self.ctl('status', 'math/0', 'math/1', '-o', form)
                self.assertEqual(status, 3)
                self.expect('workers-%s.txt' % form, out)

    def test_exit_status(self):
        for args, want in ((['web'], 0), (['math'], 0), (['math/1'], 3), (['math/0'], 0), (['job-1'], 3), ([], 0),
                           (['wob'], 4), (['-q', 'web'], 0)):
            with self.subTest(args):
                self.assertEqual(self.ctl('status', *args)[0], want)

    def test_unknown_name(self):
        status, out, err = self.ctl('status', 'wob')
        self.assertEqual((status, out), (4, ''))
        self.assertIn('did you mean "web"?', err)

    def test_all(self):
        self.assertNotIn('job-1', self.ctl('status')[1])
        self.assertIn('job-1', self.ctl('status', '-a')[1])
        self.assertIn('job-1', self.ctl('status', 'job-1')[1])

    def test_describe(self):
        self.daemon.answers['config.show'] = {'pools': {'web': {'command': ['/usr/bin/my-server', '--port', '8080'], 'workers': 4}}}
        self.expect('describe-pool.txt', self.ctl('describe', 'web')[1])
        _, out, _ = self.ctl('describe', 'math/1')
        self.assertRegex(out, r'Last exit   killed by SIGKILL, exitcode -9, at 2026-01-02T03:04:05.678Z')

    def test_options_anywhere(self):
        for args in (['-o', 'name', 'status', 'web'], ['status', '-o', 'name', 'web'], ['status', 'web', '--output=name'],
                     ['status', '-oname', '--', 'web'], ['ls', 'web', '-o', 'name']):
            with self.subTest(args):
                self.assertEqual(self.ctl(*args)[:2], (0, 'web\n'))

    def terminal(self, *args, columns=80, **env):
        primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        p = self.start(*args, stdout=secondary, stderr=subprocess.DEVNULL, env=dict(self.env, **env))
        os.close(secondary)
        out = b''
        while True:
            try:
                piece = os.read(primary, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        os.close(primary)
        p.wait(LIMIT)
        return out.decode()

    def test_terminal(self):
        plain = self.terminal('status', NO_COLOR='1')
        self.assertNotIn('\033', plain)
        self.assertLessEqual(max(len(line) for line in plain.splitlines()), 80)
        self.assertIn('...', plain)
        self.assertIn('\033[32mrunning\033[0m', self.terminal('status'))
        self.assertNotIn('\033', self.terminal('status', '--color', 'never'))
        self.assertNotIn('...', self.terminal('status', columns=120))

    def test_no_colour_in_pipes(self):
        self.assertNotIn('\033', self.ctl('status')[1])
        self.assertIn('\033', self.ctl('status', '--color=always')[1])


class Control(CliTest):
    def answer(self, method, value):
        self.daemon.answers[method] = value

    def test_start(self):
        self.answer('start', {'workers': WEB['workers']})
        self.assertEqual(self.ctl('start', 'web', '-T', '5s'), (0, 'web: 4 running\n', ''))
        self.assertEqual(self.daemon.calls, [('start', {'select': ['web'], 'timeout': 5.0})])
        self.assertEqual(self.ctl('-q', 'start', 'web'), (0, '', ''))
        self.assertEqual(self.ctl('start', 'web', '-o', 'name')[1], 'web/0\nweb/1\nweb/2\nweb/3\n')

    def test_no_wait(self):
        self.answer('stop', {'workers': [worker('web', 0, 'stopping')]})
        self.assertEqual(self.ctl('--no-wait', 'stop', 'web/0')[0], 0)
        self.assertEqual(self.daemon.calls[0][1], {'select': ['web/0'], 'wait': False})

    def test_start_fails(self):
        self.answer('start', {'workers': MATH['workers']})
        status, _, err = self.ctl('start', 'math')
        self.assertEqual(status, 1)
        self.assertIn('math/1: backoff: killed by SIGKILL', err)

    def test_errors(self):
        for name, want in (('not-found', 4), ('denied', 5), ('timeout', 6), ('invalid', 2), ('failed', 1), ('limit', 1)):
            with self.subTest(name):
                self.answer('restart', Error(name, 'this is why'))
                self.assertEqual(self.ctl('restart', 'web'), (want, '', 'droverctl: this is why\n'))

    def test_old_daemon(self):
        status, _, err = self.ctl('scale', 'web', '3')
        self.assertEqual(status, 1)
        self.assertIn('droverctl version', err)

    def test_scale(self):
        self.answer('scale', {'workers': WEB['workers']})
        self.assertEqual(self.ctl('scale', 'web', '4')[0], 0)
        self.assertEqual(self.ctl('scale', 'web', '2*cpus')[0], 0)
        self.assertEqual([p for _, p in self.daemon.calls], [{'pool': 'web', 'workers': 4}, {'pool': 'web', 'workers': '2*cpus'}])

    def test_signals(self):
        self.answer('kill', {'signalled': 2})
        self.answer('terminate', {'signalled': 0})
        self.assertEqual(self.ctl('kill', '-s', 'HUP', '--tree', 'web')[0], 0)
        self.assertEqual(self.daemon.calls[0][1], {'select': ['web'], 'signal': 1, 'tree': True})
        self.assertEqual(self.ctl('terminate', 'web')[0], 3)

    def test_wait(self):
        for code, want in ((0, 0), (3, 3), (255, 255), (-9, 137), (-15, 143)):
            self.answer('wait', {'workers': [worker('web', 0, 'exited', exitcode=code)]})
            self.assertEqual(self.ctl('wait', 'web/0'), (want, '', ''))
        self.answer('wait', {'workers': [worker('web', 0, 'exited', exitcode=0), worker('web', 1, 'exited', exitcode=2)]})
        self.assertEqual(self.ctl('wait', 'web')[0], 1)
        self.answer('wait', {'workers': [worker('web', 0, 'created')]})
        self.assertEqual(self.ctl('wait', 'web/0')[0], 3)
        self.answer('wait', {'workers': WEB['workers']})
        self.assertEqual(self.ctl('wait', '--for', 'ready', 'web')[0], 0)

    def test_interrupt(self):
        silence = Silence()
        self.answer('wait', silence)
        p = self.start('wait', 'web')
        self.assertTrue(silence.heard.wait(LIMIT))
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=LIMIT)
        self.assertEqual(p.returncode, 130)
        self.assertIn(b'stopped waiting', err)

    def test_wait_survives_restart(self):
        first = Silence()
        self.answer('wait', first)
        p = self.start('wait', 'job')
        self.assertTrue(first.heard.wait(LIMIT))
        self.answer('wait', {'workers': [worker('job', 0, 'exited', exitcode=7)]})
        self.daemon.drop()
        p.communicate(timeout=LIMIT)
        self.assertEqual(p.returncode, 7)

    def test_timeout_of_a_mute_daemon(self):
        self.answer('status', Silence())
        status, _, err = self.ctl('-T', '100ms', 'status')
        self.assertEqual(status, 6, err)

    def test_no_daemon(self):
        self.daemon.close()
        status, _, err = self.ctl('status')
        self.assertEqual(status, 7)
        self.assertIn(self.socket, err)
        self.assertIn('systemctl start droverd', err)
        self.assertIn('(not running)', self.ctl('version')[1])


class Config(CliTest):
    def test_add_command(self):
        self.daemon.answers['pool.add'] = {'pool': {}}
        self.assertEqual(self.ctl('add', 'web', '--workers', '2', '-e', 'A=1', '-C', '/srv', '--restart', 'never', '--', 'ls', '-l'), (0, '', ''))
        self.assertEqual(self.daemon.calls, [('pool.add', {'name': 'web', 'command': ['ls', '-l'], 'env': {'A': '1'},
                                                           'directory': '/srv', 'workers': 2, 'restart': {'policy': 'never'}})])

    def test_add_file(self):
        self.daemon.answers['pool.add'] = {'pool': {}}
        text = b'{ // two pools\n "pools": { "a": {"command": ["x"],}, /* and */ "b": {"command": ["y//z"]} } # end\n}'
        self.assertEqual(self.ctl('add', '-', input=text)[0], 0)
        self.assertEqual(self.daemon.calls, [('pool.add', {'name': 'a', 'command': ['x']}), ('pool.add', {'name': 'b', 'command': ['y//z']})])
        path = os.path.join(self.dir, 'bad.json')
        with open(path, 'w') as f:
            f.write('{\n  "pools": {,}\n}')
        status, _, err = self.ctl('add', path)
        self.assertEqual(status, 1)
        self.assertIn('%s:2:' % path, err)

    def test_check(self):
        self.daemon.answers['config.check'] = {'faults': [
            {'file': '/etc/drover/drover.json', 'line': 3, 'column': 7, 'key': 'pools.web.wrokers', 'text': 'unknown key; did you mean "workers"?'},
            {'file': '/etc/drover/drover.json', 'line': 9, 'column': 1, 'key': '', 'text': 'unexpected }'}]}
        self.assertEqual(self.ctl('check')[:2], (1, '/etc/drover/drover.json:3:7: pools.web.wrokers: unknown key; did you mean "workers"?\n'
                                                    '/etc/drover/drover.json:9:1: unexpected }\n'))
        self.daemon.answers['config.check'] = {'faults': []}
        self.assertEqual(self.ctl('check')[:2], (0, ''))

    def test_add_waits_for_the_start(self):
        self.daemon.answers['pool.add'] = {'pools': [pool('web', 'starting', [], 0, 2)]}
        self.daemon.answers['start'] = {'workers': []}
        self.assertEqual(self.ctl('add', 'web', 'x'), (0, '', ''))
        self.assertEqual(self.daemon.calls[1], ('start', {'select': ['web']}))
        self.daemon.answers['start'] = Error('failed', 'web/0: exited with code 1')
        self.assertEqual(self.ctl('add', 'web', 'x'), (0, '', 'droverctl: added, but web/0: exited with code 1\n'))
        self.daemon.calls.clear()
        self.ctl('--no-wait', 'add', 'web', 'x')
        self.assertEqual(len(self.daemon.calls), 1)

    def test_apply(self):
        changes = {'changes': [
            {'pool': 'old', 'kind': 'remove', 'keys': [], 'class': 'restart', 'reason': 'no file names it any more'},
            {'pool': 'web', 'kind': 'change', 'class': 'restart', 'reason': '', 'keys': [
                {'key': 'workers', 'from': 2, 'to': 4, 'class': 'live'},
                {'key': 'command', 'from': ['a'], 'to': ['a', '-v'], 'class': 'restart'},
                {'key': 'stop.timeout', 'from': None, 'to': '30s', 'class': 'live'}]},
            {'pool': 'new', 'kind': 'add', 'keys': [], 'class': 'live', 'reason': 'new in pools.d/new.json'}]}
        self.daemon.answers['config.plan'] = self.daemon.answers['config.apply'] = changes
        status, out, err = self.ctl('plan')
        self.assertEqual((status, err), (2, ''))
        self.expect('plan.txt', out)
        self.assertEqual(self.ctl('--no-wait', 'apply'), (0, out, ''))
        self.daemon.answers['status'] = {'pools': [{'name': 'new', 'wanted': 1, 'workers': [{'state': 'failed'}]}, {'name': 'web', 'wanted': 0}]}
        self.daemon.answers['wait'] = {'workers': []}
        self.daemon.answers['config.plan'] = {'changes': []}
        self.assertEqual(self.ctl('apply'), (0, out, ''))
        self.assertIn(('wait', {'select': ['new'], 'for': 'ready'}), self.daemon.calls)
        self.daemon.answers['config.plan'] = {'changes': [dict(changes['changes'][2])]}
        status, _, err = self.ctl('apply')
        self.assertEqual((status, err[:31]), (1, 'droverctl: new runs as before: '))
        self.daemon.answers['wait'] = Error('failed', 'new/0: exited with code 1')
        self.assertEqual(self.ctl('apply')[0::2], (1, 'droverctl: new/0: exited with code 1\n'))
        self.daemon.answers['config.plan'] = changes
        self.assertEqual(self.ctl('apply', '--dry-run'), (2, out, ''))
        self.assertEqual(self.daemon.calls[-1][0], 'config.plan')
        self.assertEqual(self.ctl('plan', '-o', 'name')[1], 'old\nweb\nnew\n')
        self.assertEqual(json.loads(self.ctl('plan', '-o', 'json')[1]), changes)
        self.assertEqual(self.ctl('plan', '-q'), (2, '', ''))
        self.daemon.answers['config.plan'] = {'changes': []}
        self.assertEqual(self.ctl('plan'), (0, '', 'droverctl: nothing has changed\n'))
        self.daemon.answers['config.apply'] = {'changes': [dict(changes['changes'][2], error='no such user: bob')]}
        status, out, _ = self.ctl('apply')
        self.assertEqual(status, 1)
        self.assertIn('failed: no such user: bob', out)
        self.daemon.answers['config.apply'] = Error('invalid', 'x.json:1:2: bad (and 1 more)', code=-32004, faults=[
            {'file': 'x.json', 'line': 1, 'column': 2, 'key': 'a', 'text': 'bad'}, {'file': 'x.json', 'key': 'b', 'text': 'worse'}])
        self.assertEqual(self.ctl('apply'), (1, 'x.json:1:2: a: bad\nx.json: b: worse\n',
                                             'droverctl: the configuration is faulty, nothing was changed\n'))

    def test_info(self):
        self.daemon.answers['daemon.info'] = {'version': '9.9', 'pid': 7, 'limits': {'line': 65536}}
        self.assertEqual(self.ctl('info')[1], 'version                 9.9\npid                     7\nlimits.line             65536\n')
        self.assertIn('droverd   9.9', self.ctl('version')[1])

    def test_shutdown(self):
        self.daemon.answers['daemon.shutdown'] = Stream('x', [], {}, then_close=True)
        self.assertEqual(self.ctl('shutdown')[0], 0)


class Wishes(CliTest):
    def called(self, *args):
        """Exit status and the calls that were made."""
        self.daemon.calls.clear()
        return self.ctl(*args)[0], self.daemon.calls

    def test_reload(self):
        self.daemon.answers['reload'] = self.daemon.answers['rollback'] = {'workers': WEB['workers']}
        self.assertEqual(self.ctl('reload', 'web'), (0, 'web: 4 running\n', ''))
        self.assertEqual(self.called('reload', '--max-unavailable', '25%', '--max-surge', '2', '--soak', '1500ms', '-T', '9', 'web'),
                         (0, [('reload', {'select': ['web'], 'max_unavailable': '25%', 'max_surge': 2, 'soak': 1.5, 'timeout': 9.0})]))
        self.assertEqual(self.called('rollback', 'web', '--no-wait'), (0, [('rollback', {'select': ['web'], 'wait': False})]))
        self.daemon.answers['reload'] = Error('failed', 'web/0: exited with code 1; put back', pool='web', worker='web/0',
                                              reason='exited with code 1', replaced=1, put_back=1)
        self.assertEqual(self.ctl('reload', 'web'), (1, '', 'droverctl: web/0: exited with code 1; put back\n'))

    def test_pause(self):
        for verb in ('pause', 'resume', 'drain'):
            self.daemon.answers[verb] = {'workers': WEB['workers'][:1]}
            self.assertEqual(self.called(verb, 'web/0', '-o', 'name'), (0, [(verb, {'select': ['web/0']})]))

    def test_enable(self):
        for verb, now in (('enable', 'start'), ('disable', 'stop')):
            self.daemon.answers[verb], self.daemon.answers[now] = {}, {'workers': WEB['workers']}
            self.assertEqual(self.called(verb, 'web', 'w*'), (0, [(verb, {'select': ['web', 'w*']})]))
            self.assertEqual(self.called(verb, '--now', 'web'), (0, [(verb, {'select': ['web']}), (now, {'select': ['web']})]))

    def test_set(self):
        self.daemon.answers['config.set'] = {}
        for text, value in (('4', 4), ('30s', '30s'), ('"4"', '4'), ('true', True), ('{"a": 1}', {'a': 1}), ('', '')):
            self.assertEqual(self.called('set', 'web', 'a.b', text), (0, [('config.set', {'pool': 'web', 'key': 'a.b', 'value': value, 'persist': True})]))
        self.assertEqual(self.called('set', '--unset', 'web', 'a.b'), (0, [('config.set', {'pool': 'web', 'key': 'a.b', 'value': None, 'persist': True})]))
        self.assertEqual(self.called('set', '--temporary', 'web', 'a', '1')[1][0][1]['persist'], False)
        for wrong in (['set', 'web', 'a'], ['set', '--unset', 'web', 'a', '1'], ['set', 'web']):
            self.assertEqual(self.called(*wrong), (2, []))

    def test_get(self):
        for value, out in (('30s', '30s\n'), (4, '4\n'), ({'a': 1}, '{\n  "a": 1\n}\n'), (None, 'null\n')):
            self.daemon.answers['config.get'] = {'value': value}
            self.assertEqual(self.ctl('get', 'web', 'x')[:2], (0, out))
        self.assertEqual(self.called('get', 'web')[1], [('config.get', {'pool': 'web'})])

    def test_promises(self):
        self.daemon.answers['daemon.promises'] = {'promises': [
            {'name': 'whole-tree', 'text': 'a worker ends with all its children', 'mechanism': 'cgroup.kill', 'state': 'full', 'why': ''},
            {'name': 'memory', 'text': 'memory_max holds', 'mechanism': 'memory.max', 'state': 'off', 'why': 'the controller is not delegated'}]}
        for form in ('table', 'wide'):
            self.expect('promises-%s.txt' % form, self.ctl('promises', '-o', form)[1])
        self.assertEqual(self.ctl('promises', '-o', 'name')[1], 'whole-tree\nmemory\n')

    def test_metrics(self):
        self.daemon.answers['daemon.metrics'] = {'text': '# TYPE drover_up gauge\ndrover_up 1\n# EOF\n'}
        self.assertEqual(self.ctl('metrics')[1], '# TYPE drover_up gauge\ndrover_up 1\n# EOF\n')

    def test_describe_detail(self):
        end = {'exitcode': -9, 'cause': 'killed by SIGKILL', 'at': '2026-01-02T03:04:05.678Z', 'uptime': 12.5, 'lines': ['one', 'two\033[2J']}
        w = worker('web', 0, ends=[dict(end, cause='exited with code 1', exitcode=1, lines=[]), end], tail=['now'], status_text='serving 3',
                   promises=[{'name': 'memory', 'state': 'off', 'why': 'the controller is not delegated'}], started_at=None)
        self.daemon.answers['status'] = {'pools': [pool('web', 'running', [w], 1, 1)]}
        self.daemon.answers['config.show'] = {'pools': {'web': {'limits': {'nofile': 1024}, 'cgroup': {'memory_max': '64M', 'pids_max': 9},
                                                                'listen': {'http': '8080'}}}}
        status, out, _ = self.ctl('describe', 'web/0')
        self.assertEqual((status, self.daemon.calls[0]), (0, ('status', {'select': ['web/0'], 'detail': True})))
        out = re.sub(r' \(\w+ ago\)', '', out)
        self.expect('describe-worker.txt', out)


class Streams(CliTest):
    def setUp(self):
        super().setUp()
        self.daemon.answers['status'] = status_of

    @staticmethod
    def line(text, name='web/0', stream='stdout', time='2026-01-02T03:04:05.678Z', **more):
        return dict({'worker': name, 'stream': stream, 'time': time, 'line': text}, **more)

    def test_logs(self):
        self.daemon.answers['logs'] = lambda _: Stream('log', [self.line('one'), self.line('oops', stream='stderr'),
                                                               self.line('long ', continued=True), self.line('line')], {'lines': 4})
        self.assertEqual(self.ctl('logs', '-n', '5', 'web/0'), (0, 'one\nlong line\n', 'oops\n'))
        self.assertEqual(self.daemon.calls[-1], ('logs', {'select': ['web/0'], 'lines': 5, 'follow': False}))
        self.assertEqual(self.ctl('logs', '-t', 'web/0')[1].splitlines()[0], '2026-01-02T03:04:05.678Z one')

    def test_logs_options(self):
        self.daemon.answers['logs'] = lambda _: Stream('log', [], {'lines': 0})
        for method in ('rotate', 'clear'):
            self.daemon.answers['logs.' + method] = {}
            self.assertEqual(self.ctl('logs', '--' + method, 'w*')[0], 0)
            self.assertEqual(self.daemon.calls[-1], ('logs.' + method, {'select': ['w*']}))
            self.assertEqual(self.ctl('logs', '--' + method, '-f', 'web')[0], 2)
        for when in ('10m', '2026-01-02T03:04:05Z'):
            self.assertEqual(self.ctl('logs', '--since', when, '--stream', 'stderr', 'web')[0], 0)
            self.assertEqual(self.daemon.calls[-1][1], {'select': ['web'], 'lines': 1000000, 'follow': False, 'stream': 'stderr', 'since': when})
        self.assertEqual(self.ctl('logs', '--since', 'yesterday', 'web')[0], 2)

    def test_events_snapshot(self):
        event = {'seq': 8, 'time': '2026-01-02T03:04:06.000Z', 'event': 'pool.added', 'pool': 'x', 'worker': None, 'data': {}}
        snapshot = {'event': 'snapshot', 'seq': 7, 'time': '2026-01-02T03:04:05.678Z', 'pools': STATUS['pools']}
        self.daemon.answers['events'] = lambda _: Stream('event', [dict(snapshot), dict(event)], {})
        self.expect('events-snapshot.txt', self.ctl('events', '--snapshot')[1])
        self.assertEqual(self.daemon.calls[-1][1], {'follow': False, 'snapshot': True})
        self.assertEqual([json.loads(x)['seq'] for x in self.ctl('events', '--snapshot', '-o', 'jsonl')[1].splitlines()], [7, 8])
        self.assertEqual(self.ctl('events', '--since', '10m')[0], 2)
        self.assertEqual(self.ctl('events', '--since', '3', '--snapshot')[0], 2)

    def test_logs_of_many(self):
        self.daemon.answers['logs'] = lambda _: Stream('log', [self.line('one'), self.line('two', 'web/1')], {'lines': 2})
        self.assertEqual(self.ctl('logs', 'web'), (0, 'web/0 | one\nweb/1 | two\n', ''))

    def test_logs_jsonl(self):
        self.daemon.answers['logs'] = lambda _: Stream('log', [self.line('one')], {'lines': 1})
        self.assertEqual(json.loads(self.ctl('logs', '-o', 'jsonl', 'web/0')[1]), self.line('one'))

    def test_logs_are_raw_in_pipes(self):
        self.daemon.answers['logs'] = lambda _: Stream('log', [self.line('\033]0;x\007a\tb')], {'lines': 1})
        self.assertEqual(self.ctl('logs', 'web/0')[1], '\033]0;x\007a\tb\n')

    def test_logs_follow_over_restart(self):
        """Lines shown before are not shown again, lines of the gap are."""
        def now():
            return datetime.datetime.utcnow().isoformat(timespec='milliseconds') + 'Z'

        lines = [self.line('from before', time='2001-01-01T00:00:00.000Z')]
        older = self.line('older still', time='2000-01-01T00:00:00.000Z')

        def answer(params):
            if params['lines'] == 10:
                lines.extend(self.line(text, time=now()) for text in ('tick', 'tick', 'tock'))
                return Stream('log', [dict(x) for x in lines], then_close=True)
            return Stream('log', [older] + [dict(x) for x in lines] + [self.line('tick', time=now())], {'lines': 6})

        self.daemon.answers['logs'] = answer
        status, out, err = self.ctl('logs', '-f', 'web/0')
        self.assertEqual(out, 'from before\ntick\ntick\ntock\ntick\n', (status, err, self.daemon.calls))
        self.assertEqual(self.daemon.calls[-1][1]['lines'], 20000)

    def test_logs_end_with_their_reader(self):
        self.daemon.answers['logs'] = lambda _: Stream('log', [self.line('one')])
        p = self.start('logs', '-f', 'web/0')
        self.assertEqual(p.stdout.readline(), b'one\n')
        p.stdout.close()
        self.assertIn(p.wait(LIMIT), (0, 1))
        p.stderr.close()

    def test_events(self):
        events = [{'seq': 41, 'time': '2026-01-02T03:04:05.678Z', 'event': 'worker.exited', 'pool': 'web', 'worker': 'web/0',
                   'data': {'exitcode': -9, 'cause': 'killed by SIGKILL'}},
                  {'seq': 42, 'time': '2026-01-02T03:04:06.000Z', 'event': 'pool.added', 'pool': 'x', 'worker': None, 'data': {}}]
        gap = {'kind': 'gap', 'from': 1, 'to': 40, 'lost': 40}
        self.daemon.answers['events'] = lambda _: Stream('event', [dict(gap)] + [dict(e) for e in events], {})
        status, out, err = self.ctl('events', '--types', 'worker.*,pool.*', '--since', '0')
        self.assertEqual(status, 0)
        self.expect('events.txt', out)
        self.assertIn('40 events are no longer remembered', err)
        self.assertEqual(self.daemon.calls[-1][1], {'since': 0, 'follow': False, 'types': ['worker.*', 'pool.*']})
        self.assertEqual(json.loads(self.ctl('events', '-o', 'jsonl', '-n', '1')[1]), events[1])

    def test_events_follow_over_restart(self):
        e = {'time': '2026-01-02T03:04:05.678Z', 'event': 'pool.added', 'pool': 'x', 'worker': None, 'data': {}}
        replies = [Stream('event', [dict(e, seq=7)], then_close=True), Stream('event', [dict(e, seq=8, time='2099-01-01T00:00:00.000Z')], {})]
        self.daemon.answers['events'] = lambda _: replies.pop(0)
        self.assertEqual(len(self.ctl('events', '-f')[1].splitlines()), 2)
        self.assertEqual([p.get('since') for _, p in self.daemon.calls], [None, 7])


class Usage(CliTest):
    def test_wrong(self):
        for args, hint in ((['statsu'], 'did you mean "status"?'), (['stat'], 'did you mean "status"?'), (['status', '--al'], 'did you mean --all?'),
                           (['start'], 'start wants NAME...'), (['scale', 'web'], 'scale wants POOL N'), ([], 'which verb?'),
                           (['status', '-n', '3'], 'status has no option --lines'), (['logs', '-n', 'x', 'web'], 'is no number'),
                           (['-T', 'soon', 'status'], 'is no span'), (['-o', 'jason', 'status'], 'did you mean "json"?'),
                           (['kill', '-9', 'web'], '-s 9'), (['kill', '-s', 'BOOM', 'web'], 'is no signal'), (['status', '-o'], 'wants a value'),
                           (['run'], 'run what?'), (['run', '-d', '--daemon', 'x'], 'contradict'), (['run', '--name', 'A b', 'x'], 'is no name'),
                           (['check', 'x'], 'one argument too many'), (['help', 'strat'], 'did you mean "start"?')):
            with self.subTest(args):
                status, out, err = self.ctl(*args)
                self.assertEqual((status, out), (2, ''), err)
                self.assertIn(hint, err)
        self.assertEqual(self.daemon.calls, [])

    def test_help(self):
        self.daemon.close()
        overview = self.ctl('help')[1]
        verbs = [line.split()[0] for line in overview.splitlines() if line.startswith('  ') and line[2:3].isalpha()]
        self.assertGreater(len(verbs), 20)
        for verb in verbs:
            status, out, _ = self.ctl(verb, '--help')
            self.assertEqual(status, 0)
            self.assertIn('droverctl %s' % verb, out)
            self.assertRegex(out, r'\n    (.*\| )?(source <\()?(sudo )?.*droverctl.* ?%s' % verb, verb + ' teaches by example')
            self.assertEqual(self.ctl('help', verb)[1], out)
            self.assertLessEqual(max(map(len, out.splitlines())), 80, out)
        self.assertEqual(self.ctl('--help')[1], overview)

    def test_manual(self):
        page = self.ctl('__manual')[1].replace('\\-', '-')
        overview = self.ctl('help')[1]
        for line in overview.splitlines():
            if line.startswith('  ') and line[2:3].isalpha():
                self.assertIn('.SS "%s ' % line.split()[0], page)
        for verb in ('run', 'logs', 'kill', 'events'):
            for word in self.ctl('help', verb)[1].split():
                if word.startswith('--') and word[2:].isalpha():
                    self.assertIn(word, page)

    def test_completion(self):
        self.daemon.answers['status'] = STATUS
        complete = lambda *words: [line.split('\t')[0] for line in self.ctl('__complete', *words)[1].splitlines()]
        self.assertEqual(complete('st'), ['status', 'start', 'stop'])
        self.assertEqual(complete('status', 'w'), ['web'])
        self.assertEqual(complete('status', 'web/'), ['web/0', 'web/1', 'web/2', 'web/3'])
        self.assertEqual(complete('-o', 'json'), ['json', 'jsonl'])
        self.assertEqual(complete('logs', '--str'), ['--stream'])
        self.assertEqual(complete('kill', '-s', 'U'), ['USR1', 'USR2'])
        self.assertEqual(complete('scale', ''), ['job-1', 'math', 'web'])
        self.assertEqual(complete('scale', 'web', ''), [])
        self.assertEqual(complete('help', 'ev'), ['events'])
        self.assertEqual(complete('run', '--', 'l'), [':files'])
        self.daemon.close()
        self.assertEqual(self.ctl('__complete', 'status', ''), (0, '', ''))
        for shell in ('bash', 'zsh', 'fish'):
            self.assertIn('__complete', self.ctl('completion', shell)[1])
        self.assertEqual(subprocess.run(['bash', '-n'], input=self.ctl('completion', 'bash')[1].encode()).returncode, 0)


class Hostile(CliTest):
    def try_status(self, data, close=True):
        self.daemon.answers['status'] = Raw(data, close)
        return self.ctl('-T', '10s', 'status')

    def test_garbage(self):
        for data in (b'hello\n', b'{"jsonrpc":"2.0","id":1,"result":', b'[1,2,3]\n', b'{}\n', b'\0\0\0\n', b'{"jsonrpc":"2.0","id":"x","result":{}}\n', b''):
            with self.subTest(data):
                status, out, err = self.try_status(data)
                self.assertIn(status, (1, 7))
                self.assertEqual(out, '')
                self.assertEqual(err.count('\n'), 1)

    def test_odd_results(self):
        for result in (b'null', b'[]', b'7', b'{"pools":7}', b'{"pools":[7,{},null,{"name":[],"workers":{}}]}',
                       b'{"pools":[{"name":"x","workers":[null,7,{"last_exit":5,"uptime":-1e300,"cpu":1e300,"memory":-5}]}]}'):
            with self.subTest(result):
                self.daemon.answers['status'] = Raw(b'{"jsonrpc":"2.0","id":1,"result":%s}\n' % result, False)
                for args in (['status'], ['status', '-o', 'wide'], ['describe', 'x'], ['status', '-a', 'x/0'], ['status', '-o', 'jsonl']):
                    self.assertIn(self.ctl(*args)[0], (0, 3), args)

    def test_endless_line(self):
        self.daemon.answers['status'] = Raw(b'x' * (1 << 20), times=2000)
        status, out, err = self.ctl('-T', '50s', 'status')
        self.assertIn(status, (1, 7), err)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, 640 << 10)  # KiB
        self.assertEqual(out, '')

    def test_escapes(self):
        evil = 'a\033]0;pwned\007\033[2J\u009b31m\u202e\x7f\nb'
        self.daemon.answers['status'] = {'pools': [pool(evil, evil, [worker('web', 0, evil, note=evil)], 0, 1, note=evil)]}
        for args in (['status'], ['status', '-o', 'wide'], ['status', '-o', 'json'], ['status', '-o', 'jsonl'], ['status', '-o', 'name'],
                     ['describe', 'x']):
            with self.subTest(args):
                _, out, _ = self.ctl(*args)
                for c in '\033\007\x7f\u009b' + ('\u202e' if 'json' not in args[-1] else ''):
                    self.assertNotIn(c, out)
        self.daemon.answers['status'] = Error('not-found', evil)
        self.assertNotIn('\033', self.ctl('status', 'x')[2])

    def test_closed_stdio(self):
        self.daemon.answers['status'] = STATUS
        for redirect in ('<&-', '>&-', '2>&-', '<&- >&- 2>&-'):
            p = subprocess.run(['sh', '-c', '"$DROVERCTL" status ' + redirect], env=dict(self.env, DROVERCTL=os.environ['DROVERCTL']),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
            self.assertEqual(p.returncode, 0, redirect)

    def test_full_device(self):
        self.daemon.answers['status'] = STATUS
        with open('/dev/full', 'wb') as full:
            status, _, err = self.ctl('status', stdout=full)
        self.assertEqual(status, 1)
        self.assertIn('cannot write', err)


if __name__ == '__main__':
    main()
