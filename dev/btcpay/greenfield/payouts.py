"""Pull payments and payouts."""
from .. import payouts as merchant
from .. import pull_payments as pulls
from ..amounts import plain
from ..currencies import known_currency
from ..errors import ApiError, Invalid, missing_permission
from .http import Api
from .stores import parse_method

api = Api()

CREATE = 'btcpay.store.cancreatenonapprovedpullpayments'
APPROVED = 'btcpay.store.cancreatepullpayments'
ARCHIVE = 'btcpay.store.canarchivepullpayments'
MANAGE = 'btcpay.store.canmanagepayouts'
STATES = ('AwaitingApproval', 'AwaitingPayment', 'InProgress', 'Completed', 'Cancelled')


def pull_payment_json(context, pull_payment):
    return {
        'startsAt': int(pull_payment.starts),
        'expiresAt': None if pull_payment.expires is None else int(pull_payment.expires),
        'id': pull_payment.id,
        'name': pull_payment.name,
        'description': pull_payment.description,
        'currency': pull_payment.currency,
        'amount': plain(pull_payment.amount),
        'BOLT11Expiration': pull_payment.bolt11_expiration,
        'archived': pull_payment.archived,
        'viewLink': f'{context.url}/pull-payments/{pull_payment.id}',
        'autoApproveClaims': pull_payment.auto_approve,
    }


def payout_json(payout):
    return {
        'date': int(payout.date),
        'id': payout.id,
        'pullPaymentId': payout.pull_payment_id,
        'destination': payout.destination,
        'payoutMethodId': payout.method_id,
        'originalAmount': plain(payout.original_amount),
        'originalCurrency': payout.original_currency,
        'payoutCurrency': 'BTC',
        'payoutAmount': None if payout.amount is None else plain(payout.amount),
        'state': payout.state,
        'revision': payout.revision,
        'paymentProof': payout.proof,
        'metadata': payout.metadata,
    }


@api('GET', '/stores/<store_id>/pull-payments', policy='btcpay.store.canviewpullpayments')
def pull_payments(context):
    archived = context.flag('includeArchived')
    found = [
        pull_payment for pull_payment in context.server.pull_payments.values()
        if pull_payment.store_id == context.store.id and (archived or not pull_payment.archived)
    ]
    found.sort(key=lambda pull_payment: pull_payment.number, reverse=True)
    return [pull_payment_json(context, pull_payment) for pull_payment in found]


@api('POST', '/stores/<store_id>/pull-payments', policy=CREATE)
def create(context):
    body = context.body
    name, currency = body.text('name'), body.text('currency')
    amount, automatic = body.decimal('amount'), body.boolean('autoApproveClaims')
    starts, expires = body.integer('startsAt'), body.integer('expiresAt')
    methods = body.texts('payoutMethods') or body.texts('paymentMethods')
    body.check()
    if automatic and not context.caller.may(APPROVED, context.store):
        raise missing_permission(APPROVED)
    problems = Invalid()
    if amount is None or amount <= 0:
        problems.add('Amount', 'The amount should more than 0.')
    if name and len(name) > 50:
        problems.add('Name', 'The name should be maximum 50 characters.')
    currency = (currency or '').strip().upper()
    if not currency:
        problems.add('Currency', 'This field is required')
    elif not known_currency(currency):
        problems.add('Currency', 'Invalid currency')
    if expires is not None and starts is not None and expires < starts:
        problems.add('ExpiresAt', 'expiresAt should be higher than startAt')
    supported = merchant.supported_methods(context.store)
    parsed = [parse_method(method) for method in methods or supported]
    for i, method in enumerate(parsed):
        if method not in supported:
            problems.add(f'PayoutMethods[{i}]', 'Invalid or unsupported payment method')
    problems.check()
    return pull_payment_json(context, pulls.create(
        context.server, context.store, name=name or '',
        description=body.text('description') or '', currency=currency, amount=amount,
        methods=parsed, auto_approve=bool(automatic), starts=starts, expires=expires,
    ))


@api('GET', '/pull-payments/<pull_payment_id>', anonymous=True)
def pull_payment(context):
    return pull_payment_json(context, context.pull_payment)


@api('DELETE', '/stores/<store_id>/pull-payments/<pull_payment_id>',
     '/pull-payments/<pull_payment_id>', policy=ARCHIVE)
def archive(context):
    pulls.archive(context.server, context.pull_payment)


def _listed(context, payouts):
    cancelled = context.flag('includeCancelled')
    return [
        payout_json(payout) for payout in sorted(payouts, key=lambda payout: payout.number)
        if cancelled or payout.state != 'Cancelled'
    ]


@api('GET', '/pull-payments/<pull_payment_id>/payouts', anonymous=True)
def payouts(context):
    """Archiving hides them, those that were paid out too."""
    archived = context.pull_payment.archived
    return _listed(context, [] if archived else context.server.payouts_of(context.pull_payment.id))


@api('GET', '/pull-payments/<pull_payment_id>/payouts/<payout_id>', anonymous=True)
def claimed(context):
    return payout_json(context.payout)


@api('POST', '/pull-payments/<pull_payment_id>/payouts', anonymous=True)
def claim(context):
    body = context.body
    method = body.text('payoutMethodId') or body.text('paymentMethod')
    destination, amount = body.text('destination'), body.decimal('amount')
    body.check()
    method_id = parse_method(method)
    if method_id not in merchant.PAYOUT_METHODS:
        raise ApiError(422, [{'path': 'PayoutMethodId', 'message': 'Invalid payment method'}])
    return payout_json(pulls.claim(
        context.server, context.pull_payment, destination, amount, method_id))


@api('GET', '/stores/<store_id>/payouts', policy='btcpay.store.canviewpayouts')
def store_payouts(context):
    return _listed(context, context.server.listed_payouts(context.store.id))


@api('GET', '/stores/<store_id>/payout-processors', policy='btcpay.store.canviewstoresettings')
def processors(_context):
    """Nothing is paid out by itself here."""
    return []


def both(tail=''):
    return [path + tail for path in ('/stores/<store_id>/payouts/<payout_id>',
                                     '/payouts/<payout_id>')]


@api('GET', *both(), policy='btcpay.store.canviewpayouts')
def payout(context):
    return payout_json(context.payout)


@api('POST', *both(), policy=MANAGE)
def approve(context):
    revision = context.body.integer('revision')
    context.body.check()
    if revision is None:
        raise ApiError(422, [{
            'path': 'Revision', 'message': 'The `revision` property is required',
        }])
    return payout_json(merchant.approve(context.server, context.payout, revision))


@api('DELETE', *both(), policy=MANAGE)
def cancel(context):
    merchant.cancel(context.server, context.payout)


@api('POST', *both('/mark-paid'), policy=MANAGE)
def mark_paid(context):
    merchant.mark(context.server, context.payout, 'Completed')


@api('POST', *both('/mark'), policy=MANAGE)
def mark(context):
    state = context.body.enum(
        'state', STATES, 'BTCPayServer.Client.Models.PayoutState', nullable=False)
    proof = context.body.object('paymentProof')
    context.body.check()
    if state == 'Cancelled':
        merchant.cancel(context.server, context.payout)
        return
    if proof is not None and not proof.get('proofType'):
        raise ApiError(422, [{
            'path': 'PaymentProof',
            'message': "Payment proof must have a 'proofType' property",
        }])
    merchant.mark(context.server, context.payout, state or 'AwaitingApproval', proof)

