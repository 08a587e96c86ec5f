from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay.tests.provider.connect_common import BTCPayConnectCommon

JOURNAL_LOG = 'odoo.addons.payment_btcpay.models.payment_provider.journal'


@tagged('post_install', '-at_install')
class TestJournal(BTCPayConnectCommon):
    """A journal of its own is made on connect if there is none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # As it is when the module has just been installed.
        cls.env['account.payment.method.line'].search([
            ('payment_provider_id', '=', cls.btcpay.id),
        ]).unlink()
        cls.btcpay.invalidate_recordset(['journal_id'])

    def _lines(self, provider=None):
        return self.env['account.payment.method.line'].search([
            ('payment_provider_id', '=', (provider or self.btcpay).id),
        ])

    def _count_journals(self):
        return self.env['account.journal'].search_count([
            ('company_id', '=', self.env.company.id), ('type', '=', 'bank'),
        ])

    def test_when_connected_then_payments_have_a_journal_of_their_own(self):
        count = self._count_journals()
        self._connect_well()
        journal = self.btcpay.journal_id
        self.assertRecordValues(journal, [{
            'name': "Bitcoin", 'code': 'BTC', 'type': 'bank', 'company_id': self.env.company.id,
        }])
        self.assertEqual(journal.default_account_id.account_type, 'asset_cash')
        self.assertEqual(self._count_journals(), count + 1)
        self.assertRecordValues(self._lines(), [{
            'journal_id': journal.id, 'code': 'btcpay', 'payment_type': 'inbound',
        }])
        self.assertIn(self._lines(), journal.inbound_payment_method_line_ids)

    def test_when_paid_then_the_payment_is_booked_there(self):
        self._connect_well()
        tx = self._pay_order()
        tx._post_process()
        self.assertEqual(tx.payment_id.journal_id.code, 'BTC')
        self.assertEqual(tx.payment_id.payment_method_line_id, self._lines())

    def test_when_connected_again_then_none_is_made_and_the_books_stay(self):
        self._connect_well()
        journal, count = self.btcpay.journal_id, self._count_journals()
        self.btcpay.action_reset_credentials()
        self.assertTrue(journal.exists().active)
        journal.write({'name': "Coins", 'code': 'COIN'})
        for _time in range(2):
            self._connect_well()
            self.assertEqual((self.btcpay.journal_id, self._count_journals()), (journal, count))
        self._lines().payment_provider_id = False  # As when it is chosen anew.
        self.assertEqual(self.btcpay._btcpay_find_journal(), journal)

    def test_when_somebody_has_chosen_a_journal_then_it_stays(self):
        bank = self.company_data['default_journal_bank']
        self.btcpay.journal_id = bank
        count = self._count_journals()
        self._connect_well()
        self.assertEqual((self.btcpay.journal_id, self._count_journals()), (bank, count))

    def test_when_the_code_is_taken_then_another_is(self):
        # Also by a journal that was archived: codes are unique with those.
        self.company_data['default_journal_cash'].copy({'code': 'BTC', 'active': False})
        self._connect_well()
        self.assertEqual(self.btcpay.journal_id.name, "Bitcoin")
        self.assertNotEqual(self.btcpay.journal_id.code, 'BTC')

    def test_when_a_company_has_a_second_store_then_both_are_booked_there(self):
        self._connect_well()
        other = self.btcpay.copy({'state': 'disabled'})
        self.assertEqual(other.name, self.btcpay.name)
        store_id = self.world.new_store("Coats")
        other._btcpay_connect(self.world.url, self._new_key(store_id), use_webhook=False)
        self.assertEqual(other.journal_id, self.btcpay.journal_id)
        self.assertRecordValues(self._lines(other), [{
            'journal_id': self.btcpay.journal_id.id, 'name': f"{other.name} (Coats)",
        }])

    def test_when_the_module_is_uninstalled_then_it_takes_an_empty_journal_along(self):
        self._connect_well()
        journal, account = self.btcpay.journal_id, self.btcpay.journal_id.default_account_id
        ids = self.env['ir.model.data'].search([
            ('module', '=', 'payment_btcpay'), ('model', 'in', (journal._name, account._name)),
        ], order='id')
        self.assertEqual(ids.mapped('res_id'), [account.id, journal.id], "The last goes first.")
        self.assertTrue(all(ids.mapped('noupdate')))
        self.env['payment.provider'].sudo()._remove_provider('btcpay')
        journal.unlink()
        account.unlink()

    def test_when_another_company_connects_then_the_journal_is_its_own(self):
        self._connect_well()
        second = self.setup_other_company()['company']
        other = self.btcpay.copy({'name': "Second", 'company_id': second.id, 'state': 'disabled'})
        other._btcpay_ensure_journal("Coats")
        self.assertRecordValues(other.journal_id, [{'code': 'BTC', 'company_id': second.id}])
        self.assertNotEqual(other.journal_id, self.btcpay.journal_id)

    def test_when_none_can_be_made_then_the_store_is_connected_all_the_same(self):
        def refuse(*_args):
            raise UserError("No chart of accounts.")

        self.patch(type(self.btcpay), '_btcpay_make_journal', refuse)
        with mute_logger(JOURNAL_LOG):
            self._connect_well()
        self.assertEqual(self.btcpay.journal_id.type, 'bank')
