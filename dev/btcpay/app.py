"""The WSGI application: routing to the API, the control interface and the pages."""
import importlib.util
import json

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from . import control, faults, greenfield
from .greenfield.http import HEADERS

#: requests remembered for /_control/requests
REMEMBERED = 2000


def all_rules():
    """Every rule's endpoint is a callable (server, request, **values) -> werkzeug Response."""
    rules = greenfield.rules() + control.rules()
    if importlib.util.find_spec('.pages', __package__):
        from . import pages

        rules += pages.rules()
    return rules


class App:
    """:param Server server: the state this application serves"""

    def __init__(self, server):
        self.server = server
        self.map = Map(all_rules(), strict_slashes=False)

    def __call__(self, environ, start_response):
        request = Request(environ)
        if request.path.startswith('/_control/'):
            return self.dispatch(request)(environ, start_response)
        self.remember(request)
        fault = faults.take(self.server, request)
        if fault:
            response = faults.spoil(fault, request, lambda: self.dispatch(request))
        else:
            response = self.dispatch(request)
        return response(environ, start_response)

    def dispatch(self, request):
        """:return: the right answer to a request"""
        try:
            endpoint, values = self.map.bind_to_environ(request.environ).match()
        except MethodNotAllowed as error:
            return _empty(405, {'Allow': ', '.join(error.valid_methods or ())})
        except HTTPException as error:
            if error.code in (307, 308):
                return error.get_response(request.environ)
            return _empty(404, greenfield.HEADERS if request.path.startswith('/api/') else None)
        return endpoint(self.server, request, **values)

    def remember(self, request):
        body = request.get_data()
        try:
            text = json.loads(body) if body else None
        except ValueError:
            text = body.decode('utf-8', 'replace')
        server = self.server
        with server.lock:
            server.request_count += 1
            server.requests.append({
                'n': server.request_count,
                'method': request.method,
                'path': request.root_path.rstrip('/') + request.path,
                'query': request.query_string.decode('latin-1'),
                'body': text,
                'at': server.now(),
            })
            del server.requests[:-REMEMBERED]


def _empty(status, headers=None):
    response = Response(status=status, headers={**HEADERS, **(headers or {})})
    response.headers.pop('Content-Type')
    return response
