"""The API: keys and permissions, refusals and their shapes, amounts, lists, stores."""
from .match import ANY, ID, KEY, SOME, Is, Only, Unordered, text
from .steps import (
    another_second,
    call,
    change_store,
    delete_store,
    empty,
    forbidden,
    make_key,
    make_store,
    new,
    no_administrator,
    rates,
    refused,
    remove_method,
    see,
)
from .story import GUIDE, Story

INVOICES = '/stores/{store}/invoices'
VIEW = 'btcpay.store.canviewinvoices'
SETTINGS = 'btcpay.store.canviewstoresettings'
NO_METHOD = Only(code='generic-error', message=text(
    r'Error retrieving a matching payment method or rate\.\n.*'))
LONG = 'x' * 200


def unauthenticated(message):
    return Only(code='unauthenticated', message=message)


UNKNOWN_KEY = unauthenticated('ApiKey authentication failed: Unknown API Key')


def taken(body, **answer):
    """A body of which an invoice is made."""
    return call('POST', INVOICES, body, answer={'status': 'New', **answer})


def not_taken(body, *problems):
    return refused('POST', INVOICES, body, *problems)


def with_checkout(**checkout):
    return {'amount': '1', 'currency': 'USD', 'checkout': checkout}


def languages(*codes):
    return Is(f'a list with the languages {codes}', lambda answer: (
        set(codes) <= {language['code'] for language in answer}
        and all(language['currentLanguage'] for language in answer)))


STORIES = (
    Story(
        'Health needs no key, the server tells about itself with any',
        (
            call('GET', '/health', key='nobody', answer=Only(synchronized=True)),
            call('GET', '/server/info', key='nobody', status=401, answer=unauthenticated(
                'Authentication is required for accessing this endpoint')),
            call('GET', '/server/info', answer={
                'version': text(r'\d+\.\d+.*'), 'fullySynched': True,
                'supportedPaymentMethods': Is('a list with BTC-CHAIN',
                                              lambda value: 'BTC-CHAIN' in value),
                'syncStatus': [{'paymentMethodId': 'BTC-CHAIN', 'available': True}]}),
        ),
    ),
    Story(
        'A key tells what it may, and can do away with itself',
        (
            make_key('mine', GUIDE),
            call('GET', '/api-keys/current', key='mine', answer=Only(
                apiKey='{mine}', label='mine',
                permissions=Unordered(f'{policy}:{{store}}' for policy in GUIDE))),
            empty('DELETE', '/api-keys/current', key='mine'),
            call('GET', '/api-keys/current', key='mine', status=401, answer=UNKNOWN_KEY),
            call('GET', '/api-keys/current', answer={'apiKey': KEY}),
        ),
    ),
    Story(
        'Without a key, or with a wrong one, it answers 401',
        (
            call('GET', '/stores/{store}', key='nobody', status=401, answer=unauthenticated(
                'Authentication is required for accessing this endpoint')),
            call('GET', '/stores/{store}', key='0' * 40, status=401, answer=UNKNOWN_KEY),
        ),
    ),
    Story(
        'What does not exist, or is of another store, answers like a missing permission',
        (
            make_store('elsewhere', name='Elsewhere'),
            call('POST', '/stores/{elsewhere}/invoices', {'amount': '1', 'currency': 'USD'},
                 key='merchant', keep={'foreign': 'id'}),
            forbidden('GET', '/stores/nosuchstore', SETTINGS),
            forbidden('GET', '/stores/{elsewhere}', SETTINGS),
            forbidden('GET', INVOICES + '/nosuchinvoice', VIEW),
            forbidden('GET', INVOICES + '/{foreign}', VIEW),
            forbidden('POST', '/stores/{elsewhere}/invoices', 'btcpay.store.cancreateinvoice',
                      {'amount': '1', 'currency': 'USD'}),
        ),
    ),
    Story(
        'Each call needs its permission',
        (
            new(),
            make_key('view', [VIEW]),
            call('GET', INVOICES + '/{invoice}', key='view', answer={'id': '{invoice}'}),
            forbidden('POST', INVOICES, 'btcpay.store.cancreateinvoice',
                      {'amount': '1', 'currency': 'USD'}, key='view'),
            forbidden('POST', INVOICES + '/{invoice}/status', 'btcpay.store.canmodifyinvoices',
                      {'status': 'Settled'}, key='view'),
            forbidden('GET', '/stores/{store}/webhooks',
                      'btcpay.store.webhooks.canmodifywebhooks', key='view'),
            forbidden('GET', '/stores/{store}', SETTINGS, key='view'),
            forbidden('POST', INVOICES + '/{invoice}/refund',
                      'btcpay.store.cancreatenonapprovedpullpayments',
                      {'refundVariant': 'Fiat'}, key='view'),
            make_key('make', ['btcpay.store.cancreateinvoice']),
            call('POST', INVOICES, {'amount': '1', 'currency': 'USD'}, key='make'),
            forbidden('GET', INVOICES + '/{invoice}', VIEW, key='make'),
        ),
    ),
    Story(
        'What the six permissions of the guide do not allow',
        (
            forbidden('GET', '/stores/{store}/payment-methods?includeConfig=true',
                      'btcpay.store.canmodifystoresettings'),
            forbidden('GET', '/stores/{store}/lightning/BTC/info',
                      'btcpay.store.canuselightningnode'),
            call('GET', '/stores/{store}/payouts', answer=[]),
            call('GET', '/stores/{store}/pull-payments', answer=[]),
            call('GET', '/stores/{store}/users', answer=[{'role': 'Owner'}]),
        ),
    ),
    Story(
        'A key is for one store, for several, or for all there are and will be',
        (
            call('GET', '/stores', answer=[{'id': '{store}', 'name': 'Rig Shop'}]),
            make_key('all', [SETTINGS], None),
            make_store('other', name='Other Shop'),
            make_key('two', [SETTINGS], ['{store}', '{other}']),
            call('GET', '/api-keys/current', key='two', answer={'permissions': Unordered(
                [SETTINGS + ':{store}', SETTINGS + ':{other}'])}),
            call('GET', '/api-keys/current', key='all', answer={'permissions': [SETTINGS]}),
            call('GET', '/stores', key='two',
                 answer=Unordered([{'id': '{store}'}, {'id': '{other}'}])),
            call('GET', '/stores/{other}', key='all', answer={'name': 'Other Shop'}),
            forbidden('GET', '/stores/{other}', SETTINGS),
        ),
    ),
    Story(
        'A key that may do everything says so in one word',
        (
            make_key('all', ['unrestricted'], None),
            call('GET', '/api-keys/current', key='all', answer={'permissions': ['unrestricted']}),
            call('GET', '/stores/{store}', key='all', answer={'id': '{store}'}),
            call('GET', '/stores/{store}/webhooks', key='all', answer=[{'id': '{webhook}'}]),
            empty('DELETE', '/api-keys/current', key='all'),
        ),
    ),
    Story(
        'A key for the server is none for its stores',
        (
            make_key('server', ['btcpay.server.canmodifyserversettings', VIEW], None),
            forbidden('GET', '/stores', SETTINGS, key='server'),
            forbidden('GET', '/stores/{store}', SETTINGS, key='server'),
            call('GET', INVOICES, key='server', answer=[]),
        ),
    ),
    Story(
        'Nothing is to be found where there is no endpoint',
        (empty('GET', '/nosuchthing', status=404),),
    ),
    Story(
        'Languages of the checkout page are told with any key',
        (call('GET', '/misc/lang', answer=languages('en', 'ja-JP', 'fr-FR', 'no')),
         call('GET', '/misc/lang', key='nobody', status=401, answer=unauthenticated(
             'Authentication is required for accessing this endpoint'))),
    ),
    Story(
        'Amounts are rounded to the currency, and may be numbers',
        (
            taken({'amount': '1.23456789', 'currency': 'USD'}, amount='1.23'),
            taken({'amount': '1000', 'currency': 'JPY'}, amount='1000', currency='JPY'),
            taken({'amount': '1000', 'currency': 'SATS'}, amount='1000', currency='SATS'),
            taken({'amount': '0.001', 'currency': 'BTC'}, amount='0.001', currency='BTC'),
            taken({'amount': 12.34, 'currency': 'usd'}, amount='12.34', currency='USD'),
            taken({'amount': '1'}, currency='USD'),
            taken({'amount': '1', 'currency': 'ZZZ'}, currency='ZZZ'),
            taken({'amount': '1', 'currency': 'USD', 'metadata': {'orderId': LONG}},
                  metadata={'orderId': LONG}),
        ),
    ),
    Story(
        'Amounts are rounded half away from zero, more finely where that changes 1 % or more',
        (
            taken({'amount': '1.125', 'currency': 'USD'}, amount='1.13'),
            taken({'amount': '3.4', 'currency': 'ARS'}, amount='3.4'),
            taken({'amount': '1234.5', 'currency': 'JPY'}, amount='1235'),
            taken({'amount': '1234.56789', 'currency': 'ARS'}, amount='1235'),
            taken({'amount': '1234.56789', 'currency': 'IQD'}, amount='1235'),
            taken({'amount': '1234.56789', 'currency': 'KWD'}, amount='1234.568'),
            taken({'amount': '1234.56789', 'currency': 'CHF'}, amount='1234.57'),
        ),
    ),
    Story(
        'Amounts of some currencies are not rounded at all',
        tuple(taken({'amount': '1234.56789', 'currency': currency}, amount='1234.56789')
              for currency in ('TWD', 'MGA', 'CLF', 'USDT', 'BTC')),
    ),
    Story(
        'A payment method that does not exist may be the default, and a language the closest known',
        (
            taken(with_checkout(defaultPaymentMethod='NOPE'),
                  checkout={'defaultPaymentMethod': 'NOPE', 'paymentMethods': ['BTC-CHAIN']}),
            taken(with_checkout(defaultPaymentMethod='BTC_LightningNetwork'),
                  checkout={'defaultPaymentMethod': 'BTC-LN'}),
            taken(with_checkout(defaultLanguage='ja'), checkout={'defaultLanguage': 'ja-JP'}),
            taken(with_checkout(monitoringMinutes=-5), checkout={'monitoringMinutes': -5}),
            taken(with_checkout(redirectURL='javascript:alert(1)'),
                  checkout={'redirectURL': 'javascript:alert(1)'}),
        ),
    ),
    Story(
        'An invoice is found by its additional search terms, not shown, and not by metadata',
        (
            new(additionalSearchTerms=['S00099', 'tx-9'], metadata={'ours': 'secret-9'}),
            new(name='other'),
            call('GET', INVOICES + '?textSearch=tx-9', answer=[{'id': '{invoice}'}]),
            call('GET', INVOICES + '?textSearch=secret-9', answer=[]),
            call('GET', INVOICES + '/{invoice}', answer=Is(
                'an invoice without tx-9', lambda found: 'tx-9' not in str(found))),
        ),
    ),
    Story(
        'A redirect address that is none is taken silently, languages in any spelling known',
        (
            taken(with_checkout(redirectURL='not a url'), checkout={'redirectURL': 'not a url'}),
            taken(with_checkout(redirectURL='https://shop.test/?id={InvoiceId}'),
                  checkout={'redirectURL': 'https://shop.test/?id={InvoiceId}'}),
            taken(with_checkout(defaultLanguage='ja-JP', redirectAutomatically=True),
                  checkout={'defaultLanguage': 'ja-JP', 'redirectAutomatically': True}),
        ),
    ),
    Story(
        'What is wrong with an invoice is listed with its path',
        (
            not_taken({'amount': '-1', 'currency': 'USD'},
                      ('Amount', 'The amount should be 0 or more.')),
            not_taken({'amount': 'abc', 'currency': 'USD'},
                      ('amount', 'The supplied value is invalid.'),
                      ('request', 'The request field is required.')),
            not_taken({'amount': '99999999999999999999', 'currency': 'USD'},
                      ('Amount', 'The amount should less than')),
            not_taken(with_checkout(paymentMethods=['DOGE-X']),
                      ('Checkout.PaymentMethods[0]', 'Invalid PaymentMethodId')),
            not_taken(with_checkout(paymentMethods=['BTC-CHAIN', 'LTC-CHAIN']),
                      ('Checkout.PaymentMethods[1]', 'Invalid PaymentMethodId')),
            not_taken(with_checkout(defaultLanguage='xx-YY'),
                      ('Checkout.DefaultLanguage', 'The requested defaultLang does not exists')),
            not_taken(with_checkout(expirationMinutes=0),
                      ('Checkout.Expiration', 'Expiration time must be at least 30 seconds')),
            not_taken(with_checkout(paymentTolerance=101),
                      ('Checkout.PaymentTolerance', 'PaymentTolerance can only be between')),
            not_taken(with_checkout(speedPolicy='Warp'),
                      ('request', 'The request field is required.'),
                      ('checkout.speedPolicy', 'Error converting value "Warp"')),
            call('POST', INVOICES, data='{not json', status=422, answer=Unordered([
                {'path': '', 'message': SOME},
                {'path': 'request', 'message': 'The request field is required.'}])),
        ),
    ),
    Story(
        'An invoice that no method can pay is refused with the log of the server',
        (
            call('POST', INVOICES, with_checkout(paymentMethods=['BTC-LN']), status=400,
                 answer=NO_METHOD),
            call('POST', INVOICES, with_checkout(paymentMethods=[]), status=400, answer=NO_METHOD),
            call('POST', INVOICES, {'amount': '0.00001', 'currency': 'USD'}, status=400,
                 answer=Only(code='generic-error', message=text('.*dust threshold.*'))),
            rates(BTC_EUR=None),
            call('POST', INVOICES, {'amount': '1', 'currency': 'EUR'}, status=400,
                 answer=NO_METHOD),
            taken({'amount': '1', 'currency': 'USD'}),
            change_store(methods=()),
            call('POST', INVOICES, {'amount': '1', 'currency': 'USD'}, status=400,
                 answer=NO_METHOD),
            remove_method('BTC-CHAIN'),
            call('POST', INVOICES, {'amount': '1', 'currency': 'USD'}, status=400,
                 answer=Only(code='generic-error', message=SOME)),
        ),
    ),
    Story(
        'The rates of a store',
        (
            rates(BTC_EUR=None),
            call('GET', '/stores/{store}/rates?currencyPair=BTC_USD&currencyPair=BTC_JPY', answer=[
                Only(currencyPair='BTC_USD', rate='50000', errors=[]),
                Only(currencyPair='BTC_JPY', rate='7000000', errors=[])]),
            call('GET', '/stores/{store}/rates?currencyPair=BTC_EUR', answer=[
                {'currencyPair': 'BTC_EUR', 'errors': SOME}]),
        ),
    ),
    Story(
        'A store tells which methods it has and which are enabled',
        (
            call('GET', '/stores/{store}/payment-methods', answer=[
                Only(enabled=True, paymentMethodId='BTC-CHAIN')]),
            change_store(methods=(), name='Renamed', paymentTolerance=5),
            call('GET', '/stores/{store}/payment-methods', answer=[
                Only(enabled=False, paymentMethodId='BTC-CHAIN')]),
            call('GET', '/stores/{store}/payment-methods?onlyEnabled=true', answer=[]),
            call('GET', '/stores/{store}', answer={
                'id': '{store}', 'name': 'Renamed', 'defaultCurrency': 'USD',
                'paymentTolerance': 5.0, 'invoiceExpiration': 900, 'speedPolicy': 'MediumSpeed'}),
            change_store(methods=('BTC-CHAIN',)),
            new(answer={'checkout': {'paymentTolerance': 5.0}}),
        ),
    ),
    Story(
        'A deleted store is still read by an administrator, but in no list and makes no invoices',
        (new(), delete_store(), call('GET', '/stores', answer=[]),
         call('GET', '/stores/{store}', answer={'id': '{store}', 'name': 'Rig Shop'}),
         call('GET', INVOICES + '/{invoice}', answer={'id': '{invoice}', 'status': 'New'}),
         forbidden('POST', INVOICES, 'btcpay.store.cancreateinvoice', {'amount': '1'})),
    ),
    Story(
        'A deleted store answers like a missing permission to plain users',
        (new(), no_administrator(), delete_store(), forbidden('GET', '/stores/{store}', SETTINGS),
         forbidden('GET', INVOICES + '/{invoice}', VIEW),
         forbidden('POST', INVOICES, 'btcpay.store.cancreateinvoice', {'amount': '1'})),
    ),
    Story(
        'Invoices are listed newest first, by order, status and time, in parts',
        (
            new(name='one', metadata={'orderId': 'SO-A'}),
            call('GET', INVOICES + '/{one}', keep={'start': 'createdTime'}),
            another_second(),
            new(name='two', metadata={'orderId': 'SO-B'}),
            another_second(),
            new(name='three', metadata={'orderId': 'SO-C'}),
            call('POST', INVOICES + '/{two}/status', {'status': 'Invalid'}),
            see('Invalid/Marked', invoice='two'),
            call('GET', INVOICES, answer=[{'id': '{three}'}, {'id': '{two}'}, {'id': '{one}'}]),
            call('GET', INVOICES + '?orderId=SO-A&orderId=SO-C',
                 answer=[{'id': '{three}'}, {'id': '{one}'}]),
            call('GET', INVOICES + '?orderId=SO-X', answer=[]),
            call('GET', INVOICES + '?status=Invalid', answer=[{'id': '{two}'}]),
            call('GET', INVOICES + '?status=New&status=Processing',
                 answer=[{'id': '{three}'}, {'id': '{one}'}]),
            call('GET', INVOICES + '?take=1&skip=1&includePaymentMethods=true', answer=[
                {'id': '{two}', 'paymentMethods': [{'paymentMethodId': 'BTC-CHAIN'}]}]),
            call('GET', INVOICES + '?take=100000&startDate={start}',
                 answer=[{'id': ID}, {'id': ID}, {'id': '{one}', 'paymentMethods': []}]),
            call('GET', INVOICES + '?startDate=4000000000', answer=[]),
            call('GET', INVOICES + '?textSearch={two}', answer=[{'id': '{two}'}]),
        ),
    ),
    Story(
        'The metadata is replaced as a whole, and archiving hides an invoice from lists only',
        (
            new(metadata={'orderId': 'SO-A', 'nested': {'a': [1, 2.5, None, True]}}, answer={
                'metadata': Only(orderId='SO-A', nested=Only(a=[1, 2.5, None, True]))}),
            call('PUT', INVOICES + '/{invoice}', {'metadata': {'orderId': 'SO-A', 'note': 'new'}},
                 answer={'metadata': Only(orderId='SO-A', note='new')}),
            empty('DELETE', INVOICES + '/{invoice}'),
            call('GET', INVOICES + '/{invoice}', answer={'archived': True, 'status': 'New'}),
            call('GET', INVOICES + '?orderId=SO-A', answer=[]),
            call('GET', INVOICES + '?orderId=SO-A&includeArchived=true',
                 answer=[{'id': '{invoice}', 'archived': True}]),
            call('POST', INVOICES + '/{invoice}/unarchive', answer={'archived': True}),
            call('GET', '/invoices/{invoice}', answer={'archived': False, 'metadata': ANY}),
        ),
    ),
)
