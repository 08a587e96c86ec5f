"""`doc/SECURITY.rst` says of each route, public method and `sudo` why it is safe."""
import pytest

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
