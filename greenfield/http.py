"""HTTP that is over in time, goes nowhere else, and reads no more than it should."""
import json as jsonlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3.exceptions

from .deadline import DeadlineAdapter
from .errors import (
    CERTIFICATE,
    CONNECTION,
    NO_SOCKS,
    TIMEOUT,
    TLS,
    Forbidden,
    GreenfieldError,
    Moved,
    NotFound,
    NotUnderstood,
    Refused,
    ServerFault,
    Unauthorized,
    Unreachable,
)
from .text import MAX_REASON, first_line, sum_up_log

#: The largest answer that is read, in bytes.
MAX_SIZE = 8 * 1024 * 1024
_CHUNK = 64 * 1024
#: What proxies, firewalls and tunnels answer in their own words where the server would in JSON, or
#: with nothing: while it is down, or because they let nobody through.
_NOT_OF_SERVER = (400, 401, 403, 404, 405)

Params = Mapping[str, object] | Sequence[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end and not decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def hide(self, secrets: Sequence[str]) -> 'Answer':
        """Return the answer without secrets, if it is a refusal: its words are repeated to people.

        :param Sequence[str] secrets: what the call was made with
        """
        body = self.body
        if self.status >= 300:
            for secret in secrets:
                body = body.replace(secret.encode(), '…'.encode())
        return replace(self, body=body)


class _Requests(requests.Session):

    def resolve_redirects(self, *args: object, **kwargs: object) -> Iterator[requests.Response]:
        """Override to not even look where a redirection leads: it can be anything."""
        return iter(())


class Session:
    """A connection that is kept for several calls. Use it in a `with` statement, or close it.

    :param str proxy: the SOCKS proxy that all of it goes through, e.g. `socks5h://127.0.0.1:9050`;
        that needs PySocks
    """

    def __init__(self, proxy: str = '') -> None:
        self._requests = _Requests()
        # Given with each call: else those of the environment come first.
        self._proxies = {'http': proxy, 'https': proxy} if proxy else None
        self._requests.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # What there is for the host in a .netrc file would take the place of the key.
        self._requests.auth = lambda request: request
        for scheme in ('http://', 'https://'):
            self._requests.mount(scheme, DeadlineAdapter())

    def __enter__(self) -> 'Session':
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._requests.close()

    def send(
        self, method: str, url: str, *, timeout: float, headers: Mapping[str, str] | None = None,
        params: Params | None = None, json: object = None,
    ) -> Answer:
        """Send a request. Redirections are not followed.

        :param str method: the HTTP method
        :param str url: the address
        :param float timeout: the seconds to wait for a connection, then for the whole answer
        :param Mapping headers: the headers, see `make_headers`
        :param params: the query: a mapping, or pairs where names are repeated
        :param json: what is sent as JSON
        :raise Unreachable: if there is no complete answer in time
        :raise NotUnderstood: if it is too large
        """
        try:
            response = self._requests.request(
                method, url, timeout=timeout, allow_redirects=False, stream=True, json=json,
                # Any sequence of pairs will do, whatever the stubs say.
                params=params,  # type: ignore[arg-type]
                proxies=self._proxies,
                # The size that is read is the size there is: nothing can be inflated.
                headers={**(headers or {}), 'Accept-Encoding': 'identity'},
            )
        except requests.exceptions.RequestException as error:
            # What it says is not repeated by whoever shows this one: it has the path.
            raise Unreachable(type(error).__name__, _get_kind(error)) from None
        try:
            body = bytearray()
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                body += chunk
                if len(body) > MAX_SIZE:
                    raise NotUnderstood('answer', 'The answer is too large')
            if response.raw.length_remaining:  # urllib3 itself says so from version 2 on.
                raise Unreachable('The answer is not whole')
        except urllib3.exceptions.ReadTimeoutError:
            raise Unreachable('The answer does not come to its end', TIMEOUT) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(type(error).__name__) from None
        else:
            response.raw.release_conn()  # It is kept for the next call.
        finally:
            response.close()
        return Answer(response.status_code, response.headers, bytes(body))


def _get_kind(error: requests.exceptions.RequestException) -> str:
    if isinstance(error, requests.exceptions.InvalidSchema) and 'SOCKS' in str(error):
        return NO_SOCKS
    if isinstance(error, requests.exceptions.SSLError):
        # Wrapped several times; OpenSSL's name for it is in all of them.
        return CERTIFICATE if 'CERTIFICATE_VERIFY_FAILED' in str(error) else TLS
    return TIMEOUT if isinstance(error, requests.exceptions.Timeout) else CONNECTION


def make_url(server_url: str, path: str) -> str:
    """Return the address of an endpoint.

    :param str server_url: the server's address, which may have a path
    :param str path: the path as in the API's documentation, without `/api/v1`
    """
    prefix = '' if path.startswith('/misc/') else '/api/v1'
    return f'{server_url.rstrip("/")}{prefix}/{path.strip("/")}'


def make_headers(api_key: str = '', user_agent: str = '') -> dict[str, str]:
    """Return the headers of a call; without a key it is one of anybody's.

    :raise Unauthorized: if the key is none that could be sent, as one that was copied masked
    """
    headers = {'Accept': 'application/json'}
    if user_agent:
        headers['User-Agent'] = user_agent
    if api_key:
        if not (api_key.isascii() and api_key.isprintable()):
            raise Unauthorized('The API key is none')
        headers['Authorization'] = f'token {api_key}'
    return headers


def parse_answer(answer: Answer) -> object:
    """Turn an answer into what it says.

    :return: the parsed JSON, numbers with a point as `Decimal`; None if the body is empty
    :raise GreenfieldError: if it is a refusal, or cannot be read
    """
    if not 200 <= answer.status < 300:
        raise make_error(answer)
    return _parse_json(answer) if answer.body else None


def _parse_json(answer: Answer) -> object:
    encoding = answer.headers.get('Content-Encoding') or 'identity'
    if encoding.strip().lower() != 'identity':
        raise NotUnderstood('answer', 'The answer is compressed, though that was not asked for')
    try:
        return jsonlib.loads(answer.body, parse_float=Decimal)
    except (ValueError, RecursionError, InvalidOperation):  # The last: of `1e9999999999999999999`.
        raise NotUnderstood('answer', 'The answer is no JSON') from None


def make_error(answer: Answer) -> GreenfieldError:
    """Turn a refusal into the error that it is, with the server's words as far as there are."""
    status, code, reason = answer.status, '', ''
    try:
        content = _parse_json(answer)
    except NotUnderstood:
        if answer.body and status in _NOT_OF_SERVER:
            # The server says no such thing: nobody has refused the key, and nothing is gone.
            raise NotUnderstood('answer', f'HTTP {status} by a page, as of a proxy') from None
        content = None
    fields: list[tuple[str, str]] = []
    data: dict[str, object] = {}
    if isinstance(content, list):  # 422: a list of refused fields.
        code = 'validation'
        fields = [
            (first_line(item.get('path'), 200), first_line(item.get('message')))
            for item in content if isinstance(item, dict)
        ]
        words = (': '.join(filter(None, field)) for field in fields)
        reason = '; '.join(filter(None, words))[:MAX_REASON]
    elif isinstance(content, dict):
        data = content
        code, reason = first_line(data.get('code'), 100), sum_up_log(data.get('message'))
    if status in (408, 429) or status >= 500:
        return ServerFault(reason, status=status, code=code)
    if status == 401:
        return Unauthorized(reason, status=status, code=code)
    if status == 403:
        missing = first_line(data.get('missingPermission'), 200)
        return Forbidden(reason, status=status, code=code, missing_permission=missing)
    if status == 404:
        return NotFound(reason, status=status, code=code)
    if status < 400:
        return Moved(reason, status=status, code=code)
    return Refused(reason, status=status, code=code, fields=fields)


class HttpTransport:
    """What sends the calls of a `Client`, where nothing else does.

    :param str server_url: the server's address
    :param str api_key: the key; empty for what anybody may ask
    :param float timeout: the seconds to wait, see `Session.send`
    """

    def __init__(self, server_url: str, api_key: str = '', timeout: float = 15) -> None:
        self._server_url = server_url
        self._headers = make_headers(api_key)
        self._timeout = timeout
        self._session = Session()

    def __call__(
        self, method: str, path: str, *, params: Params | None = None, json: object = None
    ) -> object:
        """Send a call, see `Transport`."""
        return parse_answer(self._session.send(
            method, make_url(self._server_url, path), timeout=self._timeout,
            headers=self._headers, params=params, json=json,
        ))

    def close(self) -> None:
        """End the connection."""
        self._session.close()
