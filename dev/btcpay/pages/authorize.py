"""The authorize pages: an application asks for an API key, the merchant grants it."""
import secrets
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from ..permissions import ALL, STORE
from .language import translate as _
from .permission_texts import describe
from .web import Pages

pages = Pages()

INSECURE = 'Cannot generate API keys while not on https or using Tor'


def is_secure(url):
    """Whether the server would make a key for a browser that reached it by this address."""
    parts = urlsplit(url)
    host = (parts.hostname or '').lower()
    if parts.scheme == 'https' or host.endswith('.onion'):
        return True
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def usable_redirect(text):
    """:return: the address if it is an absolute http(s) one, else None"""
    try:
        parts = urlsplit(text or '')
        usable = parts.scheme in ('http', 'https') and parts.hostname
    except ValueError:
        return None
    return text if usable else None


def _true(text, default):
    return default if text is None else text.strip().lower() == 'true'


class Application:
    """What an application asks for, from the query string and from page to page in the form."""

    FIELDS = ('RedirectUrl', 'Permissions', 'Strict', 'ApplicationName', 'SelectiveStores',
              'ApplicationIdentifier')

    def __init__(self, permissions, strict, selective, redirect, name, identifier):
        #: only what a key can have: the server leaves the rest out without a word
        self.permissions = sorted({p for p in permissions if p in ALL})
        self.strict = _true(strict, True)
        self.selective = _true(selective, False)
        self.redirect = usable_redirect(redirect)
        self.name = name or ''
        self.identifier = identifier or ''

    @classmethod
    def from_query(cls, args):
        return cls(args.getlist('permissions'), args.get('strict'), args.get('selectiveStores'),
                   args.get('redirect'), args.get('applicationName'),
                   args.get('applicationIdentifier'))

    @classmethod
    def from_form(cls, form):
        return cls(form.get('Permissions', '').split(';'), form.get('Strict'),
                   form.get('SelectiveStores'), form.get('RedirectUrl'),
                   form.get('ApplicationName'), form.get('ApplicationIdentifier'))

    @property
    def hidden(self):
        """:return: {field: value} that takes it all to the next page"""
        values = (self.redirect or '', ';'.join(self.permissions), self.strict, self.name,
                  self.selective, self.identifier)
        return dict(zip(self.FIELDS, values, strict=True))

    @property
    def display_name(self):
        return self.name or self.identifier

    @property
    def needs_store(self):
        """Whether the merchant has to select a store."""
        return self.selective and (
            not self.strict or any(policy.startswith(STORE) for policy in self.permissions))

    def choices(self, visit):
        """What the second page lists: all that is asked for; more only where there is a choice."""
        policies = self.permissions if self.strict else sorted(ALL)
        choices = [
            {'policy': policy, 'asked': policy in self.permissions,
             'forbidden': not allowed(visit, policy), **describe(policy, self.selective)}
            for policy in policies
        ]
        return [choice for choice in choices if self.strict or not choice['forbidden']]


def allowed(visit, policy):
    """The first user is the server's administrator; the others have no server-wide rights."""
    return visit.user.admin or not policy.startswith('btcpay.server.')


@pages('GET', '/api-keys/authorize')
def authorize(visit):
    if visit.server.settings['auto_approve']:
        visit.user = next(iter(visit.server.users.values()))
    if visit.user is None:
        return visit.redirect('/login?ReturnUrl=' + quote(visit.path, safe=''))
    if not is_secure(visit.url):
        return visit.redirect('/account/apikeys', _(INSECURE), 'bad')
    application = Application.from_query(visit.request.args)
    if visit.server.settings['auto_approve']:
        store = next(iter(visit.stores()), None)
        return approve(visit, application, store, application.name, application.permissions)
    return ask(visit, application, None)


@pages('POST', '/api-keys/authorize', login=True)
def answered(visit):
    form = visit.request.form
    command = form.get('command', '')
    if command == 'Cancel':
        return visit.redirect('/account/apikeys')
    if not is_secure(visit.url):
        return visit.redirect('/account/apikeys', _(INSECURE), 'bad')
    application = Application.from_form(form)
    store = visit.server.stores.get(form.get('StoreId', ''))
    if store not in visit.stores():
        store = None
    if command != 'Authorize' or (application.needs_store and store is None):
        return ask(visit, application, store)
    wanted = application.permissions
    if not application.strict:
        wanted = [p for p in form.getlist('chosen') if p in ALL and allowed(visit, p)]
    return approve(visit, application, store, form.get('Label', '').strip(), wanted)


def ask(visit, application, store, problems=()):
    """Show the page to select a store, or the one to consent where nothing is left to select."""
    if application.needs_store and store is None:
        return visit.render('authorize_store.html', application=application)
    return visit.render(
        'authorize.html', application=application, store=store, problems=problems,
        choices=application.choices(visit))


def approve(visit, application, store, label, policies):
    """Make the key and hand it over."""
    problems = [
        _('The permission "{title}" is required for this application.',
          title=describe(policy, application.selective)['title'])
        for policy in policies if not allowed(visit, policy)
    ]
    if problems:
        return ask(visit, application, store, problems)
    scope = f':{store.id}' if application.selective and store else ''
    key = visit.server.create_api_key(visit.user, label, [
        policy + scope if policy.startswith(STORE) else policy for policy in sorted(policies)
    ])
    if application.redirect is None:
        return visit.redirect('/account/apikeys', _('API key generated! {key}', key=key.key))
    return visit.render(
        'post_redirect.html', address=application.redirect, key=key,
        token='CfDJ8' + secrets.token_urlsafe(110))
