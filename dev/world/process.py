"""A stand-in BTCPay Server as a process of its own."""
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = '127.0.0.1'


class StandInProcess:
    """``with StandInProcess() as process:`` or ``start()`` and ``stop()``.

    The process ends by itself when ours is gone, however it went: its standard input is then
    closed.

    :param int port: 0 for a free one
    :param state: file the state is kept in, None to forget it
    :param str path: where the server is to be below its host, '/pay'
    :param bool detached: no child of ours: Odoo ends its children between test classes
    :ivar str url: address of the server
    :ivar str control_url: address of the control interface, without ``/_control``
    """

    def __init__(self, port=0, state=None, path='', detached=False):
        self.port = port
        self.state = state
        self.path = path.rstrip('/')
        self.detached = detached
        self.process = None
        self.url = self.control_url = self.email = self.password = None

    def start(self):
        """:return: self, once the server answers"""
        port = self.port
        if self.path and not port:  # the address has to be known before
            port = free_port()
        command = [
            sys.executable, '-m', 'dev.btcpay', '--host', HOST, '--port', str(port), '--attached']
        if self.state:
            command += ['--state', str(self.state)]
        if self.path:
            command += ['--url', f'http://{HOST}:{port}{self.path}']
        if self.detached:
            # The shell ends at once; without `3` it would give the program no input to watch
            command = ['sh', '-c', 'exec 3<&0; "$@" <&3 3<&- &', 'sh', *command]
        self.process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, 'PYTHONUNBUFFERED': '1'})
        ready = re.search(r'ready on (\S+)', self.process.stdout.readline())
        merchant = re.search(r'Merchant: (\S+) / (\S+)', self.process.stdout.readline())
        if not (ready and merchant):
            self.stop()
            raise RuntimeError(
                f'The stand-in BTCPay Server did not start (port {port}): {" ".join(command)} '
                f'in {ROOT} says why on its standard error.')
        if self.detached:
            self.process.wait()
        self.control_url = ready[1]
        self.url = self.control_url + self.path
        self.email, self.password = merchant.groups()
        return self

    def stop(self):
        process, self.process = self.process, None
        if process is None:
            return
        process.stdin.close()  # ends it, too
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
