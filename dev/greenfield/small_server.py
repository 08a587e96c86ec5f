"""A small HTTP server for answers that the stand-in does not give."""
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """What answers is given this handler."""

    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        try:
            self.server.answer(self)
        except OSError:
            self.close_connection = True  # The caller gave up.

    do_POST = do_DELETE = do_GET

    def setup(self):
        super().setup()
        self.server.connections += 1

    def log_message(self, *_args):
        pass

    def begin(self, status=200, **headers):
        """Send the status and headers, of which `Content_Length` is not made up."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), str(value))
        self.end_headers()

    def reply(self, body=b'{"synchronized": true}', status=200, **headers):
        self.begin(status, **{'Content_Length': len(body), **headers})
        self.wfile.write(body)

    def redirect(self, location, status=302):
        self.reply(b'', status, Location=location)


@contextmanager
def serve(answer, context=None, address=('127.0.0.1', 0)):
    """Have a function answer all requests on 127.0.0.1.

    :param answer: is given the handler
    :param ssl.SSLContext context: to speak https
    :param tuple address: another address of this machine, with its port
    :return: the server, with `url`, `requests` and the number of `connections`
    """
    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    server.answer, server.requests, server.connections = answer, [], 0
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f'{"https" if context else "http"}://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
