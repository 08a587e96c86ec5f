import re

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.tests.sync.test_sync_in_batches import (
    MODELS,
    QUIET,
    ReconcileCommon,
)

LOGS = (f'{MODELS}.payment_provider.sync', f'{MODELS}.payment_provider.webhook')


@tagged('post_install', '-at_install')
class TestBrokenLists(ReconcileCommon):
    """The server breaks (HTTP 500) by one item of what it is asked for, as of a plugin."""

    @mute_logger(*QUIET)
    def test_when_the_server_tells_of_no_payments_then_it_is_not_taken_for_down(self):
        """As where a plugin that has made one of the invoices' methods is broken."""
        transactions = self._create_open(const.MAX_FAILURES + 1)
        for tx in transactions:
            self.world.pay(tx.btcpay_invoice_id)
        self.world.fault('status', path='/payment-methods$', status=500, count=None)
        self._reconcile()
        self.assertFalse(self.btcpay.btcpay_unreachable_since)
        self.world.mine()
        self._make_due(transactions)
        self._reconcile()
        self.assertEqual(set(transactions.mapped('state')), {'done'}, "It is paid in full.")
        self.world.clear_faults()
        self._make_due(transactions)
        self._reconcile()
        self.assertTrue(all(tx.btcpay_payment_ids.txid for tx in transactions))

    @mute_logger(*QUIET)
    def test_when_the_list_of_invoices_breaks_then_each_is_asked_for_by_itself(self):
        """As by one of them, which a plugin has made that is broken."""
        transactions = self._create_open(const.MAX_FAILURES + 1)
        for tx in transactions:
            self.world.pay(tx.btcpay_invoice_id)
        self.world.mine()
        self.world.fault('status', path='/invoices$', status=500, count=None)
        self._reconcile()
        self.assertEqual(set(transactions.mapped('state')), {'done'})
        self.assertFalse(self.btcpay.btcpay_unreachable_since)

    @mute_logger(*QUIET, *LOGS)
    def test_when_the_daily_look_at_the_store_breaks_then_payments_are_synced(self):
        for number, path in enumerate(('/payment-methods$', '/rates$', '/deliveries$')):
            with self.subTest(path=path):
                self.btcpay.write({
                    'btcpay_webhook_checked_at': False, 'btcpay_store_read_at': False,
                })
                tx = self._create_btcpay_transaction(reference=f'{self._testMethodName}-{number}')
                self._make_due(tx)
                self.world.pay(tx.btcpay_invoice_id)
                self.world.mine()
                self.world.fault('status', path=path, status=500, count=None)
                self._reconcile()
                self.world.clear_faults()
                self.assertTrue([r for r in self.received if re.search(path, r['path'])])
                self.assertEqual(tx.state, 'done')
                self.assertFalse(self.btcpay.btcpay_unreachable_since)
