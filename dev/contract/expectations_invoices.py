"""The life of an invoice: what it becomes by payments, blocks, time and the merchant."""
from .match import ADDRESS, BOLT11, HASH, ID, UNIX, Fields, Unordered, below, number, text
from .steps import (
    call,
    expire,
    methods,
    mine,
    new,
    pay,
    rates,
    refused,
    replace,
    see,
    stays,
    step,
    time,
)
from .steps import mark as mark_as
from .story import Story, created, event

BOTH = Unordered(['Settled', 'Invalid'])
SHORT = {'checkout': {'expirationMinutes': 1}}
NOT_MARKABLE = 'Status can only be marked to invalid or settled within certain conditions.'


def received(late=False, method='BTC-CHAIN', status='Processing', **payment):
    return event('InvoiceReceivedPayment', afterExpiration=late, paymentMethodId=method,
                 payment={'receivedDate': UNIX, 'status': status, **payment})


def payment_settled(late=False, method='BTC-CHAIN', **payment):
    return event('InvoicePaymentSettled', afterExpiration=late, paymentMethodId=method,
                 payment={'receivedDate': UNIX, 'status': 'Settled', **payment})


def processing(over=False):
    return event('InvoiceProcessing', overPaid=over)


def settled(over=False, marked=False):
    return event('InvoiceSettled', manuallyMarked=marked, overPaid=over)


def invalid(marked):
    return event('InvoiceInvalid', manuallyMarked=marked)


def expired(partial=False):
    return event('InvoiceExpired', partiallyPaid=partial)


@step
def payment_is_named(play):
    """A chain payment's id is its transaction's, with the number of the output."""
    payment = play.world.payment_methods(play.names['invoice'])['BTC-CHAIN']['payments'][0]
    assert payment['id'].rpartition('-')[0] == play.txids[0], payment


STORIES = (
    Story(
        'A new invoice is New and shows all that was asked',
        (
            new(metadata={'orderId': 'S00042'}, checkout={'redirectURL': 'https://shop.test/back'},
                answer=Fields(
                    id=ID, storeId='{store}', amount='100.00', paidAmount='0', currency='USD',
                    checkoutLink=text(r'https?://.*/i/\w+'), status='New', additionalStatus='None',
                    monitoringExpiration=UNIX, expirationTime=UNIX, createdTime=UNIX,
                    availableStatusesForManualMarking=BOTH, archived=False, paymentMethods=[],
                    type='Standard', metadata={'orderId': 'S00042'},
                    receipt={'enabled': True, 'showQR': True, 'showPayments': True},
                    checkout={
                        'speedPolicy': 'MediumSpeed', 'paymentMethods': ['BTC-CHAIN'],
                        'expirationMinutes': 15, 'monitoringMinutes': 1440,
                        'paymentTolerance': 0.0, 'redirectURL': 'https://shop.test/back',
                        'redirectAutomatically': False, 'defaultLanguage': None,
                    })),
            methods(BTC_CHAIN={
                'activated': True, 'destination': ADDRESS, 'rate': '50000', 'due': '0.002',
                'amount': '0.002', 'totalPaid': '0', 'paymentMethodPaid': '0',
                'paymentMethodFee': '0', 'payments': [], 'currency': 'BTC',
                'paymentLink': text(r'bitcoin:bcrt1\w+\?amount=0\.002'),
            }),
        ),
        events=(created(metadata={'orderId': 'S00042'}),),
    ),
    Story(
        'A payment in full is Processing until its block and Settled then',
        (
            new(),
            pay(),
            see('Processing/None', paidAmount='100.00', availableStatusesForManualMarking=BOTH),
            mine(),
            see('Settled/None', amount='100.00', paidAmount='100.00',
                availableStatusesForManualMarking=[]),
            methods(BTC_CHAIN={'due': '0', 'totalPaid': '0.002', 'payments': [Fields(
                id=text('[0-9a-f]{64}-[0-9]+'), receivedDate=UNIX, value='0.002', fee='0',
                status='Settled', destination=ADDRESS)]}),
            payment_is_named(),
        ),
        events=(created(), received(value='0.002', fee='0', destination=ADDRESS), processing(),
                payment_settled(value='0.002'), settled()),
    ),
    Story(
        'HighSpeed settles an ordinary payment without a block',
        (new(checkout={'speedPolicy': 'HighSpeed'}), pay(),
         see('Settled/None', paidAmount='100.00')),
    ),
    Story(
        'HighSpeed waits for a block if the payment is replaceable',
        (
            new(checkout={'speedPolicy': 'HighSpeed'}),
            pay(replaceable=True),
            see('Processing/None'),
            stays('Processing/None', paidAmount='100.00'),
            mine(),
            see('Settled/None'),
        ),
        events=(created(), received(), processing(), payment_settled(), settled()),
    ),
    Story(
        'LowSpeed waits for six blocks',
        (new(checkout={'speedPolicy': 'LowSpeed'}), pay(), see('Processing/None'), mine(5),
         stays('Processing/None'), mine(), see('Settled/None')),
    ),
    Story(
        'The rest of a partial payment can be paid, with a network fee on top',
        (
            new(),
            pay(amount='0.0008'),
            see('New/PaidPartial', paidAmount='40.00', availableStatusesForManualMarking=BOTH),
            methods(BTC_CHAIN={'totalPaid': '0.0008', 'payments': [{'status': 'Processing'}]}),
            pay(),
            see('Processing/None', paidAmount='100.00'),
            mine(),
            see('Settled/None', paidAmount='100.00'),
        ),
        events=(created(), received(value='0.0008', fee='0'), received(fee=text(r'0\.0\d+')),
                processing(), payment_settled(), payment_settled(), settled()),
    ),
    Story(
        'The network fee of a further payment is taken off what counts as paid',
        (new('200.00'), pay(amount='0.002'), see('New/PaidPartial', paidAmount='100.00'),
         pay(amount='0.002'), stays('New/PaidPartial', paidAmount=below('200'))),
    ),
    Story(
        'An invoice paid in part expires as such',
        (
            new(**SHORT),
            pay(amount='0.0008'),
            see('New/PaidPartial'),
            expire(),
            see('Expired/PaidPartial', paidAmount='40.00', availableStatusesForManualMarking=BOTH),
            mine(),
            stays('Expired/PaidPartial', paidAmount='40.00'),
        ),
        events=(created(), received(value='0.0008'), expired(partial=True),
                event('InvoiceExpiredPaidPartial'), payment_settled(late=True)),
    ),
    Story(
        'More than was asked is PaidOver',
        (
            new(),
            pay(amount='0.003'),
            see('Processing/PaidOver', paidAmount='150.00'),
            mine(),
            see('Settled/PaidOver', amount='100.00', paidAmount='150.00'),
            methods(BTC_CHAIN={'due': '-0.001', 'totalPaid': '0.003'}),
        ),
        events=(created(), received(value='0.003'), processing(over=True), payment_settled(),
                settled(over=True)),
    ),
    Story(
        'A second payment of a paid invoice makes it PaidOver without an event of its own',
        (new(), pay(), see('Processing/None'), pay(amount='0.002'), see('Processing/PaidOver'),
         mine(), see('Settled/PaidOver')),
        events=(created(), received(), processing(), received(), payment_settled(),
                payment_settled(), settled(over=True)),
    ),
    Story(
        'An invoice that nobody pays expires',
        (new(**SHORT), expire(),
         see('Expired/None', paidAmount='0', availableStatusesForManualMarking=BOTH)),
        events=(created(), expired()),
    ),
    Story(
        'Paid in full after expiry it stays Expired until a person marks it',
        (
            new(**SHORT),
            expire(),
            pay(),
            see('Expired/PaidLate', paidAmount='100.00', availableStatusesForManualMarking=BOTH),
            mine(),
            stays('Expired/PaidLate', paidAmount='100.00'),
            mark_as('Settled', was='Expired/PaidLate'),
            see('Settled/Marked', paidAmount='100.00',
                availableStatusesForManualMarking=['Invalid']),
        ),
        events=(created(), expired(), received(late=True), event('InvoicePaidAfterExpiration'),
                payment_settled(late=True), settled(marked=True)),
    ),
    Story(
        'Late and over is PaidLate with the sum that came',
        (new(**SHORT), expire(), pay(amount='0.004'),
         see('Expired/PaidLate', paidAmount='200.00')),
    ),
    Story(
        'The merchant marks to and fro, and each answer is the state before',
        (
            new(),
            mark_as('Settled', was='New/None'),
            see('Settled/Marked', paidAmount='0', availableStatusesForManualMarking=['Invalid']),
            mark_as('Invalid', was='Settled/Marked'),
            see('Invalid/Marked', availableStatusesForManualMarking=['Settled']),
            mark_as('Settled', was='Invalid/Marked'),
            see('Settled/Marked'),
            refused('POST', '/stores/{store}/invoices/{invoice}/status', {'status': 'Expired'},
                    ('Status', NOT_MARKABLE)),
            refused('POST', '/stores/{store}/invoices/{invoice}/status', {'status': 'New'},
                    ('Status', NOT_MARKABLE)),
            refused('POST', '/stores/{store}/invoices/{invoice}/status', {'status': 'Bogus'},
                    ('status', 'Error converting value "Bogus"'),
                    ('request', 'The request field is required.')),
            stays('Settled/Marked'),
        ),
        events=(created(), settled(marked=True), invalid(marked=True), settled(marked=True)),
    ),
    Story(
        'A replaced payment goes back to New with the next block, and no event tells it',
        (
            new(),
            pay(replaceable=True),
            see('Processing/None', paidAmount='100.00'),
            replace(),
            stays('Processing/None', paidAmount='100.00'),
            mine(),
            see('New/None', paidAmount='0'),
        ),
        events=(created(), received(), processing()),
    ),
    Story(
        'Paid but not confirmed in the monitoring time it is Invalid and stays so',
        (
            new(checkout={
                'expirationMinutes': 1, 'monitoringMinutes': 1, 'speedPolicy': 'LowSpeed'}),
            pay(),
            see('Processing/None'),
            time(125),
            see('Invalid/None', paidAmount='100.00', availableStatusesForManualMarking=['Settled']),
            mine(6),
            stays('Invalid/None', paidAmount='100.00'),
        ),
        events=(created(), received(), processing(), invalid(marked=False),
                payment_settled(late=True)),
    ),
    Story(
        'Money for an invoice that was marked Invalid changes what is paid, nothing else',
        (
            new(),
            mark_as('Invalid', was='New/None'),
            see('Invalid/Marked'),
            pay(),
            see('Invalid/Marked', paidAmount='100.00'),
            mine(),
            stays('Invalid/Marked', paidAmount='100.00',
                  availableStatusesForManualMarking=['Settled']),
        ),
        events=(created(), invalid(marked=True), received(late=True), payment_settled(late=True)),
    ),
    Story(
        'With a tolerance a settled invoice holds less than its amount',
        (new(checkout={'paymentTolerance': 5}), pay(amount='0.00192'),
         see('Processing/None', paidAmount='96.00'), mine(),
         see('Settled/None', amount='100.00', paidAmount='96.00')),
        events=(created(), received(value='0.00192'), processing(), payment_settled(), settled()),
    ),
    Story(
        'Less than the tolerance allows is a partial payment',
        (new(checkout={'paymentTolerance': 5}), pay(amount='0.0018'),
         see('New/PaidPartial', paidAmount='90.00')),
    ),
    Story(
        'Over Lightning it is Settled at once, and the payment settles before it is received',
        (
            new(),
            methods(BTC_LN={'activated': True, 'destination': BOLT11, 'due': '0.002'},
                    BTC_CHAIN={'destination': ADDRESS}),
            pay(method='BTC-LN'),
            see('Settled/None', paidAmount='100.00', availableStatusesForManualMarking=[]),
            methods(BTC_LN={'totalPaid': '0.002', 'payments': [Fields(
                id='{payment1}', receivedDate=UNIX, value='0.002', fee='0', status='Settled',
                destination=BOLT11)]}, BTC_CHAIN={'due': '0', 'payments': []}),
        ),
        store={'methods': ('BTC-CHAIN', 'BTC-LN')},
        events=(
            created(), payment_settled(method='BTC-LN', id=HASH, value='0.002'),
            received(method='BTC-LN', status='Settled', id=HASH), processing(), settled()),
    ),
    Story(
        'Paid over Lightning too, an invoice is Settled while its payment on-chain is not',
        (
            new(),
            pay(),
            see('Processing/None'),
            pay(method='BTC-LN', amount='0.002'),
            see('Settled/PaidOver', paidAmount='200.00'),
            methods(BTC_CHAIN={'payments': [{'status': 'Processing'}]},
                    BTC_LN={'payments': [{'status': 'Settled'}]}),
            mine(),
            stays('Settled/PaidOver', paidAmount='200.00'),
            methods(BTC_CHAIN={'payments': [{'status': 'Settled'}]}),
        ),
        store={'methods': ('BTC-CHAIN', 'BTC-LN')},
        events=(
            created(), received(), processing(), payment_settled(method='BTC-LN'),
            received(method='BTC-LN', status='Settled'), settled(over=True), payment_settled()),
    ),
    Story(
        'An invoice of nothing is Settled with nothing paid',
        (new('0', answer={'status': 'New', 'amount': '0.0', 'checkout': {'paymentMethods': []}}),
         see('Settled/None', paidAmount='0')),
        events=(created(), processing(), settled()),
    ),
    Story(
        'Without an amount it is a top-up, and its amount what is paid',
        (new(None, answer={'type': 'TopUp', 'amount': '0.0'}), pay(amount='0.002'),
         see('Processing/None', amount=number('100'))),
    ),
    Story(
        'The rate is the one of the moment the invoice was made',
        (
            new(),
            rates(BTC_USD='100000'),
            methods(BTC_CHAIN={'rate': '50000', 'due': '0.002'}),
            new(name='other'),
            methods('other', BTC_CHAIN={'rate': '100000', 'due': '0.001'}),
        ),
    ),
    Story(
        'Methods of a lazy invoice have no address yet',
        (
            new(checkout={'lazyPaymentMethods': True}),
            methods(BTC_CHAIN={'activated': False, 'destination': None, 'due': '0.002',
                               'paymentLink': '', 'additionalData': None}),
            call('POST', '/invoices/{invoice}/payment-methods/BTC-CHAIN/activate'),
            methods(BTC_CHAIN={'activated': True, 'destination': ADDRESS}),
        ),
    ),
)
