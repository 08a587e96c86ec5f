"""Whatever can come from outside, for tests that try it.

The inputs are the same each time; `FUZZ=20` tries twenty times as many, others each time.
"""
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get('FUZZ', '1'))


def fuzz(examples, **strategies):
    """Have a test called with that many values of some strategies."""
    def decorate(test):
        return settings(
            max_examples=examples * TIMES, derandomize=TIMES == 1, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        )(given(**strategies)(test))
    return decorate


#: all of Unicode, with NUL, halves of characters and what begins a line
TEXT = st.one_of(
    st.text(st.characters(), max_size=40),
    st.sampled_from(('a\nb', 'a\r\nb', 'a\x1b[2Jb', 'a\u2028b', 'a\u202eb', 'a\0b', 'a\ud800b')),
    st.sampled_from((
        '\0', '\ud800', '\udfff\0', '../..', 'x' * 5000,
        '1e999', 'NaN', '-0', '0E-999999', '9' * 90, '<b>x</b>', '%s %(a)s {0}', 'javascript:x()',
        'https://a.example/\0', 'https://a.example/\nb', '2030-02-31', '-1', 'true',
    )))
SCALAR = st.one_of(
    st.none(), st.booleans(), TEXT, st.integers(), st.floats(),
    st.sampled_from((2 ** 31, 2 ** 63, 10 ** 30, -1, 0)),
)
ANYTHING = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
