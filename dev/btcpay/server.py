"""One stand-in as a whole: its records, and what sends their events."""
from .state import State
from .webhooks import Dispatcher


class Server(State):
    """:param str url: address the server gives out in links, without trailing slash
    :param str fixed_url: the same, where it is not the one that callers use
    :param bool fill_login: whether the login page has the merchant's login filled in
    """

    def __init__(self, url='http://127.0.0.1:14142', fixed_url=None, fill_login=False):
        self.url = url
        self.fixed_url = fixed_url
        self.fill_login = fill_login
        self.dispatcher = None
        super().__init__()
        self.dispatcher = Dispatcher(self)

    def reset(self):
        if self.dispatcher:
            self.dispatcher.forget()
        super().reset()
