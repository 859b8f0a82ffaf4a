"""What the tests of droverctl share: a private directory, a fake daemon, a run of the program."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from fake_droverd import FakeDaemon

DROVERCTL = os.environ['DROVERCTL']
EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'expected')
LIMIT = 60  # seconds; only against a test that hangs


class CliTest(unittest.TestCase):
    daemon_class = FakeDaemon

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='drover-cli-')
        self.addCleanup(shutil.rmtree, self.dir)
        self.socket = os.path.join(self.dir, 'control.sock')
        self.env = {'PATH': os.environ['PATH'], 'DROVER_SOCKET': self.socket, 'LC_ALL': 'C.UTF-8',
                    'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', ''), 'TMPDIR': self.dir}
        self.daemon = self.daemon_class(self.socket)

    def start(self, *args, **more):
        options = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env, cwd=self.dir)
        options.update(more)
        return subprocess.Popen([DROVERCTL, *args], **options)

    def ctl(self, *args, input=None, **more):
        """Exit status, stdout, stderr."""
        if input is not None:
            more['stdin'] = subprocess.PIPE
        p = self.start(*args, **more)
        out, err = p.communicate(input=input, timeout=LIMIT)
        return p.returncode, (out or b'').decode('utf-8', 'backslashreplace'), (err or b'').decode('utf-8', 'backslashreplace')

    def expect(self, name, text):
        """Compare with expected/NAME; with UPDATE_EXPECTED set, write it."""
        path = os.path.join(EXPECTED, name)
        if os.environ.get('UPDATE_EXPECTED'):
            with open(path, 'w') as f:
                f.write(text)
        with open(path) as f:
            self.assertEqual(f.read(), text)


def main():
    unittest.main(argv=[sys.argv[0], '-q'] + sys.argv[1:])
