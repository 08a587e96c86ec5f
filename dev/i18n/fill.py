"""Renew i18n/<lang>.po from the template, i18n/payment_btcpay.pot; print as JSON what is missing.

    python -m dev.i18n.fill                       # every language that has a file
    python -m dev.i18n.fill fr [new.json …]       # one language; its file is made if need be

A JSON file holds `{"msgid": "msgstr"}` as printed, and wins over what the file has. What is still
missing is taken from Odoo's own translations of the same text, and said on standard error: see
whether it means the same (“ms” is a title to Odoo, “Call” a telephone call).
"""
import html
import json
import re
import sys
from itertools import chain
from pathlib import Path

import polib

from ..paths import ODOO, ROOT

FOLDER = ROOT / 'i18n'
TEMPLATE = FOLDER / 'payment_btcpay.pot'
# Where Odoo says the same as we do, the nearest to payments first.
NEAREST = (
    'payment', 'account_payment', 'account', 'sale', 'website_sale', 'portal', 'website', 'sms',
    'rating', 'mail', 'web', 'base',
)
EDGES = re.compile(r'^(\s*).*?(\s*)$', re.DOTALL)


def main(arguments):
    if arguments:
        language, *files = arguments
        missing = {language: renew(language, read(files))}
    else:
        missing = {path.stem: renew(path.stem, {}) for path in sorted(FOLDER.glob('*.po'))}
    json.dump(missing, sys.stdout, ensure_ascii=False, indent=1)
    print()
    return 1 if any(missing.values()) else 0


def read(files):
    """Return the translations in JSON files; later files win."""
    return dict(chain.from_iterable(
        json.loads(Path(file).read_text(encoding='utf-8')).items() for file in files
    ))


def renew(language, given):
    """Write the language's file.

    :return: the terms that have no translation, each with an empty one to be filled in
    """
    file = FOLDER / f'{language}.po'
    kept = translations(file) if file.exists() else {}
    known = {normalize(msgid) for msgid in (*given, *kept)}
    odoo = {}
    for module in reversed(NEAREST):
        odoo.update(translations(ODOO / 'odoo' / 'addons' / module / 'i18n' / file.name))
    catalog = fill(polib.pofile(TEMPLATE), given, kept, odoo)
    catalog.metadata.update(header(language))
    catalog.save(file)
    for entry in catalog:
        if entry.msgstr and normalize(entry.msgid) not in known:
            print(f'{language}, from Odoo: {entry.msgid!r}: {entry.msgstr!r}', file=sys.stderr)
    return {entry.msgid: '' for entry in catalog if not entry.msgstr}


def translations(file):
    return {
        entry.msgid: entry.msgstr for entry in polib.pofile(file)
        if entry.msgstr and not entry.fuzzy and not entry.obsolete
    }


def fill(template, *sources):
    """Return the template, which is sorted as Odoo exports, with translations.

    :param sources: `{msgid: msgstr}`, the first that has a text wins; in each the same text goes
        before one that differs in white space and entities only, as after a view is indented anew
    """
    sources = [
        (exact, {normalize(msgid): msgstr for msgid, msgstr in exact.items() if msgstr})
        for exact in sources
    ]
    for entry in template:
        start, end = EDGES.match(entry.msgid).groups()
        for exact, loose in sources:
            entry.msgstr = exact.get(entry.msgid, '')
            if not entry.msgstr and (found := loose.get(normalize(entry.msgid))):
                entry.msgstr = f'{start}{found.strip()}{end}'
            if entry.msgstr:
                break
    return template


def normalize(text):
    return ' '.join(html.unescape(text).split())


def header(language):
    """Return what names the language, and its plural forms as Odoo has them."""
    odoo = polib.pofile(ODOO / 'odoo' / 'addons' / 'payment' / 'i18n' / f'{language}.po').metadata
    return {'Language': language, 'Plural-Forms': odoo['Plural-Forms']}


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
