"""The journal in which Bitcoin payments are booked."""
from odoo import models
from odoo.exceptions import UserError

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _btcpay_ensure_journal(self, store_name):
        """Have payments booked in a journal of their own, where nobody has chosen one yet.

        Else Odoo takes the company's first bank, in whose statements they never appear. A journal
        that was chosen stays, and so does one that was made, whatever becomes of the connection.

        :param str store_name: The name of the store, by which a second provider is told there.
        """
        self.ensure_one()
        if self.env['account.payment.method.line'].search_count([
            ('payment_provider_id', '=', self.id), ('journal_id', '!=', False),
        ], limit=1):
            return
        try:
            with self.env.cr.savepoint():
                journal = self._btcpay_find_journal() or self._btcpay_make_journal()
                if journal.active:
                    self._btcpay_add_to_journal(journal, store_name)
        except UserError as error:  # As without a chart of accounts; Odoo chooses one then.
            _logger.warning("No journal for provider %s: %s", self.id, error)

    def _btcpay_add_to_journal(self, journal, store_name):
        """Have the provider's payments booked in a journal.

        As Odoo does it, but for the name, which must be another for each provider.

        :param account.journal journal: The journal.
        :param str store_name: The name of the store.
        """
        names = journal.inbound_payment_method_line_ids.mapped('name')
        method = self._get_provider_payment_method(self._get_code())
        self.env['account.payment.method.line'].create({
            'name': f'{self.name} ({store_name})' if self.name in names else self.name,
            'payment_method_id': method.id,
            'journal_id': journal.id,
            'payment_provider_id': self.id,
            'payment_account_id': self._get_payment_method_outstanding_account_id(method),
        })
        self.invalidate_recordset(['journal_id'])

    def _btcpay_find_journal(self):
        """Return the journal that was made for the company.

        :rtype: account.journal|None
        """
        return self.env.ref(
            f'payment_btcpay.journal_{self.company_id.id}', raise_if_not_found=False
        )

    def _btcpay_make_journal(self):
        """Make a journal for the company, with an account of its own.

        :rtype: account.journal
        """
        company = self.company_id
        journals = self.env['account.journal'].with_company(company)
        is_taken = journals.with_context(active_test=False).search_count([
            *journals._check_company_domain(company), ('code', '=', 'BTC'),
        ], limit=1)
        # Made here: after `_` Odoo's export takes what is in brackets for a text
        code = {} if is_taken else {'code': 'BTC'}
        journal = journals.create({
            'name': self._btcpay_in_company_language().env._("Bitcoin"),
            'type': 'bank',
            **code,
            'company_id': company.id,
        })
        # By them it is found again, and removed with the module if nothing was booked.
        self.env['ir.model.data']._update_xmlids([
            {'xml_id': f'payment_btcpay.{name}_{company.id}', 'record': record, 'noupdate': True}
            for name, record in (('account', journal.default_account_id), ('journal', journal))
        ])
        return journal
