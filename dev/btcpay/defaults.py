"""What the server is, and what it and a new store look like at the start."""
MERCHANT = 'merchant@example.com'
PASSWORD = 'bitcoin-demo'  # of the demo, printed at start
VERSION = '2.4.1+03345c2886a58ea4d2f603cb6554b2e3f5d690a4'
METHODS = ('BTC-LN', 'BTC-CHAIN', 'BTC-LNURL')

#: what a new store looks like in the API
STORE_SETTINGS = {
    'website': None,
    'brandColor': None,
    'applyBrandColorToBackend': False,
    'logoUrl': None,
    'cssUrl': None,
    'paymentSoundUrl': None,
    'supportUrl': None,
    'invoiceExpiration': 900,
    'displayExpirationTimer': 300,
    'refundBOLT11Expiration': 30,
    'monitoringExpiration': 86400,
    'speedPolicy': 'MediumSpeed',
    'lightningDescriptionTemplate': 'Paid to {StoreName} (Order ID: {OrderId})',
    'paymentTolerance': 0.0,
    'anyoneCanCreateInvoice': False,
    'defaultCurrency': 'USD',
    'additionalTrackedRates': [],
    'lightningAmountInSatoshi': False,
    'lightningPrivateRouteHints': False,
    'onChainWithLnInvoiceFallback': False,
    'lazyPaymentMethods': False,
    'redirectAutomatically': False,
    'archived': False,
    'showRecommendedFee': True,
    'recommendedFeeBlockTarget': 1,
    'defaultPaymentMethod': None,
    'htmlTitle': None,
    'networkFeeMode': 'MultiplePaymentsOnly',
    'paymentMethodCriteria': [],
    'payJoinEnabled': False,
    'autoDetectLanguage': False,
    'showPayInWalletButton': True,
    'showStoreHeader': True,
    'celebratePayment': True,
    'playSoundOnPayment': False,
    'receipt': {'enabled': True, 'showQR': True, 'showPayments': True},
}

#: control settings and their values at start, see /_control/settings
SETTINGS = {
    'auto_approve': False,
    'auto_pay': None,
    #: whether the customer leaves the checkout as soon as it is open, before paying: the modal is
    #: closed, else they go back to the shop with the browser's button
    'auto_close': False,
    'auto_mine': True,
    'retry_factor': '1',
    'delivery_timeout': '100',
    'fee_rate': '100',
    #: node that is stopped: 'lightning', 'chain' or None
    'down': None,
    #: whether the merchant administers the server
    'administrator': True,
}
