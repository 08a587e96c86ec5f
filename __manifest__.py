{
    'name': 'Payment Provider: BTCPay Server',
    'version': '19.0.1.0.0',
    'category': 'Accounting/Payment Providers',
    'sequence': 350,
    'summary': "Bitcoin and Lightning payments through the merchant's own BTCPay Server.",
    'description': " ",  # Non-empty string to avoid loading the README file.
    'author': "BTCPay Server for Odoo contributors",
    'website': 'https://btcpayserver.org',
    'depends': ['payment', 'sale'],
    'external_dependencies': {'python': ['requests']},
    'data': [
        'security/payment_btcpay_groups.xml',
        'security/ir.model.access.csv',
        'security/payment_btcpay_rules.xml',

        'views/account_move_views.xml',
        'views/payment_btcpay_templates.xml',
        'views/btcpay_delivery_views.xml',
        'views/payment_method_views.xml',
        'views/payment_provider_views.xml',
        'views/payment_transaction_views.xml',
        'views/sale_order_payment_views.xml',
        'views/sale_order_views.xml',
        'views/btcpay_decision_views.xml',
        'views/portal_templates.xml',
        'views/btcpay_refund_views.xml',
        'wizards/btcpay_connect_wizard_views.xml',
        'wizards/btcpay_payment_request_views.xml',
        'wizards/btcpay_payment_request_many_views.xml',
        'wizards/btcpay_refund_wizard_views.xml',

        'data/mail_template_data.xml',
        'data/payment_method_data.xml',
        'data/payment_provider_data.xml',
        'data/ir_cron.xml',
    ],
    'assets': {
        'web.assets_frontend': [
            'payment_btcpay/static/src/interactions/**/*',
        ],
        'web.assets_backend': [
            'payment_btcpay/static/src/decisions/**/*',
            'payment_btcpay/static/src/fields/**/*',
        ],
        'web.assets_tests': [
            'payment_btcpay/static/tests/tours/**/*',
        ],
    },
    'post_init_hook': 'post_init_hook',
    'uninstall_hook': 'uninstall_hook',
    'license': 'LGPL-3',
}
