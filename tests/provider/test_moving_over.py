import runpy

from odoo.modules.module import get_module_path
from odoo.tests import tagged

from odoo.addons.payment_btcpay.tests.common import BTCPayCommon


@tagged('post_install', '-at_install')
class TestMovingOver(BTCPayCommon):
    """A database that had BTCPay Server's plugin for Odoo 16, of the same name and code."""

    def _migrate(self):
        self.env.flush_all()
        script = runpy.run_path(
            f'{get_module_path("payment_btcpay")}/migrations/19.0.1.0.0/pre-moving_over.py'
        )
        script['migrate'](self.env.cr, '16.0.1.0')
        self.env.invalidate_all()

    def _has_column(self, table, column):
        self.env.cr.execute(
            'SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = %s',
            [table, column],
        )
        return bool(self.env.cr.fetchone())

    def test_when_the_old_plugin_was_there_then_its_payments_are_read_and_its_key_is_gone(self):
        tx = self._create_btcpay_transaction(self._create_order(), make_invoice=False)
        tx._set_done(state_message="Thank you.")
        self.btcpay.sudo().write({
            'state': 'disabled', **self.btcpay._btcpay_get_empty_connection(),
        })
        self.env.flush_all()
        self.env.cr.execute('''
            ALTER TABLE payment_provider
              ADD COLUMN btcpay_location varchar, ADD COLUMN "btcpay_pairingCode" varchar,
              ADD COLUMN btcpay_token varchar, ADD COLUMN "btcpay_privateKey" text,
              ADD COLUMN btcpay_facade varchar;
            ALTER TABLE payment_transaction
              ADD COLUMN "btcpay_invoiceId" varchar, ADD COLUMN btcpay_txid varchar;
        ''')
        self.env.cr.execute('''
            UPDATE payment_provider
               SET state = 'enabled', is_published = TRUE, btcpay_token = 'an old token',
                   "btcpay_privateKey" = 'an old private key'
             WHERE id = %s
        ''', [self.btcpay.id])
        self.env.cr.execute('''
            UPDATE payment_transaction
               SET "btcpay_invoiceId" = 'OLDINVOICE', btcpay_status = 'complete',
                   btcpay_txid = 'https://old.example.com/i/OLDINVOICE'
             WHERE id = %s
        ''', [tx.id])
        self._migrate()
        self.assertEqual((tx.state, tx.amount), ('done', 100))
        self.assertEqual(
            tx.state_message,
            "Thank you.\nBTCPay Server: OLDINVOICE, complete, https://old.example.com/i/OLDINVOICE",
        )
        self.assertFalse(tx.btcpay_status or tx.btcpay_invoice_id or tx.btcpay_next_sync_at)
        self.assertRecordValues(self.btcpay, [{
            'state': 'disabled', 'is_published': False, 'btcpay_health': 'disconnected',
        }])
        for column in ('btcpay_token', 'btcpay_privateKey', 'btcpay_pairingCode'):
            self.assertFalse(self._has_column('payment_provider', column), column)
        self.env['payment.provider']._cron_btcpay_sync()
        self.assertEqual(tx.state, 'done')

    def test_when_it_was_not_there_then_nothing_is_changed(self):
        tx = self._create_btcpay_transaction(self._create_order())
        status, message = tx.btcpay_status, tx.state_message
        self._migrate()
        self.assertEqual(self.btcpay.state, 'enabled')
        self.assertEqual((tx.btcpay_status, tx.state_message), (status, message))
        self.assertTrue(self.btcpay._btcpay_is_connected())
