"""Completion in real shells, with live names: bash, zsh and fish, as far as they are installed.

What is typed and what the shell offers goes through its own machinery; the names come from a fake daemon.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from util_cli import DROVERCTL, LIMIT, CliTest, main


class Shells(CliTest):
    def setUp(self):
        super().setUp()
        workers = [{'name': 'web/%d' % i, 'pool': 'web', 'state': 'running'} for i in range(2)]
        self.daemon.answers['status'] = {'pools': [{'name': 'web', 'state': 'running', 'workers': workers},
                                                   {'name': 'math', 'state': 'running', 'workers': []}]}
        self.daemon.answers['rpc.discover'] = {'methods': [], 'components': {'x-pool-keys': [
            {'key': 'stop', 'description': 'how it is stopped'}, {'key': 'stop.signal', 'description': 'the first one'},
            {'key': 'stop.timeout', 'description': 'then SIGKILL'},
            {'key': 'restart.policy', 'description': 'when', 'values': ['always', 'on-failure', 'never']}]}}
        self.daemon.answers['task.list'] = lambda p: {'tasks': [{'task': 'math-%d' % (1 + len(p['state'])), 'target': 'f'}], 'more': 0}
        self.bin = os.path.join(self.dir, 'bin')
        os.mkdir(self.bin)
        os.symlink(os.path.realpath(DROVERCTL), os.path.join(self.bin, 'droverctl'))
        self.env = dict(self.env, PATH=self.bin + ':' + os.environ['PATH'], HOME=self.dir, XDG_CONFIG_HOME=self.dir, TERM='dumb')

    def shell(self, name):
        path = shutil.which(name)
        if not path:
            self.skipTest('no %s here' % name)
        script = os.path.join(self.dir, 'script.' + name)
        with open(script, 'w') as f:
            f.write(self.ctl('completion', name)[1])
        return path, script

    def output(self, *argv):
        return subprocess.run(argv, env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT).stdout.decode()

    def bash(self, *words):
        path, script = self.shell('bash')
        line = 'source %s; COMP_WORDS=(droverctl %s); COMP_CWORD=%d; _droverctl; printf "%%s\\n" "${COMPREPLY[@]}"' % (
            script, ' '.join("'%s'" % w for w in words), len(words))
        return self.output(path, '--norc', '--noprofile', '-c', line).split()

    def test_bash(self):
        self.assertEqual(self.bash('sta'), ['status', 'start'])
        self.assertEqual(self.bash('stop', 'w'), ['web'])
        self.assertEqual(self.bash('stop', 'web/'), ['web/0', 'web/1'])
        self.assertEqual(self.bash('wait', '--for', ''), ['exit', 'ready', 'stopped', 'idle'])
        self.assertEqual(self.bash('wait', '--f'), ['--for'])
        self.assertEqual(self.bash('import', ''), ['supervisord', 'pm2'])
        self.assertEqual(self.bash('set', 'web', 'stop.'), ['stop.signal', 'stop.timeout'])
        self.assertEqual(self.bash('get', 'web', 'stop.t'), ['stop.timeout'])
        self.assertEqual(self.bash('set', '--unset', 'web', 'res'), ['restart.policy'])
        self.assertEqual(self.bash('set', 'web', 'restart.policy', ''), ['always', 'on-failure', 'never'])
        self.assertEqual(self.bash('set', 'web', 'stop.timeout', ''), [])
        self.assertEqual(self.bash('get', 'web', 'restart.policy', ''), [])
        self.assertIn('script.bash', self.bash('import', 'pm2', 'scr'))
        self.assertEqual(self.bash('submit', 'm'), ['math'])
        self.assertEqual(self.bash('cancel', ''), ['math-8', 'math-7'])
        self.assertEqual(self.bash('tasks', '--state', 'ca'), ['cancelled'])

    def fish(self, line):
        path, script = self.shell('fish')
        return [x.split('\t')[0] for x in self.output(path, '--no-config', '-c', 'source %s; complete -C "%s"' % (script, line)).splitlines()]

    def test_fish(self):
        self.assertEqual(sorted(self.fish('droverctl sta')), ['start', 'status'])
        self.assertEqual(self.fish('droverctl stop w'), ['web'])
        self.assertEqual(self.fish('droverctl stop web/'), ['web/0', 'web/1'])
        self.assertEqual(sorted(self.fish('droverctl --color ')), ['always', 'auto', 'never'])
        self.assertEqual(sorted(self.fish('droverctl set web stop.')), ['stop.signal', 'stop.timeout'])
        self.assertIn('--max-surge', self.fish('droverctl reload --max'))
        self.assertIn('script.fish', self.fish('droverctl add scr'))
        self.assertEqual(self.fish('droverctl map --unor'), ['--unordered'])
        self.assertEqual(sorted(self.fish('droverctl wait ma')), ['math', 'math-7', 'math-8'])

    def zsh(self, typed, wanted):
        """zsh completes only at a prompt: type into one in a terminal, Tab, and look."""
        path, script = self.shell('zsh')
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            os.execve(path, ['zsh', '-f', '-i'], self.env)
        seen = b''

        def until(pattern):
            nonlocal seen
            end = time.monotonic() + LIMIT
            while not re.search(pattern, seen, re.DOTALL):
                if time.monotonic() > end:
                    self.fail('no %r in %r' % (pattern, seen))
                if select.select([fd], [], [], 0.5)[0]:
                    seen += os.read(fd, 65536)
        try:
            os.write(fd, b"PS1='ready''> '; autoload -U compinit; compinit -u -D; source %s; zstyle ':completion:*' menu no\n" % script.encode())
            until(b'ready> ')
            seen = b''
            os.write(fd, typed.encode() + b'\t')
            until(wanted)
        finally:
            os.close(fd)
            os.waitpid(pid, 0)

    def test_zsh(self):
        self.zsh('droverctl stat', b'droverctl stat.{0,16}us')
        self.zsh('droverctl stop w', b'stop w.{0,16}eb')
        self.zsh('droverctl stop web/', b'web/0.*web/1')
        self.zsh('droverctl reload --max-s', b'urge')
        self.zsh('droverctl set web stop.t', b'stop.t.{0,16}imeout')
        self.zsh('droverctl canc', b'canc.{0,16}el')
        self.zsh('droverctl cancel math-', b'math-7.*math-8|math-8.*math-7')


class Manuals(unittest.TestCase):
    """Every page of ours is clean roff for groff and for mandoc, as far as they are installed."""

    def pages(self):
        return [p for p in os.environ.get('DROVER_PAGES', '').split(':') if p]

    def run_over(self, tool, *options):
        if not shutil.which(tool):
            self.skipTest('no %s here' % tool)
        self.assertEqual(len(self.pages()), 5, self.pages())
        for page in self.pages():
            with self.subTest(os.path.basename(page)):
                p = subprocess.run([tool, *options, page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=LIMIT,
                                   env=dict(os.environ, LC_ALL='C.UTF-8'))
                self.assertEqual(p.stderr.decode(), '')

    def test_groff(self):
        # Long words of JSON cannot be broken; all else is a fault.
        self.run_over('groff', '-man', '-t', '-Tutf8', '-ww', '-Wbreak', '-z')

    def test_mandoc(self):
        if not shutil.which('mandoc'):
            self.skipTest('no mandoc here')
        for page in self.pages():
            with self.subTest(os.path.basename(page)):
                p = subprocess.run(['mandoc', '-Tlint', '-Werror', page], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
                self.assertEqual(p.returncode, 0, p.stdout.decode())


if __name__ == '__main__':
    main()
