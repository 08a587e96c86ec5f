"""BTCPay Server's Greenfield API in plain Python: a client, its objects, and its errors.

    client = Client(HttpTransport('https://btcpay.example.com', api_key))
    draft = InvoiceDraft(amount=Decimal('100.00'), currency='EUR', order_id='S00042')
    print(client.create_invoice(store_id, draft).checkout_link)

It needs `requests` alone, and nothing of the module that it is a part of.
"""
from .client import Client, Transport
from .errors import (
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
from .http import Answer, HttpTransport, Session, make_headers, make_url, parse_answer
from .invoice import Invoice, InvoiceDraft, InvoicePaymentMethod, Payment
from .language import match_language
from .methods import (
    find_missing_methods,
    find_unsupported_methods,
    is_lightning,
    list_known_methods,
    name_method,
    to_payout_methods,
)
from .money import Money, count_decimals, format_amount, format_crypto, parse_decimal, round_amount
from .reader import Listing
from .redact import find_secrets, redact_call, redact_event, redact_parameters, redact_words
from .refund import Payout, PullPayment, RefundDraft, RefundPreview
from .signature import is_signed, sign
from .store import ApiKey, Permission, Rate, ServerInfo, Store, StorePaymentMethod
from .text import clean, first_line, is_api_id, is_web_link, make_storable, mask_pull_payment
from .times import parse_timestamp
from .webhook import Delivery, Webhook, WebhookDraft, WebhookEvent
