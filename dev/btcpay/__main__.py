"""Command line: ``python -m dev.btcpay [--port N] [--host H] [--state FILE] [--url URL]``."""
import argparse
import logging
import os
import signal
import sys
import threading
from urllib.parse import urlsplit

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server

from .app import App, _empty
from .clock import Ticker
from .defaults import MERCHANT, PASSWORD
from .persistence import Saver, load
from .server import Server


class Handler(WSGIRequestHandler):
    """Requests are not logged: /_control/requests tells them."""

    def log_request(self, code='-', size='-'):
        pass


def below(app, path):
    """Serve an application below a path, and only the control interface beside it."""
    def control_only(environ, start_response):
        if environ.get('PATH_INFO', '').startswith('/_control/'):
            return app(environ, start_response)
        return _empty(404)(environ, start_response)
    return DispatcherMiddleware(control_only, {path: app})


def end_with_input(httpd):
    while os.read(0, 1024):  # sys.stdin has a lock that would be in the way at the end
        pass
    httpd.shutdown()


def main(argv=None):
    parser = argparse.ArgumentParser(prog='python -m dev.btcpay', description=__doc__)
    parser.add_argument('--port', type=int, default=0, help='0: a free one')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--state', help='file the state is kept in')
    parser.add_argument('--url', help='public address; default the one a caller used')
    parser.add_argument('--fill-login', action='store_true',
                        help='the login page has the merchant filled in: for a demo')
    parser.add_argument('--attached', action='store_true',
                        help='end when standard input is closed: with the process that started it')
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    fixed_url = options.url and options.url.rstrip('/')
    server = Server(fixed_url=fixed_url, fill_login=options.fill_login)
    if options.state:
        load(server, options.state)
    app = App(server)
    path = urlsplit(fixed_url or '').path
    if path:
        app = below(app, path)
    httpd = make_server(
        options.host, options.port, app, threaded=True, request_handler=Handler)
    httpd.daemon_threads = True
    address = f'http://{options.host}:{httpd.server_port}'
    server.url = fixed_url or address

    def end(_number, _frame):
        # shutdown() waits for serve_forever(), which runs in this thread
        threading.Thread(target=httpd.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if options.attached:
        threading.Thread(target=end_with_input, args=(httpd,), daemon=True).start()
    helpers = [Ticker(server)]
    if options.state:
        helpers.append(Saver(server, options.state))
    for helper in helpers:
        helper.start()
    print(f'BTCPay stand-in ready on {address}', flush=True)
    print(f'Merchant: {MERCHANT} / {PASSWORD}', flush=True)
    httpd.serve_forever(poll_interval=0.1)
    for helper in helpers:
        helper.stop()
    httpd.server_close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
