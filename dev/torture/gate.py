"""What stands between the server and Odoo: webhooks pass here, and can be kept from passing."""
import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: `open`; nobody answers; it is worked off, but the answer is lost; a proxy answers for Odoo
MODES = ('open', 'closed', 'lost', 'proxy')
TIMEOUT = 60


@dataclass
class Passed:
    """A request and Odoo's answer to it, None where there was none."""

    headers: dict
    body: bytes
    status: int | None


class Gate:
    """A reverse proxy on 127.0.0.1.

    :param int port: Odoo's
    :ivar str url: its address
    :ivar str mode: one of `MODES`
    :ivar list[Passed] passed: what reached Odoo
    """

    def __init__(self, port):
        self.port = port
        self.mode = 'open'
        self.passed = []
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                gate.handle(self)

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get('Content-Length') or 0))
        mode = self.mode
        if mode in ('open', 'lost'):
            status = self._forward(handler, body)
            if mode == 'open' and status:
                self._answer(handler, status)
                return
        if mode == 'proxy':
            self._answer(handler, 502)
            return
        handler.close_connection = True

    def _forward(self, handler, body):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=TIMEOUT)
        headers = dict(handler.headers)
        status = None
        try:
            connection.request('POST', handler.path, body, headers)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            pass  # Odoo is gone
        finally:
            connection.close()
        self.passed.append(Passed(headers, body, status))
        return status

    @staticmethod
    def _answer(handler, status):
        handler.send_response(status)
        handler.send_header('Content-Length', '0')
        handler.end_headers()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
