"""Texts from outside: cleaned, or found to be of no use."""
import re
from urllib.parse import urlsplit

#: Characters of a text that a person may have typed; what is longer is cut.
MAX_LENGTH = 4096
#: Characters of the server's words that are repeated to people.
MAX_REASON = 500
#: A line of the log that the server answers with: time, kind and message.
_LOG_LINE = re.compile(r'[\d/]+ [\d:]+:(Error|Info|Warning) (.*)')

#: Where a path names a pull payment.
_PULL_PAYMENT = re.compile(r'(/pull-payments/)[^/?\s]+')


def is_api_id(value: object) -> bool:
    """Return whether a value may be used as an id of the API in a path."""
    return isinstance(value, str) and bool(re.fullmatch(r'[A-Za-z0-9_-]{1,64}', value))


def is_web_link(value: object) -> bool:
    """Return whether a value may be used as the address of a page."""
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ('http', 'https') and bool(parts.hostname)
    except ValueError:
        return False


def make_storable(text: str) -> str:
    """Return a text without what databases do not take: half characters and NUL."""
    return text.encode(errors='replace').decode().replace('\0', '')


def clean(value: object, limit: int = MAX_LENGTH) -> str:
    """Return a value as a text that can be stored, cut to a length; empty if it is none."""
    return make_storable(value[:limit]) if isinstance(value, str) else ''


def sum_up_log(value: object) -> str:
    """Return a message of the server's; of a log its first line and what it says of errors, without
    the times, so that the same words mean the same problem."""
    lines = value[:MAX_LENGTH].strip().splitlines() if isinstance(value, str) else []
    errors = (
        match[2] for line in lines[1:] if (match := _LOG_LINE.match(line))
        if match[1] == 'Error' or 'ERR_' in line
    )
    words = ' '.join(line.strip(' =') for line in (*lines[:1], *errors))
    return print_line(clean(words, MAX_REASON))


def first_line(value: object, limit: int = MAX_REASON) -> str:
    """Return the first line of a text: the server's messages can be logs of many."""
    lines = clean(value).strip().splitlines()
    return print_line(lines[0].strip()[:limit] if lines else '')


def print_line(line: str) -> str:
    """Return a text on one line: nothing in it begins another, or steers who looks at it, as what
    turns the direction of writing does."""
    return ''.join(char if char.isprintable() else ' ' for char in line)


def mask_pull_payment(text: str) -> str:
    """Return a path, or a line about one, without the pull payment's id: whoever has it can claim
    the money."""
    return _PULL_PAYMENT.sub(r'\1…', text)
