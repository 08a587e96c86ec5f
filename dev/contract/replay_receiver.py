"""Receives webhooks, as the recorder did, and answers what the recording says."""
import threading
from dataclasses import dataclass

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


@dataclass
class Hook:
    """A delivery.

    :ivar int step: how many steps of the recording had begun when it came
    """

    path: str
    headers: dict
    raw: bytes
    step: int


class _Quiet(WSGIRequestHandler):
    def log_request(self, code='-', size='-'):
        pass


class Receiver:
    """:ivar dict answers: {path: [status or 'hang', …]} in the order of the deliveries
    :ivar int step: how many steps of the recording have begun
    """

    def __init__(self):
        self.hooks = []
        self.gets = []
        self.answers = {}
        self.step = 0
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.httpd = make_server(
            '127.0.0.1', 0, self.application, threaded=True, request_handler=_Quiet)
        self.httpd.daemon_threads = True
        self.host = f'127.0.0.1:{self.httpd.server_port}'
        self.url = f'http://{self.host}'
        threading.Thread(target=self.httpd.serve_forever, args=(0.05,), daemon=True).start()

    @Request.application
    def application(self, request):
        if request.method == 'GET':
            self.gets.append(request.path)
            return Response('')
        with self.lock:
            self.hooks.append(
                Hook(request.path, dict(request.headers), request.get_data(), self.step))
            answers = self.answers.get(request.path)
            status = answers.pop(0) if answers else 200
        if status == 'hang':
            self.ended.wait(130)
            return Response('')
        headers = {'Location': self.url + '/moved'} if 300 <= status < 400 else {}
        return Response('', status=status, headers=headers)

    def close(self):
        self.ended.set()
        self.httpd.shutdown()
        self.httpd.server_close()
