{
    'name': "BTCPay Server Greenfield: Demo",
    'summary': "The page of `make demo` that tells the story and plays the awkward cases",
    'category': 'Accounting/Payment Providers',
    'version': '19.0.1.0.0',
    'author': "BTCPay Server for Odoo contributors",
    'license': 'LGPL-3',
    'depends': ['payment_btcpay', 'website_sale'],
    'data': [
        'data/demo_data.xml',
        'views/demo_templates.xml',
        'views/layout_templates.xml',
    ],
    'assets': {'web.assets_frontend': ['payment_btcpay_demo/static/src/header.css']},
}
