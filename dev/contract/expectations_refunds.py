"""Refunds: pull payments, their claims and the payouts."""
from .match import ID, UNIX, Fields, Only, Unordered, text
from .steps import (
    approve,
    archive,
    call,
    cancel_payout,
    change_store,
    claim,
    empty,
    expire,
    forbidden,
    make_key,
    mine,
    new,
    pay,
    pay_payout,
    rates,
    refund,
    refused,
    see,
)
from .steps import mark as mark_as
from .story import GUIDE, Story, event

PAID = (new(), pay(), mine(), see('Settled/None'))
REFUND = '/stores/{store}/invoices/{invoice}/refund'
PREVIEW = REFUND + '/BTC-CHAIN'
PAYOUTS = '/pull-payments/{refund}/payouts'


def refunded():
    return event('InvoiceRefund', pullPaymentId='{refund}', invoiceId='{invoice}')


def payout_event(kind, state):
    return event(f'Payout{kind}', payoutId='{payout}', pullPaymentId='{refund}', payoutState=state)


def unlike(title, invoice, *steps):
    """:return: Story of an invoice that cannot be refunded"""
    return Story(title, (*invoice, *steps, call(
        'POST', REFUND, {'refundVariant': 'Fiat'}, status=400,
        answer=Only(code='non-refundable', message='Cannot refund this invoice'))))


NONE_LEFT = ('PayoutMethods', 'Please select one of the payment methods')


def _by(*methods, refuses, none=False):
    """A refund by methods of which one is refused.

    :param bool none: whether no other is left
    """
    problems = [('PayoutMethods', f'Invalid or unsupported payout method: {refuses}')]
    return refused('POST', REFUND, {'refundVariant': 'Fiat', 'payoutMethods': methods},
                   *problems, *([NONE_LEFT] if none else []))


STORIES = (
    Story(
        'A refund is a pull payment that the merchant has to approve claims of',
        (
            *PAID,
            refund(refundVariant='Fiat', payoutMethods=['BTC-CHAIN'], answer=Fields(
                id=ID, name='Refund {invoice}', description='', currency='USD', amount='100.00',
                startsAt=UNIX, expiresAt=None, BOLT11Expiration=30, archived=False,
                autoApproveClaims=False, viewLink=text(r'https?://.*/pull-payments/\w+'))),
            call('GET', '/pull-payments/{refund}', key='nobody', answer={
                'id': '{refund}', 'amount': '100.00', 'currency': 'USD', 'archived': False}),
            see('Settled/None', paidAmount='100.00'),
        ),
    ),
    Story(
        'Variants of a refund: at the rate of then, of now, in the currency, any amount, less some',
        (
            *PAID,
            rates(BTC_USD='100000'),
            refund(refundVariant='RateThen', answer={'currency': 'BTC', 'amount': '0.002'}),
            refund(refundVariant='CurrentRate', answer={'currency': 'BTC', 'amount': '0.001'}),
            refund(refundVariant='Fiat', answer={'currency': 'USD', 'amount': '100.00'}),
            refund(refundVariant='Custom', customAmount='12.34', customCurrency='USD',
                   answer={'currency': 'USD', 'amount': '12.34'}),
            refund(refundVariant='RateThen', subtractPercentage='10',
                   answer={'currency': 'BTC', 'amount': '0.0018'}),
            call('GET', PREVIEW, answer=Only(
                paymentAmountNow=0.001, paymentAmountThen=0.002, invoiceAmount=100.0,
                overpaidPaymentAmount=None, invoiceCurrency='USD', paymentCurrency='BTC',
                paymentCurrencyDivisibility=8, invoiceCurrencyDivisibility=2,
                currentRateText=None)),
        ),
    ),
    Story(
        'What was paid too much can be refunded by itself',
        (new(), pay(amount='0.003'), mine(), see('Settled/PaidOver'),
         refund(refundVariant='OverpaidAmount', answer={'currency': 'BTC', 'amount': '0.001'}),
         call('GET', PREVIEW, answer={'overpaidPaymentAmount': 0.001})),
    ),
    Story(
        'A refund goes by all that was received, network fees included, but for a surplus',
        (
            new(), pay(amount='0.002'), pay(amount='0.002'), mine(),
            see('Settled/PaidOver', paidAmount='195.00'),
            call('GET', PREVIEW, answer={
                'paymentAmountThen': 0.004, 'paymentAmountNow': 0.004, 'invoiceAmount': 200.0,
                'overpaidPaymentAmount': 0.0019}),
            refund(refundVariant='RateThen', answer={'amount': '0.004'}),
            refund(refundVariant='Fiat', answer={'amount': '200.00'}),
            refund(refundVariant='Fiat', subtractPercentage='10', answer={'amount': '180.00'}),
            refund(refundVariant='OverpaidAmount', answer={'amount': '0.0019'}),
        ),
    ),
    Story(
        'A preview answers for invoices that cannot be refunded too, by their own methods only',
        (
            new(),
            call('GET', PREVIEW, answer=Only(
                paymentAmountNow=0.0, paymentAmountThen=0.0, invoiceAmount=0.0,
                overpaidPaymentAmount=None, invoiceCurrency='USD', paymentCurrency='BTC',
                paymentCurrencyDivisibility=8, invoiceCurrencyDivisibility=2,
                currentRateText=None)),
            pay(amount='0.0008'),
            see('New/PaidPartial'),
            call('GET', PREVIEW, answer={'paymentAmountThen': 0.0008, 'invoiceAmount': 40.0}),
            call('GET', REFUND + '/BTC-LN', status=400, answer=Only(
                code='invalid-payment-method', message='Invalid payment method')),
        ),
    ),
    Story(
        'Refunds have digits of their own: what was paid is 2 IQD, what is refunded 1.82',
        (
            new('1.4', 'IQD'), pay(amount='1.82'), mine(),
            see('Settled/PaidOver', amount='1.4', paidAmount='2'),
            call('GET', PREVIEW, answer={
                'invoiceAmount': 1.82, 'invoiceCurrencyDivisibility': 3,
                'overpaidPaymentAmount': 0.42}),
            refund(refundVariant='Fiat', answer={'amount': '1.82'}),
            refund(refundVariant='Fiat', subtractPercentage='50', answer={'amount': '0.910'}),
        ),
    ),
    Story(
        'A refund of any amount is not rounded, and asked for twice it is made twice',
        (
            *PAID,
            refund(refundVariant='Custom', customAmount='0.005', customCurrency='USD',
                   answer={'amount': '0.005'}),
            refund(refundVariant='Custom', customAmount='0.000000001', customCurrency='BTC',
                   answer={'amount': '0.000000001'}),
            refund('one', refundVariant='Fiat', name='R-1', description='same'),
            refund('two', refundVariant='Fiat', name='R-1', description='same'),
            call('GET', '/stores/{store}/pull-payments', answer=[
                {'id': '{two}', 'name': 'R-1'}, {'id': '{one}', 'name': 'R-1'},
                {'amount': '0.000000001'}, {'amount': '0.005'}]),
        ),
    ),
    Story(
        'A refund by a method that is switched off, unknown or an LNURL is refused as a whole',
        (
            *PAID,
            call('GET', '/stores/{store}/payout-processors', answer=[]),
            _by('BTC-CHAIN', 'XMR-CHAIN', 'XMR-CHAIN', refuses='XMR-CHAIN'),
            _by('BTC-LNURL', refuses='BTC-LNURL', none=True),
            refused('POST', REFUND, {'refundVariant': 'Fiat', 'payoutMethods': []}, NONE_LEFT),
            refund(refundVariant='Fiat', payoutMethods=['BTC-LN', 'BTC-CHAIN'],
                   answer={'amount': '100.00'}),
            change_store(methods=('BTC-CHAIN', 'BTC-LNURL')),
            _by('BTC-LN', refuses='BTC-LN', none=True),
            refund(refundVariant='Fiat', payoutMethods=['BTC-CHAIN']),
        ),
        store={'methods': ('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL')},
    ),
    Story(
        'A refund has the name and the description one gives it, and is found by them',
        (
            *PAID,
            refund('first', refundVariant='Fiat', name='Refund S00042', description='of S00042',
                   answer={'name': 'Refund S00042', 'description': 'of S00042'}),
            refund('second', refundVariant='RateThen'),
            call('GET', '/stores/{store}/pull-payments?includeArchived=true', answer=[
                {'id': '{second}', 'name': 'Refund {invoice}', 'description': ''},
                {'id': '{first}', 'name': 'Refund S00042', 'description': 'of S00042'}]),
        ),
    ),
    Story(
        'Names of older servers for the payout method are understood',
        (*PAID, refund(refundVariant='RateThen', payoutMethodId='BTC-CHAIN'),
         refund(refundVariant='RateThen', paymentMethod='BTC'),
         call('GET', REFUND + '/BTC', answer={'paymentAmountThen': 0.002})),
    ),
    Story(
        'What is refused of a refund',
        (
            *PAID,
            refused('POST', REFUND, {}, ('RefundVariant', '`refundVariant` is mandatory')),
            refused('POST', REFUND, {'refundVariant': 'Nope'},
                    ('request', 'The request field is required.'),
                    ('refundVariant', 'Error converting value "Nope"')),
            refused('POST', REFUND, {'refundVariant': 'Fiat', 'payoutMethods': ['BTC-LN']},
                    ('PayoutMethods', 'Invalid or unsupported payout method: BTC-LN'),
                    ('PayoutMethods', 'Please select one of the payment methods')),
            refused('POST', REFUND, {'refundVariant': 'OverpaidAmount'},
                    ('RefundVariant', 'Invoice is not overpaid')),
            refused('POST', REFUND, {'refundVariant': 'Custom'},
                    ('CustomAmount', 'Amount must be greater than 0'),
                    ('CustomCurrency', 'Invalid currency')),
            refused('POST', REFUND, {
                'refundVariant': 'Custom', 'customAmount': '-1', 'customCurrency': 'USD',
            }, ('CustomAmount', 'Amount must be greater than 0')),
            refused('POST', REFUND, {'refundVariant': 'RateThen', 'subtractPercentage': '150'},
                    ('SubtractPercentage', 'Percentage must be a numeric value')),
        ),
    ),
    Story(
        'Nothing is capped: more than was paid, and the whole sum again and again',
        (
            *PAID,
            refund(refundVariant='Custom', customAmount='100000', customCurrency='USD',
                   answer={'amount': '100000'}),
            *(refund(refundVariant='Fiat', answer={'amount': '100.00'}) for _time in range(3)),
        ),
    ),
    unlike('An unpaid invoice cannot be refunded', (new(),)),
    unlike('An invoice that is not settled yet cannot be refunded',
           (new(), pay(), see('Processing/None'))),
    unlike('An invoice that expired unpaid cannot be refunded',
           (new(checkout={'expirationMinutes': 1}), expire())),
    Story(
        'Of an invoice that expired paid in part what was paid is refunded',
        (new(checkout={'expirationMinutes': 1}), pay(amount='0.0008'), see('New/PaidPartial'),
         expire(), see('Expired/PaidPartial'),
         refund(refundVariant='RateThen', answer={'currency': 'BTC', 'amount': '0.0008'}),
         refund(refundVariant='Fiat', answer={'currency': 'USD', 'amount': '40.00'})),
    ),
    Story(
        'An invoice marked Settled with nothing paid is refunded in full',
        (
            new(),
            mark_as('Settled', was='New/None'),
            see('Settled/Marked'),
            refund(refundVariant='Fiat', answer={'amount': '100.00', 'currency': 'USD'}),
            refund(refundVariant='RateThen', answer={'amount': '0.002', 'currency': 'BTC'}),
            refused('POST', REFUND, {'refundVariant': 'OverpaidAmount'},
                    ('RefundVariant', 'Invoice is not overpaid')),
        ),
    ),
    Story(
        'What was paid on an invoice marked Invalid can be refunded',
        (new(), mark_as('Invalid', was='New/None'), pay(), mine(),
         see('Invalid/Marked', paidAmount='100.00'),
         refund(refundVariant='RateThen', answer={'amount': '0.002'})),
    ),
    Story(
        'A claim goes from approval to payment, and each step is told',
        (
            *PAID,
            refund(refundVariant='Fiat'),
            claim(answer=Fields(
                id=ID, date=UNIX, pullPaymentId='{refund}', destination=text(r'\w{26,}'),
                payoutMethodId='BTC-CHAIN', originalAmount='100.00', originalCurrency='USD',
                payoutCurrency='BTC', payoutAmount=None, state='AwaitingApproval', revision=0,
                paymentProof=None, metadata={})),
            approve(),
            call('GET', PAYOUTS, key='nobody', answer=[
                {'id': '{payout}', 'state': 'AwaitingPayment', 'payoutAmount': '0.002'}]),
            pay_payout('InProgress'),
            call('GET', PAYOUTS + '/{payout}', key='nobody', answer={'state': 'InProgress'}),
            pay_payout(),
            call('GET', '/stores/{store}/payouts', answer=[
                {'id': '{payout}', 'state': 'Completed', 'pullPaymentId': '{refund}',
                 'payoutAmount': '0.002', 'originalAmount': '100.00'}]),
        ),
        events=(
            event('InvoiceCreated'), event('InvoiceReceivedPayment'), event('InvoiceProcessing'),
            event('InvoicePaymentSettled'), event('InvoiceSettled'), refunded(),
            payout_event('Created', 'AwaitingApproval'),
            payout_event('Approved', 'AwaitingPayment'), payout_event('Updated', 'InProgress'),
            payout_event('Updated', 'Completed')),
    ),
    Story(
        'A refund is claimed in parts until the sum is reached',
        (
            *PAID,
            refund(refundVariant='Custom', customAmount='3', customCurrency='USD'),
            claim('1', 'one', answer={'originalAmount': '1'}),
            claim('1.5', 'two', answer={'originalAmount': '1.5'}),
            call('POST', PAYOUTS, {'destination': '{address}', 'amount': '1',
                                   'payoutMethodId': 'BTC-CHAIN'}, status=400, key='nobody',
                 answer=Only(code='overdraft', message=text('The payout amount overdraft.*'))),
            claim(None, 'three', answer={'originalAmount': text(r'0\.50?')}),
            call('GET', PAYOUTS, key='nobody', answer=[
                {'id': '{one}'}, {'id': '{two}'}, {'id': '{three}'}]),
        ),
    ),
    Story(
        'What was cancelled can be claimed again',
        (
            *PAID,
            refund(refundVariant='Fiat'),
            claim(),
            cancel_payout(),
            call('GET', PAYOUTS, key='nobody', answer=[]),
            call('GET', PAYOUTS + '?includeCancelled=true', key='nobody', answer=[
                {'id': '{payout}', 'state': 'Cancelled'}]),
            claim(name='again', answer={'originalAmount': '100.00', 'state': 'AwaitingApproval'}),
            call('GET', PAYOUTS + '?includeCancelled=true', key='nobody', answer=Unordered([
                {'id': '{payout}', 'state': 'Cancelled'}, {'id': '{again}'}])),
        ),
    ),
    Story(
        'An archived refund takes no claims, cancels open ones and hides all, those paid out too',
        (
            *PAID,
            refund(refundVariant='Fiat'),
            claim('10.00', 'paid'),
            approve('paid'),
            pay_payout(payout='paid'),
            claim('20.00', 'sent'),
            approve('sent'),
            pay_payout('InProgress', 'sent'),
            claim('30.00'),
            forbidden('DELETE', '/stores/{store}/pull-payments/{refund}',
                      'btcpay.store.canarchivepullpayments'),
            archive(),
            call('GET', '/pull-payments/{refund}', key='nobody', answer={'archived': True}),
            call('POST', PAYOUTS, {'destination': '{address}', 'payoutMethodId': 'BTC-CHAIN'},
                 status=400, key='nobody', answer=Only(
                     code='archived', message='This pull payment has been archived')),
            call('GET', PAYOUTS + '?includeCancelled=true', key='nobody', answer=[]),
            call('GET', '/stores/{store}/payouts?includeCancelled=true', answer=[]),
            call('GET', '/stores/{store}/pull-payments', answer=[]),
            call('GET', '/stores/{store}/pull-payments?includeArchived=true', answer=[
                {'id': '{refund}', 'archived': True}]),
        ),
        events=(
            event('InvoiceCreated'), event('InvoiceReceivedPayment'), event('InvoiceProcessing'),
            event('InvoicePaymentSettled'), event('InvoiceSettled'), refunded(),
            *(event(f'Payout{kind}', payoutId='{paid}', payoutState=state) for kind, state in (
                ('Created', 'AwaitingApproval'), ('Approved', 'AwaitingPayment'),
                ('Updated', 'Completed'))),
            *(event(f'Payout{kind}', payoutId='{sent}', payoutState=state) for kind, state in (
                ('Created', 'AwaitingApproval'), ('Approved', 'AwaitingPayment'),
                ('Updated', 'InProgress'))),
            payout_event('Created', 'AwaitingApproval'), payout_event('Updated', 'Cancelled')),
    ),
    Story(
        'An address that is none is refused',
        (*PAID, refund(refundVariant='Fiat'),
         call('POST', PAYOUTS, {'destination': 'nobody', 'payoutMethodId': 'BTC-CHAIN'},
              status=422, key='nobody')),
    ),
    Story(
        'With a wider permission a refund in BTC approves its claims by itself, one in USD not',
        (
            make_key('wider', [*GUIDE[:5], 'btcpay.store.cancreatepullpayments']),
            *PAID,
            refund('dollars', key='wider', refundVariant='Fiat',
                   answer={'autoApproveClaims': False}),
            refund(key='wider', refundVariant='RateThen', answer={'autoApproveClaims': True}),
            claim(answer={'state': 'AwaitingPayment', 'payoutAmount': '0.002',
                          'originalCurrency': 'BTC'}),
        ),
        events=(
            event('InvoiceCreated'), event('InvoiceReceivedPayment'), event('InvoiceProcessing'),
            event('InvoicePaymentSettled'), event('InvoiceSettled'), event('InvoiceRefund'),
            refunded(), payout_event('Created', 'AwaitingApproval'),
            payout_event('Approved', 'AwaitingPayment')),
    ),
    Story(
        'A merchant marks a payout paid by the older call, too',
        (
            *PAID,
            refund(refundVariant='Fiat'),
            claim(),
            approve(),
            empty('POST', '/stores/{store}/payouts/{payout}/mark-paid', key='merchant'),
            call('GET', PAYOUTS, key='nobody', answer=[{'state': 'Completed'}]),
        ),
    ),
)
