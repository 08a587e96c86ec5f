"""The state file: loaded at start, written soon after each change and at the end; and states that
are remembered to go back to."""
import logging
import os
import pickle
import tempfile
import threading
from pathlib import Path

from .defaults import VERSION

#: of the records in the file; one more with each change of theirs
FORMAT = 2

_logger = logging.getLogger(__name__)


def load(server, path):
    """Take over a state file, if there is one that can be read."""
    try:
        saved = pickle.loads(Path(path).read_bytes())  # noqa: S301 our own file
        if saved.pop('version') != (VERSION, FORMAT):
            raise ValueError('written by another version')
    except FileNotFoundError:
        return
    except Exception as error:  # a torn or an old file must not keep the demo from starting
        _logger.warning('The state file %s is left aside: %s', path, error)
        return
    _take_over(server, saved)


def save(server, path):
    data = _dump(server)
    folder = Path(path).absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix='.btcpay-')  # readable by us only
    with os.fdopen(handle, 'wb') as file:
        file.write(data)
    Path(temporary).replace(path)


def remember(server):
    """:return: a number to go back to the state by"""
    with server.lock:
        server.remembered.append(_dump(server))
        return len(server.remembered) - 1


def go_back(server, number):
    """Have the state be as it was; the events that wait to be sent are forgotten."""
    saved = pickle.loads(server.remembered[number])  # noqa: S301 our own
    del saved['version']
    server.dispatcher.forget()
    _take_over(server, saved)


def _dump(server):
    with server.lock:
        saved = {name: getattr(server, name) for name in server.SAVED}
        return pickle.dumps({'version': (VERSION, FORMAT), **saved})


def _take_over(server, saved):
    with server.lock:
        for name, value in saved.items():
            setattr(server, name, value)


class Saver(threading.Thread):
    """Saves half a second after a change."""

    def __init__(self, server, path):
        super().__init__(name='saver', daemon=True)
        self.server = server
        self.path = path
        self.ended = threading.Event()

    def run(self):
        saved = self.server.changes
        while not self.ended.wait(0.5):
            if self.server.changes != saved:
                saved = self.server.changes
                save(self.server, self.path)

    def stop(self):
        self.ended.set()
        self.join()
        save(self.server, self.path)
