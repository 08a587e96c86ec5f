# Loaded by the Odoo of `python -m dev.bench` only, see `dev/bench/place.py`; never installed.
{
    'name': "Measuring of payment_btcpay",
    'author': "payment_btcpay",
    'version': '1.0',
    'depends': ['base'],
    'license': 'LGPL-3',
}
