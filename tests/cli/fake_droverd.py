"""A stand-in for droverd, for tests of droverctl alone: answers as it is told, misbehaves as it is told.

A FakeDaemon listens on a socket in a thread. `answers` maps a method to a value (the result), an Error, a Stream, or
a function of the parameters that returns one of these. `calls` records what was asked. FakeRuns adds real processes
behind `run`, `wait` and `kill`, with stdin and stdout by path as droverd has them.
"""
import datetime
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading


def default_signals():
    """As drover does it: what the shell that started the tests ignores, the process does not."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Error:
    CODES = {'not-found': -32001, 'exists': -32002, 'denied': -32003, 'invalid': -32602, 'failed': -32005,
             'timeout': -32006, 'limit': -32007, 'shutting-down': -32012}

    def __init__(self, name, message, code=None, **data):
        self.value = {'code': code or self.CODES[name], 'message': message, 'data': dict(name=name, **data)}


class Stream:
    """Notifications before the result; result None: the stream stays open. then_close: the daemon goes away."""

    def __init__(self, kind, items, result=None, then_close=False):
        self.kind, self.items, self.result, self.then_close = kind, items, result, then_close


class Raw:
    """Bytes instead of an answer, `times` over, then the connection is closed unless it is to stay open."""

    def __init__(self, data, close=True, times=1):
        self.data, self.close, self.times = data, close, times


class Silence:
    """No answer at all. `heard` is set when the call has come."""

    def __init__(self):
        self.heard = threading.Event()


class FakeDaemon:
    def __init__(self, path, answers=None):
        self.path, self.answers, self.calls = path, dict(answers or {}), []
        self.connections = []
        self.n_connections = 0
        self.lock = threading.Lock()
        self.listener = None
        self.open()

    def open(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self.accept_all, args=(self.listener,), daemon=True).start()

    def close(self):
        """As a killed daemon: nobody listens, connections break."""
        os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self):
        with self.lock:
            gone, self.connections = self.connections, []
        for c in gone:
            self.hang_up(c)

    def accept_all(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.append(c)
                self.n_connections += 1
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            with c, c.makefile('rb') as lines:
                for line in lines:
                    request = json.loads(line)
                    self.calls.append((request['method'], request.get('params')))
                    self.take(c, request)
        except OSError:
            pass

    def take(self, c, request):
        threading.Thread(target=self.answer, args=(c, request), daemon=True).start()

    @staticmethod
    def hang_up(c):
        try:
            c.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def send(self, c, message):
        try:
            with self.lock:
                c.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b'\n')
        except OSError:
            pass

    def answer(self, c, request):
        a = self.answers.get(request['method'], Error('not-found', 'no such method', code=-32601))
        if callable(a):
            a = a(request.get('params') or {})
        if isinstance(a, Silence):
            a.heard.set()
        elif isinstance(a, Raw):
            for _ in range(a.times):
                self.send(c, a.data)
            if a.close:
                self.hang_up(c)
        elif isinstance(a, Error):
            self.send(c, {'jsonrpc': '2.0', 'id': request['id'], 'error': a.value})
        elif isinstance(a, Stream):
            for item in a.items:
                kind = item.pop('kind', a.kind)
                self.send(c, {'jsonrpc': '2.0', 'method': kind, 'params': dict(call=request['id'], **item)})
            if a.result is not None:
                self.send(c, {'jsonrpc': '2.0', 'id': request['id'], 'result': a.result})
            if a.then_close:
                self.hang_up(c)
        else:
            self.send(c, {'jsonrpc': '2.0', 'id': request['id'], 'result': a})


class FakeRuns(FakeDaemon):
    """run, wait and kill with real processes. They outlive broken connections, as under the keeper."""

    def __init__(self, path):
        super().__init__(path, {'run': self.run, 'wait': self.wait, 'kill': self.kill, 'status': self.status})
        self.processes = {}
        self.n_started = 0
        self.started = threading.Event()

    @staticmethod
    def open_stdio(params, key, flags):
        path = params.get(key)
        if not path:
            return subprocess.DEVNULL
        fd = os.open(path, flags | os.O_NONBLOCK)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
        return fd

    def run(self, params):
        if params['name'] in self.processes and self.processes[params['name']].poll() is None:
            return Error('exists', 'there is a %s already' % params['name'])
        fds = [self.open_stdio(params, 'stdin', os.O_RDONLY), self.open_stdio(params, 'stdout', os.O_WRONLY),
               self.open_stdio(params, 'stderr', os.O_WRONLY)]
        try:
            p = subprocess.Popen(params.get('command', ['true']), stdin=fds[0], stdout=fds[1], stderr=fds[2], cwd=params['directory'],
                                 env={'PATH': os.environ['PATH'], **params.get('env', {})}, start_new_session=True,
                                 preexec_fn=default_signals)
        except OSError as e:
            code = 127 if isinstance(e, FileNotFoundError) else 126
            return Error('failed', '%s: cannot execute %s: %s' % (params['name'], params['command'][0], e.strerror),
                         failed=[{'worker': params['name'], 'exitcode': code}])
        finally:
            for fd in fds:
                if fd >= 0:
                    os.close(fd)
        p.started_at = datetime.datetime.utcnow().isoformat(timespec='milliseconds') + 'Z'
        self.processes[params['name']] = p
        self.n_started += 1
        self.started.set()
        return {'process': params['name'], 'pid': p.pid}

    def wait(self, params):
        name = params['select'][0]
        if name not in self.processes:
            return Error('not-found', 'there is no %s' % name)
        code = self.processes[name].wait()
        return {'workers': [{'name': name, 'pool': name, 'state': 'exited', 'alive': False, 'exitcode': code,
                             'started_at': '2026-01-01T00:00:00.000Z'}]}

    def status(self, params):
        name = params['select'][0]
        if name not in self.processes:
            return Error('not-found', 'there is no %s' % name)
        code = self.processes[name].poll()
        worker = {'name': name, 'pool': name, 'state': 'running' if code is None else 'exited', 'alive': code is None,
                  'exitcode': code, 'started_at': self.processes[name].started_at}
        return {'pools': [{'name': name, 'state': worker['state'], 'workers': [worker]}]}

    def kill(self, params):
        p = self.processes[params['select'][0]]
        number = params.get('signal', signal.SIGKILL)
        os.killpg(p.pid, number) if params.get('tree') else os.kill(p.pid, number)
        return {'signalled': 1}


class FakeMaps(FakeDaemon):
    """task.map and task.items: every item is its own result, but for "bad". While `gate` is
    not set no task.items is answered; those are in `held`."""

    def __init__(self, path):
        super().__init__(path)
        self.gate = threading.Event()
        self.gate.set()
        self.held, self.items = [], []
        self.came = threading.Event()

    def take(self, c, request):
        if request['method'] == 'task.map' and 'task.map' not in self.answers:
            self.begin(c, request)
        elif request['method'] == 'task.items' and 'task.items' not in self.answers:
            self.held.append(request)
            self.came.set()
            if self.gate.is_set():
                self.release(c)
        else:
            super().take(c, request)

    def send(self, c, message):
        """Written as droverd writes: libdrover passes the text of results on."""
        super().send(c, json.dumps(message, separators=(',', ':'), ensure_ascii=False).encode() + b'\n')

    def begin(self, c, request):
        self.id, self.n, self.n_failed = request['id'], 0, 0
        params = request['params']
        if 'count' in params:
            self.results(c, list(range(params['count'])))
            self.finish(c)

    def release(self, c):
        held, self.held = self.held, []
        for request in held:
            params = request['params']
            assert params['call'] == self.id
            self.results(c, params['items'])
            self.send(c, {'jsonrpc': '2.0', 'id': request['id'], 'result': {}})
            if not params['more']:
                self.finish(c)

    def results(self, c, items):
        self.items += items
        errors = {str(i): {'code': -32009, 'message': 'ValueError: bad', 'data': {'name': 'task-failed'}}
                  for i, item in enumerate(items) if item == 'bad'}
        note = {'call': self.id, 'index': self.n, 'results': [None if item == 'bad' else item for item in items]}
        if errors:
            note['errors'] = errors
        if items:
            self.send(c, {'jsonrpc': '2.0', 'method': 'result', 'params': note})
        self.n += len(items)
        self.n_failed += len(errors)

    def finish(self, c):
        self.send(c, {'jsonrpc': '2.0', 'id': self.id, 'result': {'items': self.n, 'failed': self.n_failed}})
