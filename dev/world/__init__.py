"""The one interface by which tests, walk and torture make things happen in the world.

``with from_environment() as world:`` gives a stand-in of its own, or the real regtest server that
the environment names. Only relative imports here: the package is also used from inside Odoo, as
``odoo.addons.payment_btcpay.dev.world``.
"""
import os

from .base import GUIDE, NotPossible, Refused, World
from .stand_in import StandIn

#: what names a real server; all four or none
VARIABLES = ('BTCPAY_URL', 'BTCPAY_EMAIL', 'BTCPAY_PASSWORD', 'BITCOIND_URL')


def real_server_named():
    """:return: whether the environment names a real server
    :raise RuntimeError: if it names one by half
    """
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing and len(missing) < len(VARIABLES):
        raise RuntimeError(
            f'To use a real BTCPay Server set {", ".join(missing)} as well; '
            'to use the stand-in set none of them.')
    return not missing


def from_environment():
    """:return: a World; the caller closes it (or uses it in ``with``)"""
    if real_server_named():
        from .regtest import Regtest

        return Regtest(*(os.environ[name] for name in VARIABLES))
    return StandIn.started()
