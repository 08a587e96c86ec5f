"""What all pages share: routes, sessions, templates, refusals."""
import hashlib
import hmac
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from jinja2 import Environment, FileSystemLoader
from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from ..errors import ApiError
from ..greenfield.http import base_url
from . import formats, language

FOLDER = Path(__file__).parent
SESSION = 'btcpay_session'
MESSAGE = 'btcpay_message'
HEADERS = {
    # also what makes a form's POST to another site come with "Origin: null"
    'Referrer-Policy': 'same-origin',
    'Content-Security-Policy': "script-src 'self'; object-src 'none'; base-uri 'self'",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
}

templates = Environment(
    loader=FileSystemLoader(FOLDER / 'templates'), autoescape=True, trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters.update(formats.FILTERS)
templates.globals.update(_=language.translate, current_language=language.current)


class NotFound(Exception):
    """Becomes the 404 page."""


def is_local(path):
    """Whether a path stays on this server; ``//host`` and ``/\\host`` do not."""
    return (
        path.startswith('/') and path[1:2] not in ('/', '\\')
        and not any(ord(char) < 33 for char in path)
    )


def _session_for(user):
    """Signed with what only the server knows of a user: no list of sessions has to be kept."""
    key = f'{user.password}{user.created!r}'.encode()
    signature = hmac.new(key, f'session {user.id}'.encode(), hashlib.sha256)
    return f'{user.id}.{signature.hexdigest()}'


class Visit:
    """One request for a page.

    ``user`` is who is logged in, or None; ``root`` is the path the server is mounted at, '' at
    the top; ``message`` is what the page before has left to be said, as (level, text).
    """

    def __init__(self, server, request):
        self.server = server
        self.request = request
        self.root = request.root_path.rstrip('/')
        self.url = base_url(server, request)
        self.user = self._user()
        level, _, text = unquote(request.cookies.get(MESSAGE, '')).partition(':')
        self.message = (level, text) if text and level in ('good', 'bad') else None

    def _user(self):
        cookie = self.request.cookies.get(SESSION, '')
        user = self.server.users.get(cookie.partition('.')[0])
        return user if user and hmac.compare_digest(cookie, _session_for(user)) else None

    @property
    def secure(self):
        return self.url.startswith('https:')

    @property
    def path(self):
        """:return: path and query of the request, as a browser would ask for them again"""
        query = self.request.query_string.decode('latin-1')
        return self.root + quote(self.request.path) + (f'?{query}' if query else '')

    def same_origin(self):
        """Whether a POST comes from a page of ours. What is no browser sends no Origin."""
        origin = self.request.headers.get('Origin')
        return origin is None or origin in (
            self.request.host_url.rstrip('/'), '{0.scheme}://{0.netloc}'.format(urlsplit(self.url)))

    def render(self, template, status=200, **values):
        html = templates.get_template(template).render(visit=self, root=self.root, **values)
        response = Response(html, status, HEADERS, content_type='text/html; charset=utf-8')
        if self.message:
            response.delete_cookie(MESSAGE, path=self.root or '/')
        return response

    def redirect(self, path, message=None, level='good'):
        """Answer with another page of ours.

        :param str path: below ``root``
        :param str message: said there, once
        """
        return self.go(self.root + path, message, level)

    def go(self, location, message=None, level='good'):
        response = Response(status=302, headers={**HEADERS, 'Location': location})
        if message:
            self._set_cookie(response, MESSAGE, quote(f'{level}:{message}'), max_age=60)
        return response

    def log_in(self, response, user):
        self._set_cookie(response, SESSION, _session_for(user))
        return response

    def log_out(self, response):
        response.delete_cookie(SESSION, path=self.root or '/')
        return response

    def _set_cookie(self, response, name, value, **options):
        response.set_cookie(
            name, value, path=self.root or '/', httponly=True, samesite='Lax',
            secure=self.secure, **options)

    def form(self, name):
        return self.request.form.get(name, '').strip()

    def back(self, default):
        """Answer with the page a form was on; it says so in its field ``back``."""
        back = self.request.form.get('back', '')
        return back if is_local(back) else self.root + default

    def store(self, store_id):
        """:raise NotFound: for a store that is not the visitor's"""
        store = self.server.stores.get(store_id)
        if store is None or store.deleted or self.user is None or store.owner_id != self.user.id:
            raise NotFound
        return store

    def stores(self):
        return self.server.stores_of(self.user) if self.user else []

    def record(self, table, record_id, store_id=None):
        """:return: a record of one of the visitor's stores, of this one if it is given
        :raise NotFound: for any other
        """
        record = getattr(self.server, table).get(record_id)
        if record is None or store_id not in (None, record.store_id):
            raise NotFound
        self.store(record.store_id)
        return record

    def act(self, default, done, action, *arguments):
        """Carry out what a merchant's button says, and show the page it was on again."""
        try:
            action(*arguments)
        except ApiError as error:
            return self.go(self.back(default), language.translate(error.message), 'bad')
        return self.go(self.back(default), done)


class Pages:
    """Collects the pages of a module; used as a decorator.

    A function is called with the Visit and the path's values, while the server's lock is held, and
    returns a Response.

    :param bool login: whether one must be logged in
    :param bool framed: whether a shop may show the page inside its own
    """

    def __init__(self):
        self.routes = []

    def __call__(self, method, *paths, login=False, framed=False):
        def register(function):
            for path in paths:
                self.routes.append((method, path, _endpoint(function, login, framed)))
            return function
        return register

    def rules(self):
        return [Rule(path, methods=[method], endpoint=endpoint)
                for method, path, endpoint in self.routes]


def _endpoint(function, login, framed):
    def endpoint(server, request, **values):
        request.get_data()  # reading it may take long: not while the lock is held
        with server.lock:
            language.choose(None, request.accept_languages)
            visit = Visit(server, request)
            try:
                response = _answer(visit, function, login, values)
            except NotFound:
                response = visit.render('not_found.html', 404)
        if not framed:
            response.headers['X-Frame-Options'] = 'DENY'
        return response
    return endpoint


def _answer(visit, function, login, values):
    if visit.request.method == 'POST' and not visit.same_origin():
        return visit.render('refused.html', 403)
    if login and visit.user is None:
        return visit.redirect('/login?ReturnUrl=' + quote(visit.path, safe=''))
    return function(visit, **values)
