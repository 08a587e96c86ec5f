"""`doc/SECURITY.rst` says of each route, public method and `sudo` why it is safe."""
import ast

import pytest

from .sources import trees
from .table import FILE, OPEN, TABLES, read, renew

TEXT = FILE.read_text(encoding='utf-8')


@pytest.mark.parametrize('title', TABLES)
def test_tables_are_as_the_source_is(title):
    rows = TABLES[title][0]()
    assert len(rows) > 5
    assert list(read(TEXT, title)) == rows, 'Run `python -m dev.security`, and say why it is safe.'


@pytest.mark.parametrize('title', TABLES)
def test_each_row_says_why(title):
    for row, why in read(TEXT, title).items():
        assert len(why) > 10, row
        assert not why.startswith(OPEN), row


def test_what_is_new_is_asked_for():
    rows = TABLES['Other rights'][0]()
    name, times = rows[0]
    old = f'   {name} | {times} | '
    assert old in TEXT
    lines = TEXT.splitlines(keepends=True)
    missing = ''.join(line for line in lines if not line.startswith(old))
    assert f'{old}{OPEN}\n' in renew(missing)
    changed = TEXT.replace(old, f'   {name} | 99 | ')
    assert f'{old}{OPEN}: ' in renew(changed)
    gone = TEXT.replace(old, f'   models/gone.py: gone | 1 | It was safe.\n{old}')
    assert renew(gone) == TEXT


def test_defaults_that_a_call_brings_are_dropped_before_odoo_itself_acts():
    """Odoo drops them with `sudo`, and not with `with_user`: they would go into what is booked."""
    found = [
        (file, ast.unparse(node.func.value)) for file, tree in trees() for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr == 'with_user' and ast.unparse(node.args[0]) == 'SUPERUSER_ID'
    ]
    assert len(found) > 3
    assert [place for place in found if not place[1].endswith('.sudo()')] == []
