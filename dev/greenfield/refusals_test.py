"""What the server refuses: of which kind it is, and its words."""
import pytest

from greenfield import (
    Answer,
    Forbidden,
    Moved,
    NotFound,
    NotUnderstood,
    Refused,
    ServerFault,
    Unauthorized,
    http,
    parse_answer,
)


def refused(body, status, **headers):
    """:return: the error of a refusal"""
    with pytest.raises(http.GreenfieldError) as caught:
        parse_answer(Answer(status, headers, body))
    return caught.value


@pytest.mark.parametrize(('status', 'kind', 'is_temporary', 'is_of_server'), [
    (301, Moved, False, False), (304, Moved, False, False),
    (400, Refused, False, False), (401, Unauthorized, False, True),
    (403, Forbidden, False, False), (404, NotFound, False, False),
    (405, Refused, False, False), (408, ServerFault, True, True),
    (413, Refused, False, False), (422, Refused, False, False),
    (429, ServerFault, True, True), (500, ServerFault, True, True),
    (502, ServerFault, True, True), (503, ServerFault, True, True),
])
def test_refusals(status, kind, is_temporary, is_of_server):
    error = refused(b'{"code": "a-code", "message": "Why"}', status)
    assert type(error) is kind
    assert (error.status, error.code, error.reason) == (status, 'a-code', 'Why')
    assert (error.is_temporary, error.is_of_server) == (is_temporary, is_of_server)
    assert str(error) == f'HTTP {status}: a-code: Why'


def test_refused_fields():
    error = refused(
        b'[{"path": "A", "message": "no\\nmore"}, 7, {"path": "B", "message": "never"}, {}]', 422)
    assert error.fields == (('A', 'no'), ('B', 'never'), ('', ''))
    assert error.reason == 'A: no; B: never'
    assert error.code == 'validation'


def test_message_of_many_lines():
    error = refused(b'{"message": "\\n  First line. \\nBTC-CHAIN: No rate\\nStack"}', 400)
    assert error.reason == 'First line.'


def test_strange_refusals():
    for body in (
        b'', b'null', b'7', b'"text"', b'[]', b'[1]', b'{}', b'{"message": null}',
        b'{"message": {"a": 1}, "code": 3}', b'{"message": "  "}',
    ):
        error = refused(body, 400)
        assert (type(error), error.status, error.reason) == (Refused, 400, '')
        assert error.fields == ()
        assert type(refused(body, 403)) is Forbidden


@pytest.mark.parametrize('status', [400, 401, 403, 404, 405])
@pytest.mark.parametrize('body', [
    b'<html><title>Just a moment...</title>', b'404 page not found\n', b'[' * 100_000, b'{"half": ',
])
def test_a_page_of_what_stands_before_the_server_is_not_its_word(status, body):
    error = refused(body, status, **{'Content-Type': 'text/html'})
    assert type(error) is NotUnderstood
    assert (error.is_temporary, error.is_of_server) == (True, True)
    assert str(error) == f'unexpected-answer: HTTP {status} by a page, as of a proxy'


def test_what_is_too_large_for_a_proxy_is_refused():
    error = refused(b'<html>Request Entity Too Large', 413)
    assert (type(error), error.status) == (Refused, 413)


def test_words_are_cleaned():
    error = refused(b'{"code": "a\\u0000b", "message": "half \\ud800 and \\u0000 nothing"}', 400)
    assert (error.code, error.reason) == ('ab', 'half ? and  nothing')
    error = refused(
        b'{"code": "a\\nWARNING b", "missingPermission": "c\\rd", "message": "e\\u001b[2Jf"}', 403)
    assert (error.code, error.missing_permission, error.reason) == ('a', 'c', 'e [2Jf')
    assert refused(b'[{"path": "a\\nb", "message": "c"}]', 422).fields == (('a', 'c'),)
    assert len(refused(b'{"message": "' + b'x' * 10_000 + b'"}', 400).reason) == 500
    many = b'[' + b','.join([b'{"path": "A", "message": "' + b'x' * 90 + b'"}'] * 20) + b']'
    assert len(refused(many, 422).reason) == 500
