"""The records the stand-in keeps. Amounts are Decimal, times are unix seconds."""
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass
class User:
    id: str
    email: str
    password: str
    created: float = 0
    admin: bool = False


@dataclass
class ApiKey:
    key: str
    user_id: str
    label: str
    #: 'policy' (all stores of the user) or 'policy:storeId'
    permissions: list
    created: float = 0


@dataclass
class Store:
    id: str
    name: str
    owner_id: str
    #: everything else the API shows of a store, under the API's own names
    settings: dict
    #: {payment method id: enabled}, in the order the server lists them
    methods: dict = field(default_factory=dict)
    #: its own rates by pair and the script they are from; None where the server's are used
    rates: dict = None
    rate_script: str = None
    #: its records can still be read by an administrator
    deleted: bool = False


@dataclass
class Payment:
    #: as in the API: 'txid-output' on the chain, the payment hash over Lightning
    id: str
    method_id: str
    value: Decimal
    #: network fee the customer had to add for this payment
    fee: Decimal
    received: float
    destination: str
    #: 'Processing', 'Settled' or 'Invalid' (replaced by another transaction)
    status: str = 'Processing'
    txid: str = None
    replaceable: bool = False
    #: units of the invoice's currency for one unit of the payment's
    rate: Decimal = Decimal(1)

    @property
    def accounted(self):
        return self.status != 'Invalid'


@dataclass
class PaymentMethodState:
    """One way to pay one invoice ("prompt" in the server's own words)."""

    id: str
    rate: Decimal
    activated: bool = True
    #: address or BOLT11; None for LNURL and for a method not activated
    destination: str = None
    #: network fee of the next payment
    fee: Decimal = Decimal(0)
    #: fee rate, key path, payment hash, preimage … for additionalData
    details: dict = field(default_factory=dict)


@dataclass
class Invoice:
    id: str
    store_id: str
    currency: str
    amount: Decimal
    #: 'Standard' or 'TopUp'
    type: str
    created: float
    expiration: float
    monitoring_expiration: float
    metadata: dict
    #: as in the API: speedPolicy, redirectURL, paymentTolerance, …
    checkout: dict
    receipt: dict
    #: {method id: PaymentMethodState}
    methods: dict = field(default_factory=dict)
    #: rates of the moment of creation, {'BTC_USD': Decimal}
    rates: dict = field(default_factory=dict)
    payments: list = field(default_factory=list)
    status: str = 'New'
    additional_status: str = 'None'
    archived: bool = False
    #: pull payment ids of its refunds
    refunds: list = field(default_factory=list)
    #: what else the merchant finds it by
    search_terms: list = field(default_factory=list)
    #: creation order, for sorting what was created in the same second
    number: int = 0

    @property
    def order_id(self):
        order_id = self.metadata.get('orderId')
        return None if order_id is None else str(order_id)


@dataclass
class Webhook:
    id: str
    store_id: str
    url: str
    secret: str
    enabled: bool = True
    automatic_redelivery: bool = True
    everything: bool = True
    specific_events: list = field(default_factory=list)


@dataclass
class Delivery:
    id: str
    webhook_id: str
    store_id: str
    original_id: str
    #: the event's body without the fields of the delivery
    event: dict
    #: raw body as sent
    body: bytes
    #: when it was put in the queue, and when it was sent
    timestamp: float
    delivery_time: float = None
    #: 'Failed', 'HttpError', 'HttpSuccess'; None while it waits
    status: str = None
    http_code: int = None
    error_message: str = None
    #: whether a call asked for it: such a delivery carries the call's trace
    traced: bool = False
    number: int = 0
    #: W3C trace context it is sent with
    trace: str = None


@dataclass
class PullPayment:
    id: str
    store_id: str
    name: str
    description: str
    currency: str
    amount: Decimal
    starts: float
    expires: float = None
    auto_approve: bool = False
    archived: bool = False
    bolt11_expiration: int = 30
    #: payout methods a claim may use
    methods: list = field(default_factory=list)
    #: the refunded invoice, None for other pull payments
    invoice_id: str = None
    number: int = 0


@dataclass
class Payout:
    id: str
    store_id: str
    pull_payment_id: str
    destination: str
    method_id: str
    #: as claimed, in the pull payment's currency
    original_amount: Decimal
    original_currency: str
    date: float
    #: in BTC, set on approval
    amount: Decimal = None
    state: str = 'AwaitingApproval'
    revision: int = 0
    proof: dict = None
    metadata: dict = field(default_factory=dict)
    number: int = 0
