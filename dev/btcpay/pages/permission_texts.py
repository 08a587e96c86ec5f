"""How the authorize page names what an application asks for."""

from .language import translate as _

#: policy → what it is called, what it allows; {stores} becomes 'the selected stores' or the like
TEXTS = {
    'btcpay.store.cancreateinvoice': (
        'Create an invoice', 'Allows creating new invoices on {stores}.'),
    'btcpay.store.cancreatenonapprovedpullpayments': (
        'Create non-approved pull payments in {stores}',
        'Allows viewing, modifying, deleting and creating pull payments without automatic '
        'approval on {stores}.'),
    'btcpay.store.cancreatepullpayments': (
        'Create pull payments in {stores}',
        'Allows viewing, modifying, deleting and creating pull payments on {stores}.'),
    'btcpay.store.canarchivepullpayments': (
        'Archive your pull payments', 'Allows deleting pull payments on {stores}.'),
    'btcpay.store.canmanagepullpayments': (
        'Manage your pull payments',
        'Allows viewing, modifying, deleting and creating pull payments on {stores}.'),
    'btcpay.store.canviewpullpayments': (
        'View your pull payments', 'Allows viewing pull payments on {stores}.'),
    'btcpay.store.canmanagepayouts': (
        'Manage payouts', 'Allows managing payouts on {stores}.'),
    'btcpay.store.canviewpayouts': ('View payouts', 'Allows viewing payouts on {stores}.'),
    'btcpay.store.canmodifyinvoices': (
        'Modify invoices', 'Allows viewing and modifying invoices on {stores}.'),
    'btcpay.store.canviewinvoices': ('View invoices', 'Allows viewing invoices on {stores}.'),
    'btcpay.store.canviewstoresettings': (
        'View your stores', "Allows viewing {stores}' settings."),
    'btcpay.store.canmodifystoresettings': (
        'Modify your stores', 'Allows managing invoices on {stores} and modifying their settings.'),
    'btcpay.store.webhooks.canmodifywebhooks': (
        "Modify {stores}' webhooks", 'Allows modifying the webhooks of {stores}.'),
    'unrestricted': ('Unrestricted access', 'Allows everything your account may do.'),
}


def describe(policy, selective):
    """:return: {'title', 'text'} of a policy; one without words of its own is shown as it is"""
    title, text = TEXTS.get(policy, (policy, ''))
    chosen = _('the selected stores') if selective else _('all your stores')
    short = _('selected stores') if selective else _('all your stores')
    return {'title': _(title, stores=short), 'text': _(text, stores=chosen)}
