"""Health, server info, languages, permissions."""
import json
from pathlib import Path

from ..defaults import METHODS, VERSION
from ..permissions import ALL, IMPLIED
from .http import Api

api = Api()

LANGUAGES = json.loads((Path(__file__).parent / 'languages.json').read_text(encoding='utf-8'))


@api('GET', '/health', anonymous=True)
def health(_context):
    return {'synchronized': True}


@api('GET', '/server/info')
def server_info(context):
    height = context.server.height
    return {
        'syncStatus': [{
            'chainHeight': height,
            'syncHeight': height,
            'nodeInformation': {'headers': height, 'blocks': height, 'verificationProgress': 1.0},
            'paymentMethodId': 'BTC-CHAIN',
            'available': True,
        }],
        'version': VERSION,
        'onion': None,
        'supportedPaymentMethods': sorted(METHODS),
        'fullySynched': True,
    }


@api('GET', '/misc/lang', anonymous=True, prefix='')
def languages(_context):
    return [{'code': code, 'currentLanguage': name} for code, name in LANGUAGES.items()]


@api('GET', '/misc/permissions', anonymous=True, prefix='')
def permissions(_context):
    return [
        {'name': policy, 'included': list(IMPLIED.get(policy, ()))} for policy in sorted(ALL)
    ]


def find_language(code):
    """:return: the server's own spelling of a language code, or None"""
    return next((known for known in LANGUAGES if known.lower() == code.lower()), None)
