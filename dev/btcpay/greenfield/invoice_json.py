"""How the API shows an invoice and its methods."""
from decimal import Decimal

from .. import sums
from ..addresses import NODE
from ..amounts import plain
from ..events import payment_json
from ..lifecycle import markable
from ..prompts import payment_link


def invoice_json(context, invoice, include_methods=False):
    store = context.server.stores[invoice.store_id]
    checkout = invoice.checkout
    return {
        'id': invoice.id,
        'storeId': invoice.store_id,
        'amount': plain(invoice.amount),
        'paidAmount': plain(sums.paid_amount(invoice)),
        'checkoutLink': f'{context.url}/i/{invoice.id}',
        'status': invoice.status,
        'additionalStatus': invoice.additional_status,
        'monitoringExpiration': int(invoice.monitoring_expiration),
        'expirationTime': int(invoice.expiration),
        'createdTime': int(invoice.created),
        'availableStatusesForManualMarking': markable(invoice),
        'archived': invoice.archived,
        'paymentMethods': [
            method_json(invoice, method) for method in invoice.methods.values()
        ] if include_methods else [],
        'type': invoice.type,
        'currency': invoice.currency,
        'metadata': _json(invoice.metadata),
        'checkout': {
            'speedPolicy': checkout['speedPolicy'],
            'paymentMethods': list(invoice.methods),
            'defaultPaymentMethod': checkout['defaultPaymentMethod'],
            'expirationMinutes': _minutes(invoice.expiration - invoice.created),
            'monitoringMinutes': _minutes(invoice.monitoring_expiration - invoice.expiration),
            'paymentTolerance': float(checkout['paymentTolerance']),
            'redirectURL': checkout['redirectURL'],
            'redirectAutomatically': checkout['redirectAutomatically'],
            'defaultLanguage': checkout['defaultLanguage'],
            'lazyPaymentMethods': None,
        },
        'receipt': {
            key: default if invoice.receipt.get(key) is None else invoice.receipt[key]
            for key, default in store.settings['receipt'].items()
        },
    }


def _minutes(seconds):
    return int(round(seconds, 3) // 60)


def _json(value):
    """JSON as it came: decimals of metadata are numbers again."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def method_json(invoice, method, only_accounted=True, sensitive=False):
    own = sums.accounting(invoice, method.id)
    return {
        'activated': method.activated,
        'destination': method.destination,
        'paymentLink': payment_link(invoice, method.id),
        'rate': plain(method.rate),
        'paymentMethodPaid': plain(own.paid),
        'totalPaid': plain(own.total_paid),
        'due': plain(own.due),
        'amount': plain(own.total_due),
        'paymentMethodFee': plain(own.fee),
        'payments': [
            payment_json(payment) for payment in invoice.payments
            if payment.method_id == method.id and (payment.accounted or not only_accounted)
        ],
        'paymentMethodId': method.id,
        'additionalData': _additional(method, sensitive) if method.activated else None,
        'currency': 'BTC',
    }


def _additional(method, sensitive):
    details = method.details
    if method.id == 'BTC-CHAIN':
        return {
            'feeMode': details['feeMode'],
            'paymentMethodFeeRate': details['paymentMethodFeeRate'],
            'payjoinEnabled': details['payjoinEnabled'],
            'recommendedFeeRate': details['recommendedFeeRate'],
            'keyPath': f"0/{details['keyIndex']}",
            'keyIndex': details['keyIndex'],
            'accountDerivation': 'tpub' if sensitive else None,
        }
    if method.id == 'BTC-LN':
        return {
            'paymentHash': details['paymentHash'],
            'preimage': details.get('revealed'),
            'invoiceId': details['paymentHash'],
            'nodeInfo': NODE,
        }
    return {
        'generatedBoltAmount': None,
        'bech32Mode': True,
        'providedComment': None,
        'consumedLightningAddress': None,
        'payRequest': None,
        'paymentHash': None,
        'preimage': None,
        'invoiceId': None,
        'nodeInfo': details['nodeInfo'],
    }
