"""`droverctl import`: real configuration files with includes, environment, numprocs and groups; droverd takes the result."""
import json
import os
import re
import subprocess
import unittest

from util_cli import EXPECTED, LIMIT, CliTest, main

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'import')


class Import(CliTest):
    def setUp(self):
        super().setUp()
        self.daemon.close()
        self.env['IMPORT_TEST'] = 'yes:'

    def convert(self, kind, name):
        status, out, err = self.ctl('import', kind, name, cwd=PLACE)
        return status, out.replace(PLACE, '/PLACE'), err.replace(PLACE, '/PLACE')

    def check(self, text):
        """What droverd says about it; pools by name."""
        path = os.path.join(self.dir, 'drover.json')
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, 0o600)
        p = subprocess.run([os.environ['DROVERD'], '--check', '-c', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
        self.assertEqual(p.returncode, 0, p.stdout.decode())
        lines = [line for line in text.splitlines() if not line.strip().startswith('//')]
        return json.loads('\n'.join(lines))['pools']

    def loads(self, text):
        if os.getuid() != 0:  # only root may name another user
            text = re.sub(r',\n *"user": "www-data"', '', text)
        return self.check(text)

    def test_supervisord(self):
        status, out, err = self.convert('supervisord', 'supervisord.conf')
        self.assertEqual(status, 0, err)
        self.expect('import-supervisord.json', out)
        self.expect('import-supervisord.notes', err)
        pools = self.loads(out)
        self.assertEqual(sorted(pools), ['cat', 'port-1', 'port-2', 'shop.web', 'shop.worker', 'theprogramname'])
        named = pools['theprogramname']
        self.assertEqual(named['command'], ['/bin/sh', '-c', 'echo \'a b\' "$HOME"; exec sleep 1000'])
        self.assertEqual(named['env'], {'LANG': 'C.UTF-8', 'SITE': 'main, site', 'A': '1', 'B': 'two words', 'C': 'yes:/PLACE'})
        self.assertEqual((named['workers'], named['autostart'], named['umask']), (3, False, '022'))
        self.assertEqual(named['stop'], {'signal': 'SIGQUIT', 'timeout': '20s'})
        self.assertEqual(named['restart']['success_codes'], [0, 2])
        self.assertEqual(pools['port-2']['command'], ['/usr/bin/env', 'node', 'server.js', '--port=8002', '--name', 'Listen Port'])
        self.assertEqual(pools['shop.worker']['after'], ['shop.web'])
        self.assertEqual(pools['shop.web']['after'], ['theprogramname'])
        self.assertEqual(pools['shop.worker']['command'][-1], '--concurrency=100%')

    def test_every_key_is_told(self):
        """Each key of the file has become a key, or has its line in the notes."""
        _, out, err = self.convert('supervisord', 'supervisord.conf')
        for key in ('file', 'port', 'rpcinterface:supervisor', 'stdout_capture_maxbytes', 'stopasgroup', 'process_name', 'unknown_key',
                    'eventlistener:theeventlistenername', 'fcgi-program:fcgiprogramname', 'pidfile', 'minfds', 'files', 'programs'):
            if key not in ('file', 'port'):
                self.assertIn(' %s: ' % key, err)
        for line in err.splitlines()[:-1]:
            self.assertRegex(line, r'^[^ ]+\.conf:\d+: \S.*: \S')

    def test_here(self):
        """As in supervisord, the directory of the file in which it stands."""
        os.mkdir(os.path.join(self.dir, 'conf.d'))
        for path, text in (('s.conf', '[supervisord]\n[include]\nfiles=%(here)s/conf.d/*.conf\n[program:a]\ncommand=%(here)s/run\n'),
                           ('conf.d/b.conf', '[program:b]\ncommand=%(here)s/run\n')):
            with open(os.path.join(self.dir, path), 'w') as f:
                f.write(text)
        pools = self.loads(self.ctl('import', 'supervisord', 's.conf')[1])
        self.assertEqual([pools[p]['command'] for p in 'ab'], [[self.dir + '/run'], [self.dir + '/conf.d/run']])

    def test_pm2(self):
        status, out, err = self.convert('pm2', 'ecosystem.json')
        self.assertEqual(status, 0, err)
        self.expect('import-pm2.json', out)
        self.expect('import-pm2.notes', err)
        pools = self.loads(out)
        self.assertEqual(pools['api-app']['command'], ['node', '--max-old-space-size=1460', './dist/api.js', '--port', '3000', '--name', 'my api'])
        self.assertEqual(pools['api-app']['env'], {'NODE_ENV': 'development', 'PORT': '3000', 'DEBUG': 'true'})
        self.assertEqual(pools['env']['command'], ['/usr/bin/env', '-i', 'printenv'])
        with open(os.path.join(PLACE, 'ecosystem.json')) as f:
            lines = f.read().splitlines()
        for note in err.splitlines()[:-1]:
            _, line, key, _ = note.split(':', 3)
            if key.strip() in ('watch', 'cron_restart', 'mystery', 'error_file', 'env_production', 'deploy', 'exec_mode'):
                self.assertIn('"%s"' % key.strip(), lines[int(line) - 1])

    def test_pm2_program(self):
        status, out, err = self.convert('pm2', 'ecosystem.config.js')
        self.assertEqual((status, out), (1, ''))
        self.assertIn("node -e 'console.log(", err)

    def test_out(self):
        path = os.path.join(self.dir, 'out.json')
        status, out, _ = self.ctl('-q', 'import', 'pm2', '-O', path, 'ecosystem.json', cwd=PLACE)
        self.assertEqual((status, out), (0, ''))
        with open(path) as f:
            self.assertIn('"api-app"', f.read())

    def test_wrong(self):
        for args, want, said in ((['supervisord', 'broken.conf'], 1, 'broken.conf:3: syntax'), (['supervisord', 'no.conf'], 1, 'No such file'),
                                 (['pm2', 'broken.conf'], 1, 'syntax'), (['runit', 'x'], 2, 'supervisord and pm2'), (['pm2'], 2, 'import wants')):
            with self.subTest(args):
                status, out, err = self.ctl('import', *args, cwd=PLACE)
                self.assertEqual((status, out), (want, ''), err)
                self.assertIn(said, err)

    def test_odd_files(self):
        """Whatever stands in a file, there is an answer."""
        for i, text in enumerate(('', '[', '[]', '[program:]\ncommand=', '[program:x]\ncommand="', '[program:x]\ncommand=a\nnumprocs=99999999999999',
                                  '[program:x]\ncommand=%(process_num)9999999d %( %(x %()s %\nnumprocs=2', 'a=b', '[include]\nfiles=%(here)s/*',
                                  '[group:x]\nprograms=,,,', '[program:all]\ncommand=a\nenvironment==\nexitcodes=x,y\nstartsecs=-1\npriority=x',
                                  '[program:' + 'n' * 500 + ']\ncommand=' + 'a ' * 5000, '[program:..]\ncommand=a\nstdout_logfile_maxbytes=')):
            path = os.path.join(self.dir, 'odd')
            with open(path, 'w') as f:
                f.write(text)
            with self.subTest(i):
                status, out, err = self.ctl('import', 'supervisord', path)
                self.assertIn(status, (0, 1), err)
                if status == 0 and out:
                    json.loads('\n'.join(x for x in out.splitlines() if not x.strip().startswith('//')))
        for i, text in enumerate(('', '[]', '{}', '7', '{"apps": 7}', '{"apps": [7, null, {}, {"script": 7}, {"script": ""}]}', '[[[[', '{"script": "a"',
                                  '{"script": "a b", "env": [], "instances": "x", "args": [1, {}], "max_restarts": -5, "kill_timeout": {}}')):
            path = os.path.join(self.dir, 'odd')
            with open(path, 'w') as f:
                f.write(text)
            with self.subTest(i):
                self.assertIn(self.ctl('import', 'pm2', path)[0], (0, 1))

    def test_huge_files(self):
        """Refused, rather than worked on for minutes."""
        apps = ','.join('{"name": "a%d", "script": "/b"}' % i for i in range(30000))
        for kind, text, said in (('supervisord', '[program:x]\ncommand=/b\nenvironment=a\n' + ' b\n' * 340000, 'too large'),
                                 ('supervisord', ''.join(f'[program:p{i}]\ncommand=/b\n' for i in range(40000)), 'too large'),
                                 ('pm2', '{"apps": [' + apps + ']}', 'more than 4096'), ('pm2', '{"apps": ' + '[' * 500000, 'nested too deeply')):
            path = os.path.join(self.dir, 'huge')
            with open(path, 'w') as f:
                f.write(text)
            with self.subTest(kind + said):
                status, out, err = self.ctl('import', kind, path)
                self.assertEqual((status, out), (1, ''))
                self.assertIn(said, err)


if __name__ == '__main__':
    main()
