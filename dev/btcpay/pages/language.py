"""The languages of the pages: English as it is written there, and those of languages/*.json.

The checkout page has the language that the shop asks for, the others that of the browser.
"""
import json
from contextvars import ContextVar
from pathlib import Path

from werkzeug.datastructures import LanguageAccept

CATALOGS = {
    path.stem: json.loads(path.read_text(encoding='utf-8'))
    for path in (Path(__file__).parent / 'languages').glob('*.json')
}
ENGLISH = 'en'
_current = ContextVar('language', default=ENGLISH)


def choose(wanted, accepted):
    """Have what follows in this thread said in a language.

    :param str wanted: 'fr-FR', or None
    :param LanguageAccept accepted: what the browser prefers, where nothing is wanted
    """
    known = [ENGLISH, *CATALOGS]
    if wanted:
        accepted = LanguageAccept([(wanted, 1)])
    _current.set(accepted.best_match(known, ENGLISH))


def current():
    return _current.get()


def translate(text, **values):
    """:param values: for the text's placeholders
    :return: a text in the language chosen
    """
    found = CATALOGS.get(current(), {}).get(text, text)
    return found.format(**values) if values else found
