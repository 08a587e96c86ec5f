"""Command line: ``python -m dev.btcpay [--port N] [--host H] [--state FILE] [--url URL]``."""
import argparse
import signal
import sys
import threading

from werkzeug.serving import make_server

from .app import App
from .state import MERCHANT, PASSWORD, Server


def main(argv=None):
    parser = argparse.ArgumentParser(prog='python -m dev.btcpay', description=__doc__)
    parser.add_argument('--port', type=int, default=0, help='0: a free one')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--state', help='file the state is kept in')
    parser.add_argument('--url', help='public address, default the one it listens on')
    options = parser.parse_args(argv)
    server = Server()
    httpd = make_server(options.host, options.port, App(server), threaded=True)
    address = f'http://{options.host}:{httpd.server_port}'
    server.url = (options.url or address).rstrip('/')
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=httpd.shutdown).start())
    print(f'BTCPay stand-in ready on {address}', flush=True)
    print(f'Merchant: {MERCHANT} / {PASSWORD}', flush=True)
    httpd.serve_forever()
    return 0


if __name__ == '__main__':
    sys.exit(main())
