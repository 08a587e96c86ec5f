"""Health, server info, languages, permissions."""
import json
from pathlib import Path

from ..defaults import METHODS, VERSION
from ..errors import ApiError
from ..nodes import chain_synchronized
from ..permissions import ALL, IMPLIED
from .http import Api

api = Api()

LANGUAGES = json.loads((Path(__file__).parent / 'languages.json').read_text(encoding='utf-8'))


@api('GET', '/health', anonymous=True)
def health(context):
    return {'synchronized': chain_synchronized(context.server)}


@api('GET', '/server/info')
def server_info(context):
    if not chain_synchronized(context.server):
        raise ApiError(500)
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


@api('GET', '/misc/lang', prefix='')
def languages(_context):
    return [{'code': code, 'currentLanguage': name} for code, name in LANGUAGES.items()]


@api('GET', '/misc/permissions', anonymous=True, prefix='')
def permissions(_context):
    return [
        {'name': policy, 'included': list(IMPLIED.get(policy, ()))} for policy in sorted(ALL)
    ]


def find_language(code):
    """:return: the language of the server that is closest, 'ja-JP' for 'ja', or None"""
    language, _, country = code.lower().replace('_', '-').partition('-')
    found = [known for known in LANGUAGES if known.lower().partition('-')[0] == language]
    ending = f'-{country or language}'
    closest = [known for known in found if known.lower().endswith(ending)]
    return next(iter(closest or found), None)
