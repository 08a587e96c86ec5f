"""Compares headers: of answers, and of webhook deliveries."""
import re

#: headers of an answer that the recorder left out: they are the web server's, not the API's
TRANSPORT = {'connection', 'content-length', 'date', 'server', 'transfer-encoding'}
TRACE = re.compile(r'00-[0-9a-f]{32}-[0-9a-f]{16}-00')
SIGNATURE = re.compile(r'sha256=[0-9a-f]{64}')
COMMIT = re.compile(r'\+[0-9a-f]{40}$')


def _lower(headers, without=()):
    return {name.lower(): value for name, value in headers.items() if name.lower() not in without}


def answer_headers(comparison, where, recorded, actual):
    """Note what differs in the headers of an answer; all that are no transport's count."""
    recorded, actual = _lower(recorded, TRANSPORT), _lower(actual, TRANSPORT)
    for name in sorted({*recorded, *actual}):
        one, other = recorded.get(name), actual.get(name)
        if one is not None:
            one = comparison.translate(one)
        if one != other:
            comparison.differ(f'{where} {name}', one, other)


def page_headers(comparison, where, recorded, actual):
    """The pages are the stand-in's own; what kind of document it is must agree."""
    one, other = (
        headers.get('Content-Type', '').partition(';')[0] for headers in (recorded, actual))
    if one != other:
        comparison.differ(f'{where} Content-Type', one, other)


def delivery_headers(comparison, where, recorded, hook):
    """Note what differs in the headers of a webhook delivery.

    :param dict recorded: headers of the recorded one
    :param Hook hook: what was received of the stand-in
    """
    recorded, actual = _lower(recorded), _lower(hook.headers)
    if set(recorded) != set(actual):
        comparison.differ(f'{where} headers', sorted(recorded), sorted(actual))
    if actual.get('content-length') != str(len(hook.raw)):
        comparison.differ(f'{where} Content-Length', len(hook.raw), actual.get('content-length'))
    for name, form in (('btcpay-sig', SIGNATURE), ('traceparent', TRACE)):
        for value in (recorded.get(name), actual.get(name)):
            if value is not None and not form.fullmatch(value):
                comparison.differ(f'{where} {name}', form.pattern, value)
    for name in ('content-type', 'host', 'user-agent'):
        one = comparison.translate(recorded.get(name))
        other = actual.get(name)
        if name == 'user-agent' and other and one:
            other = comparison.build(one, other)
        if one != other:
            comparison.differ(f'{where} {name}', one, other)
