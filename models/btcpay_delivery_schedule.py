"""Deliveries that wait are processed, and old ones removed."""
from collections import Counter
from datetime import timedelta

from odoo import api, fields, models

from odoo.addons.payment_btcpay import const


class BTCPayDelivery(models.Model):
    _inherit = 'btcpay.delivery'

    @api.model
    def _cron_process(self):
        """Process what could not be processed when it came, oldest first.

        Those of a server that does not answer wait until it is to be asked again.
        """
        due = self.sudo().search([
            ('state', '=', 'pending'),
            # What came just now is in the hands of the request that brought it.
            ('next_try_at', '<=', fields.Datetime.now() - timedelta(seconds=const.DELIVERY_GRACE)),
        ], order='next_try_at, id')
        self.env['ir.cron']._commit_progress(remaining=len(due))
        failures = Counter()
        for delivery in due:
            provider = delivery.provider_id
            # Others about the same invoice are answered along with the first.
            if delivery.state == 'pending' and provider._btcpay_may_ask():
                failure = delivery._process()
                failures[provider] = failures[provider] + 1 if failure else 0
                if failures[provider] == const.MAX_FAILURES:
                    provider._btcpay_report_failure(failure)
            if not self.env['ir.cron']._commit_progress(1):
                break

    @api.autovacuum
    def _gc_deliveries(self):
        """Remove deliveries that are older than their provider keeps them, the oldest first, a
        bounded number of them; Odoo calls again as long as some are left.

        :return: How many were removed, and whether some are left.
        :rtype: tuple[int, bool]
        """
        removed = 0
        for provider in self.env['payment.provider']._btcpay_find_all():
            old = self.sudo().search([
                ('provider_id', '=', provider.id),
                ('state', '!=', 'pending'),
                ('create_date', '<', fields.Datetime.now() - timedelta(
                    days=min(max(provider.btcpay_webhook_log_days, 1), const.MAX_LOG_DAYS)
                )),
            ], order='create_date', limit=const.REMOVAL_SIZE - removed)
            old.unlink()
            removed += len(old)
            if removed == const.REMOVAL_SIZE:
                return removed, True
        return removed, False
