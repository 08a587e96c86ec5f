"""What is left of a server when a node behind it is down: that of the chain, or of Lightning."""
from .expectations_api import INVOICES, NO_METHOD
from .match import BOLT11, Only, text
from .steps import call, empty, methods, new, node_down, time
from .story import Story

ALL = {'methods': ('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL')}


def with_methods(*asked, **checkout):
    """:return: the body of an invoice that asks for these methods"""
    return {'amount': '10', 'currency': 'USD', 'checkout': {'paymentMethods': asked, **checkout}}


def made(body, *kept, name='invoice'):
    """An invoice that is made with these methods, whatever was asked for."""
    return call('POST', INVOICES, body, keep={name: 'id'},
                answer={'checkout': {'paymentMethods': list(kept)}})


def enabled():
    return call('GET', '/stores/{store}/payment-methods?onlyEnabled=true', answer=[
        {'paymentMethodId': 'BTC-LN'}, {'paymentMethodId': 'BTC-CHAIN'},
        {'paymentMethodId': 'BTC-LNURL'}])


STORIES = (
    Story(
        'With Lightning down an invoice lacks it, but still has an LNURL that nobody can pay',
        (
            node_down('lightning'),
            new(answer={'checkout': {'paymentMethods': ['BTC-CHAIN', 'BTC-LNURL']}}),
            methods(BTC_LNURL={'activated': True, 'additionalData': {'nodeInfo': None}}),
            made(with_methods('BTC-LN', 'BTC-LNURL'), 'BTC-LNURL'),
            made(with_methods('BTC-CHAIN', 'BTC-LN'), 'BTC-CHAIN'),
            call('POST', INVOICES, with_methods('BTC-LN'), status=400, answer=Only(
                code='generic-error', message=text(
                    r'.*BTC-LN: Payment method unavailable \(Impossible to create lightning.*'))),
            enabled(),
            call('GET', '/health', answer=Only(synchronized=True)),
            node_down(None),
            made(with_methods('BTC-LN'), 'BTC-LN'),
        ),
        ALL,
    ),
    Story(
        'With Lightning down a lazy invoice is made, and activating it does nothing',
        (
            node_down('lightning'),
            made(with_methods('BTC-LN', lazyPaymentMethods=True), 'BTC-LN'),
            empty('POST', '/invoices/{invoice}/payment-methods/BTC-LN/activate'),
            methods(BTC_LN={'activated': False, 'destination': None, 'paymentLink': ''}),
            node_down(None),
            empty('POST', '/invoices/{invoice}/payment-methods/BTC-LN/activate'),
            methods(BTC_LN={'activated': True, 'destination': BOLT11}),
        ),
        ALL,
    ),
    Story(
        'With the node of the chain down Lightning goes on, and the health tells it after a while',
        (
            node_down('chain'),
            call('GET', '/health', answer=Only(synchronized=True)),
            made(with_methods('BTC-CHAIN', 'BTC-LN'), 'BTC-LN'),
            call('POST', INVOICES, with_methods('BTC-CHAIN'), status=400, answer=NO_METHOD),
            enabled(),
            time(45),
            call('GET', '/health', answer=Only(synchronized=False)),
            empty('GET', '/server/info', status=500),
            made(with_methods('BTC-CHAIN', 'BTC-LN'), 'BTC-LN'),
            call('POST', INVOICES, with_methods('BTC-CHAIN'), status=400, answer=Only(
                code='generic-error', message=text('.*Full node not available.*'))),
            enabled(),
            node_down(None),
            time(45),
            call('GET', '/health', answer=Only(synchronized=True)),
            made(with_methods('BTC-CHAIN'), 'BTC-CHAIN'),
        ),
        ALL,
    ),
)
