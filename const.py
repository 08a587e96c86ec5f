from odoo.addons.payment.const import SENSITIVE_KEYS as PAYMENT_SENSITIVE_KEYS

# Keys of payloads and answers that must never reach a log.
SENSITIVE_KEYS = {
    'apiKey', 'secret', 'btcpay_api_key', 'btcpay_webhook_secret', 'pullPaymentId', 'viewLink',
}
PAYMENT_SENSITIVE_KEYS.update(SENSITIVE_KEYS)

# The columns that have what must never reach a log, not even in a statement that fails.
SECRET_COLUMNS = (
    'api_key', 'webhook_secret', 'unused_keys', 'pull_payment', 'btcpay_refund_link',
)

# The codes of the payment methods to activate when BTCPay is activated.
DEFAULT_PAYMENT_METHOD_CODES = {'btcpay'}

# What a person decides of a payment, the foremost first.
DECISIONS = [
    ('late', "Paid late"),
    ('partial', "Partly paid"),
    ('invalid', "Not confirmed in time"),
    ('canceled', "Paid though canceled"),
    ('double', "Paid twice"),
    ('overpaid', "Overpaid"),
    ('changed', "Changed since"),
    ('unconfirmed', "Paid, not confirmed"),
    ('claimed', "Refund claimed"),
    ('other', "Other"),
]

# The share of what an invoice asks for up to which a payment is dust: nobody waits until it is
# confirmed, and nobody is mailed of it.
DUST_SHARE = 0.01

# How long the server is asked what became of a payment of which something is to be decided.
DECISION_DAYS = 30

# Who may refund, and so see where a refund is claimed.
REFUND_GROUPS = 'account.group_account_invoice,payment_btcpay.group_refund,base.group_system'

# The framework's own fields of a transaction that say where money is: of ours nobody but our code
# sets them.
PROTECTED_TRANSACTION_FIELDS = {
    'amount', 'currency_id', 'operation', 'provider_id', 'provider_reference',
    'source_transaction_id', 'state',
}

# The permissions asked of the server, in the order of BTCPay Server's guide for e-commerce plugins.
# See https://docs.btcpayserver.org/Development/GreenFieldExample/
PERMISSIONS = (
    'btcpay.store.canviewinvoices',
    'btcpay.store.cancreateinvoice',
    'btcpay.store.canmodifyinvoices',
    'btcpay.store.webhooks.canmodifywebhooks',
    'btcpay.store.canviewstoresettings',
    'btcpay.store.cancreatenonapprovedpullpayments',
)

# Which of them is needed only where the webhook is ours to make.
WEBHOOK_PERMISSION = 'btcpay.store.webhooks.canmodifywebhooks'

# Each of them lets a key archive pull payments: “Connect” asks for none, but keys may have more.
ARCHIVE_PERMISSIONS = (
    'btcpay.store.canarchivepullpayments',
    'btcpay.store.canmanagepullpayments',
    'btcpay.store.canmodifystoresettings',
)

# Days in which key and webhook of a store that was connected before are tried to be removed.
EARLIER_STORE_DAYS = 7
# Minutes that it is kept at least: payments that were just begun are stored by then.
EARLIER_STORE_MINUTES = 10

# Seconds to wait for the server: in all for one call, and where it waits for our answer.
TIMEOUT = 15
SHORT_TIMEOUT = 5
# Seconds that a delivery waits for its turn, while another one asks the server.
TURN_SECONDS = 0.5
# And where a customer looks at a button that they clicked: within 10 they are told.
CHECKOUT_TIMEOUT = 8
# How long a server takes that is well; after which others are not to wait for it along with one.
HANG_SECONDS = 3
# After these, who asked for an invoice has an answer or gave it up, however slow all was.
ANSWER_SECONDS = 4 * TIMEOUT
# Seconds to wait for a transaction that somebody else is working on, e.g. confirming its order.
LOCK_TIMEOUT = 5
# How often a sync is done again when somebody else's came in between.
MAX_SYNC_ATTEMPTS = 4
# Seconds within which pages that anybody may open do not ask the server again: once it has
# answered, and while it has not.
SYNC_INTERVAL = 2
ANSWER_INTERVAL = 2 * SHORT_TIMEOUT
# The largest event accepted by the webhook, in bytes. Real ones have less than 2 KiB, but that each
# repeats the lines that the shop shares: so many, and of each so many characters.
MAX_WEBHOOK_SIZE = 64 * 1024
MAX_SHARED_LINES = 100
MAX_SHARED_NAME = 100
# The largest form, and the key of the authorize page in it, in bytes.
MAX_FORM_SIZE = 8 * 1024

# The status of an invoice and the state of its transaction that wait for nothing but news.
UNEVENTFUL_STATES = {('New', 'draft'), ('Expired', 'cancel'), ('Settled', 'done')}
# The events from which nothing follows for an invoice that Odoo knows.
UNINTERESTING_EVENTS = {'InvoiceCreated'}
# The event of each payment that is confirmed.
MONEY_EVENT = 'InvoicePaymentSettled'
# The events that tell of nothing but a status, unless more was paid; by what it is known already.
STATUS_EVENTS = {
    'InvoiceProcessing': {('Processing', 'pending'), ('Settled', 'done')},
    'InvoiceSettled': {('Settled', 'done')},
}
# Minutes to wait before each new try to process a delivery; then it is flagged for review.
DELIVERY_WAITS = (1, 2, 5, 10, 30, 60, 180, 360, 720, 1440)
# Minutes that Odoo itself has to confirm what is paid, then
# to wait before each new try; and before a partly paid quotation is checked again.
CONFIRM_WAITS = (3, 10, 60, 360, 1440)
PARTLY_PAID_WAIT = 60

# How many deliveries are removed at once when they are old.
REMOVAL_SIZE = 5000

# Seconds that a delivery belongs to the request that brought it, then to the scheduled action.
DELIVERY_GRACE = 30

# The polling interval of open invoices in minutes: where there is a webhook, and the default where
# there is none; and that of expired and failed ones.
POLL_MINUTES = 5
SLOW_POLL_MINUTES = 60
# Days in which an unclaimed refund is polled as often as an open invoice; then less often.
REFUND_YOUNG_DAYS = 7
# After these, a claim that was approved and is not paid out is stuck.
PAYOUT_STUCK_DAYS = 3
# Hours in which an invoice is searched for whose making was never answered; the field of its
# metadata by which it is known.
UNANSWERED_HOURS = 24
TOKEN_KEY = 'odooTransaction'  # noqa: S105 (the name of a field)
# How many deliveries of the webhook are looked at, and of how many it is asked which event it was.
DELIVERIES_SIZE = 50
UNDELIVERED_SIZE = 20
# The oldest version of BTCPay Server whose API is as it has to be: what was paid of an invoice is
# told since 2.1.2, what a refund comes to since 2.2.
MIN_VERSION = (2, 2)
# How many invoices are asked for with one call, and how many the server may answer: what was made
# by hand at the server may have the same order id.
LIST_SIZE = 50
LIST_TAKE = 200
# How many payments are read from the database at once, and stored at once where nothing is new.
BATCH_SIZE = 5 * LIST_SIZE
# The server's answers repeat references, which are not read of any length.
MAX_REFERENCE_LENGTH = 1000
# References that are longer are not asked for together: the address of the call has its limits.
LIST_REFERENCE_LENGTH = 100
# Seconds that the sync of one batch may take; the rest waits for the next run.
LIST_SECONDS = 30
# How many transactions in a row may fail before it is taken to be the server.
MAX_FAILURES = 3
# Minutes to wait before each new try to ask a server that does not answer.
RETRY_WAITS = (1, 1, 2, 4, 8, 16, 32, 60)
# Minutes after which the connection and the webhook are checked again.
CHECK_MINUTES = 60

# Minutes after which the store is read again, and for how many currencies rates are asked with one
# call.
STORE_MINUTES = 24 * 60
RATES_SIZE = 100

# The shortest webhook secret that is taken where it is typed.
MIN_SECRET_LENGTH = 16

# Hours in which the previous webhook secret is still good after it was renewed.
OLD_SECRET_VALIDITY = 2

# Days after which debug mode switches itself off; how many entries of each kind its log takes of a
# provider within a day, whoever causes them, and how many are removed at once.
DEBUG_DAYS = 7
LOG_LIMITS = {'call': 5000, 'delivery': 5000, 'refused': 100}
LOG_BATCH = 5000
# What is kept longer is kept for ever: times have an end.
MAX_LOG_DAYS = 36500
# How many of them, the newest, are exported at once.
LOG_EXPORT_SIZE = 1000

# Minutes an administrator has to approve the connection on the server's authorize page.
AUTHORIZATION_VALIDITY = 30

# How many keys of one authorization are kept that nobody uses, until they are revoked.
MAX_UNUSED_KEYS = 3

# The events without which the server does not report payments.
WEBHOOK_EVENTS = (
    'InvoiceReceivedPayment', 'InvoiceProcessing', 'InvoicePaymentSettled', 'InvoiceSettled',
    'InvoiceExpired', 'InvoiceInvalid',
)

# The routes of the controllers; models need them to build addresses. Other modules are at
# /payment/btcpay/return.
CALLBACK_ROUTE = '/payment/btcpay/callback'
CONNECT_ROUTE = '/payment/btcpay/connect'
PAY_AGAIN_ROUTE = '/payment/btcpay/again'
PAY_REST_ROUTE = '/payment/btcpay/rest'
REOPEN_ROUTE = '/payment/btcpay/reopen'
RETURN_ROUTE = '/payment/btcpay/back'
WEBHOOK_ROUTE = '/payment/btcpay/webhook'

# The decimals to which servers were seen to round the amounts of invoices, where currencies have
# more in Odoo. It differs between servers, and no call tells it: this is a hint for administrators
# alone. What an invoice asks for is what the server answers.
ROUNDED_CURRENCIES = dict.fromkeys(
    'AFN ALL ARS CLP COP IQD IRR ISK JPY KRW LAK LBP MMK RSD SOS SYP VND XOF YER'.split(), 0
)

# The settings that are numbers: the lowest, the highest, and the decimals they may have.
NUMBER_SETTINGS = {
    'btcpay_expiration_minutes': (1, 24 * 24 * 60, 0),
    'btcpay_monitoring_minutes': (1, 24 * 24 * 60, 0),
    'btcpay_tolerance': (0, 100, 2),
}
# What stands for something in the description on the invoice.
DESCRIPTION_WORDS = ('{documents}', '{reference}', '{company}')

# How the server calls currencies whose code is too long for Odoo.
SERVER_CURRENCIES = {'SAT': 'SATS'}
# What a currency of Odoo is made of that the module brings.
CRYPTO_CURRENCIES = {
    'BTC': {'full_name': "Bitcoin", 'symbol': '₿', 'rounding': 1e-8},
    'SAT': {'full_name': "Satoshi", 'symbol': 'sat', 'rounding': 1},
}
