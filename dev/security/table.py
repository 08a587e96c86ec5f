"""The tables of `doc/SECURITY.rst`: rows of the source, each with why it is safe."""
import re

from ..paths import ROOT
from . import sources

FILE = ROOT / 'doc' / 'SECURITY.rst'
OPEN = 'TODO'
#: each table by its title: what lists it, and the heads of its columns
TABLES = {
    'Routes': (sources.routes, ('Method', 'Route', 'Why it is safe')),
    'Public methods': (sources.public_methods, ('Method', 'Why it is safe')),
    'Other rights': (sources.elevations, ('Function', 'Times', 'Why it is safe')),
}


def _pattern(title):
    return re.compile(
        rf'(\.\. csv-table:: {title}\n(?:   :.*\n)+\n)((?:   .*\n)*)')


def read(text, title):
    """:return: of each row of a table, without its last column, that column"""
    match = _pattern(title).search(text)
    rows = [line.strip().split(' | ') for line in match[2].splitlines()]
    return {tuple(row[:-1]): row[-1] for row in rows}


def renew(text):
    """:return: the text with its tables as the source is; what is new is `TODO`"""
    for title, (list_rows, _heads) in TABLES.items():
        known = read(text, title)
        by_name = {row[0]: why for row, why in known.items()}
        lines = [
            '   ' + ' | '.join((*row, known.get(row) or _ask_again(by_name.get(row[0]))))
            for row in list_rows()]
        text = _pattern(title).sub(
            lambda match, lines=lines: match[1] + ''.join(f'{line}\n' for line in lines), text)
    return text


def _ask_again(why):
    """What was said of fewer uses, or another route, may no longer hold."""
    return f'{OPEN}: {why}' if why else OPEN
