"""What of a call may be kept and shown to others: what is known to be harmless, and nothing else.

Keys, secrets and the ids of pull payments are as good as money; what stands of a customer in an
invoice is nobody's business. So it is listed what is shown, by where it stands, and not what is
hidden: what a new version or a plugin of the server adds is hidden until it is listed.
"""
import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from .http import Params
from .text import clean, make_storable, mask_pull_payment

#: What stands in place of what is not shown.
HIDDEN = '[REDACTED]'
#: Characters of a body that are kept; bytes that are looked at.
MAX_BODY = 8 * 1024
MAX_READ = 1024 * 1024
#: Items of a list, fields of an object and characters of a text that are shown.
MAX_ITEMS, MAX_FIELDS, MAX_TEXT = 20, 60, 500

# What is shown of a value: it as it is, the server's own words, or no more than the host of a link.
AS_IS, WORDS, HOST = 'as it is', 'words', 'host'
Shape = dict[str, object]


def _all(names: str, **others: object) -> Shape:
    return {**dict.fromkeys(names.split(), AS_IS), **others}


_ORDER = _all('orderId')
_CHECKOUT = _all(
    'speedPolicy paymentMethods defaultPaymentMethod expirationMinutes monitoringMinutes'
    ' paymentTolerance redirectAutomatically defaultLanguage lazyPaymentMethods',
    redirectURL=HOST,
)
_INVOICE = _all(
    'id storeId type amount currency paidAmount status additionalStatus createdTime expirationTime'
    ' monitoringExpiration availableStatusesForManualMarking archived',
    metadata=_ORDER, checkout=_CHECKOUT, receipt=_all('enabled showQR showPayments'),
    checkoutLink=HOST,
)
_PAYMENT = _all('id receivedDate value fee status')
_INVOICE_METHOD = _all(
    'paymentMethodId currency activated rate paymentMethodPaid totalPaid due amount'
    ' paymentMethodFee networkFee', payments=_PAYMENT,
)
# Neither its id nor its link: whoever has one of them can claim the money.
_PULL_PAYMENT = _all('currency amount archived autoApproveClaims BOLT11Expiration startsAt')
_REFUND = _all(
    'refundVariant customAmount customCurrency subtractPercentage payoutMethods payoutMethodId'
)
_PREVIEW = _all(
    'paymentCurrency paymentAmountThen paymentAmountNow paymentCurrencyDivisibility'
    ' overpaidPaymentAmount invoiceAmount invoiceCurrency invoiceCurrencyDivisibility'
)
# Where it is paid out to is the customer's.
_PAYOUT = _all(
    'id date payoutMethodId originalAmount originalCurrency payoutAmount payoutCurrency state'
    ' revision', paymentProof=_all('proofType id'),
)
_WEBHOOK = _all(
    'id enabled automaticRedelivery', url=HOST,
    authorizedEvents=_all('everything specificEvents'),
)
_DELIVERY = _all('id timestamp deliveryTime httpCode status', errorMessage=WORDS)
_EVENT = _all(
    'deliveryId webhookId originalDeliveryId isRedelivery type timestamp storeId invoiceId payoutId'
    ' payoutState manuallyMarked overPaid partiallyPaid afterExpiration paymentMethodId',
    metadata=_ORDER, payment=_PAYMENT,
)
_STORE = _all(
    'id archived defaultCurrency speedPolicy paymentTolerance invoiceExpiration'
    ' monitoringExpiration networkFeeMode'
)
_ERROR = _all('code missingPermission path', message=WORDS)

#: Of which path what is shown of what is sent, and of what is answered.
_SHAPES: tuple[tuple[str, Shape, Shape], ...] = (
    (r'/health', {}, _all('synchronized')),
    (r'/server/info', {}, _all('version fullySynched supportedPaymentMethods')),
    (r'/misc/lang', {}, _all('code')),
    (r'/api-keys/current', {}, _all('permissions')),
    (r'/stores(/{})?', {}, _STORE),
    (r'/stores/{}/payment-methods', {}, _all('paymentMethodId enabled')),
    (r'/stores/{}/rates', {}, _all('currencyPair rate', errors=WORDS)),
    (r'/stores/{}/invoices(/{})?', _INVOICE, _INVOICE),
    (r'/stores/{}/invoices/{}/payment-methods', {}, _INVOICE_METHOD),
    (r'/stores/{}/invoices/{}/status', _all('status'), _INVOICE),
    (r'/stores/{}/invoices/{}/refund', _REFUND, _PULL_PAYMENT),
    (r'/stores/{}/invoices/{}/refund/{}', {}, _PREVIEW),
    (r'(/stores/{})?/pull-payments(/{})?', {}, _PULL_PAYMENT),
    (r'(/stores/{}|/pull-payments/{})/payouts', {}, _PAYOUT),
    (r'/stores/{}/webhooks(/{})?', _WEBHOOK, _WEBHOOK),
    (r'/stores/{}/webhooks/{}/deliveries', {}, _DELIVERY),
    (r'/stores/{}/webhooks/{}/deliveries/{}/request', {}, _EVENT),
    (r'/stores/{}/webhooks/{}/deliveries/{}/redeliver', {}, {}),
)
_PATTERNS = tuple(
    (re.compile(path.replace('{}', '[^/]+')), sent, answered) for path, sent, answered in _SHAPES
)
#: The parameters of a path that are shown.
_PARAMETERS = {
    'orderId', 'take', 'count', 'currencyPair', 'onlyEnabled', 'onlyAccountedPayments',
    'includeArchived', 'includeCancelled',
}

# What can be of any length is looked for only where it may begin: else each character is a
# beginning, and a text of many that come to nothing takes seconds.
_LINK = re.compile(
    r'(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s/?#"\'<>@]*@?[^\s/?#"\'<>]*[^\s"\'<>]*', re.I
)
_TELLING = (
    # An e-mail address, or who logs in by a link.
    re.compile(r'(?<![^\s@"\'<>(])[^\s@"\'<>(]+@[^\s@"\'<>]+'),
    re.compile(r'(?<=\btoken )\S+|(?<=\bbearer )\S+|(?<=\bbasic )\S+', re.I),
    re.compile(r'\b[0-9a-f]{40}\b', re.I),  # An API key. Transactions have 64.
    re.compile(r'\b\d{1,3}(?:\.\d{1,3}){3}\b'),
    re.compile(r'\+?\d[\d ()/-]{7,}\d'),  # A telephone number, and what looks like one.
)
#: What no word of the API, id or amount has in it, nor is.
_ODD = re.compile(r'[^\w .:,/+-]|^[0-9a-f]{40}$', re.I)
_TITLE = re.compile(rb'<title[^>]*>([^<]{1,200})', re.I)


def redact_call(
    path: str, sent: object, status: int | None, answer: bytes, secrets: Collection[str] = (),
) -> tuple[str, str]:
    """Return what may be kept of what was sent with a call, and of its answer.

    :param str path: the path as in the API's documentation
    :param sent: what was sent as JSON; None for nothing
    :param int|None status: the HTTP status of the answer
    :param bytes answer: its body
    :param Collection[str] secrets: what must not be shown wherever it stands
    """
    shapes = next((found for found in _PATTERNS if found[0].fullmatch(path)), None)
    shown_sent, shown_answer = shapes[1:] if shapes else ({}, {})
    if status is None or not 200 <= status < 300:
        shown_answer = _ERROR
    secrets = {*secrets, *find_secrets(path, sent)}
    return (
        '' if sent is None else _write(sent, shown_sent, secrets),
        redact_body(answer, shown_answer, secrets),
    )


def find_secrets(path: str, sent: object) -> list[str]:
    """Return what a call itself has that the server's words must not repeat: the id of a pull
    payment, and the secret of a webhook."""
    secret = sent.get('secret') if isinstance(sent, Mapping) else None
    return [
        *re.findall(r'/pull-payments/([^/]+)', path),
        *([secret] if isinstance(secret, str) and secret else []),
    ]


def redact_event(body: bytes, secrets: Collection[str] = ()) -> str:
    """Return what may be kept of the body of a webhook's delivery, whoever sent it."""
    return redact_body(body, _EVENT, secrets)


def redact_body(body: bytes, shape: Shape, secrets: Collection[str] = ()) -> str:
    """Return what may be kept of a body; of one that is no JSON how long it is, and its title."""
    if not body:
        return ''
    if len(body) <= MAX_READ:
        with suppress(ValueError, RecursionError):
            return _write(json.loads(body), shape, secrets)
    title = _TITLE.search(body[:4096])
    words = redact_words(title[1].decode(errors='replace'), secrets) if title else ''
    what = 'too long' if len(body) > MAX_READ else 'not JSON'
    return f'({what}: {len(body)} bytes{f", “{words}”" if words else ""})'


def redact_parameters(params: Params | None) -> str:
    """Return what may be kept of a query, as it stands behind the path."""
    pairs = params.items() if isinstance(params, Mapping) else params or ()
    return '&'.join(
        f'{name}={_show(str(value), AS_IS if name in _PARAMETERS else None, ())}'
        for name, value in pairs
    )[:4 * MAX_TEXT]


def redact_words(text: str, secrets: Collection[str] = ()) -> str:
    """Return a text of the server's, on one line, without what is secret or about a person."""
    words = ' '.join(_hide(clean(text), secrets).split())
    words = _LINK.sub(lambda match: f'{_get_origin(match[0])}/…', mask_pull_payment(words))
    for pattern in _TELLING:
        words = pattern.sub(HIDDEN, words)
    return words[:MAX_TEXT]


def _write(value: object, shape: Shape, secrets: Collection[str]) -> str:
    text = json.dumps(_show(value, shape, secrets), indent=2, ensure_ascii=False, default=str)
    text = make_storable(_hide(text, secrets))
    return text if len(text) <= MAX_BODY else f'{text[:MAX_BODY]}\n(… {len(text)} characters)'


def _show(value: object, shape: object, secrets: Collection[str]) -> object:
    """Return a value with what is shown of it. Of what is listed, lists are of the same kind."""
    if isinstance(value, list):
        items = [_show(item, shape, secrets) for item in value[:MAX_ITEMS]]
        left = len(value) - MAX_ITEMS
        return [*items, f'(… {left} more)'] if left > 0 else items
    if isinstance(value, dict):
        if not isinstance(shape, dict):
            return HIDDEN
        return {
            _show_name(name, shape): _show(item, shape.get(name), secrets)
            for name, item in list(value.items())[:MAX_FIELDS]
        }
    if value is None or isinstance(value, bool):
        return value
    if shape == AS_IS and not (isinstance(value, str) and _ODD.search(value)):
        if isinstance(value, str) and len(value) > MAX_TEXT:
            return f'{value[:MAX_TEXT]}…'
        return value
    if isinstance(value, str) and shape in (AS_IS, WORDS):
        return redact_words(value, secrets)
    if isinstance(value, str) and shape == HOST:
        return f'{_get_origin(value)}/…'
    return HIDDEN


def _show_name(name: str, shape: Shape) -> str:
    """Return the name of a field, unless it may be anything else, such as a key or a person."""
    return name if name in shape or re.fullmatch(r'[A-Za-z]{1,30}', name) else HIDDEN


def _get_origin(link: str) -> str:
    try:
        parts = urlsplit(link)
        port = f':{parts.port}' if parts.port else ''
    except ValueError:
        return HIDDEN
    return f'{parts.scheme}://{parts.hostname}{port}' if parts.hostname else HIDDEN


def _hide(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text
