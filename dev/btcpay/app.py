"""The WSGI application: routing to the API, the control interface and the pages."""
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response


def all_rules():
    """Every rule's endpoint is a callable (server, request, **values) -> werkzeug Response."""
    rules = []
    try:
        from . import pages
        rules += pages.rules()
    except ImportError:  # the pages are built at the same time as this
        pass
    return rules


class App:
    """:param Server server: the state this application serves"""

    def __init__(self, server):
        self.server = server
        self.map = Map(all_rules(), strict_slashes=False)

    @Request.application
    def __call__(self, request):
        adapter = self.map.bind_to_environ(request.environ)
        try:
            endpoint, values = adapter.match()
        except NotFound:
            return Response(status=404)
        except HTTPException as error:
            return error.get_response(request.environ)
        return endpoint(self.server, request, **values)
