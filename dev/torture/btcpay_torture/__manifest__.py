# Loaded and installed in the databases of `python -m dev.torture` only, see `dev/torture/stack.py`.
{
    'name': "Torture of payment_btcpay",
    'author': "payment_btcpay",
    'version': '1.0',
    'depends': ['payment_btcpay', 'sale_management'],
    'post_init_hook': 'post_init_hook',
    'license': 'LGPL-3',
}
