"""The pages that anybody may open, as often as they like, have their payment synced."""
from contextlib import suppress
from datetime import timedelta

from odoo import fields, models
from odoo.tools import SQL

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import CONCURRENCY_ERRORS, RowBusy, Turn, commit
from odoo.addons.payment_btcpay.greenfield import GreenfieldError

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_sync_for_browser(self):
        """Sync because a page was opened that anybody may open, again and again and all at once.

        Nobody waits there for a server that is known not to answer; and only one does, of whatever
        payment, while that is found out. The others' pages ask again by themselves.
        """
        self.ensure_one()
        provider = self.provider_id
        provider._btcpay_fetch_for_call()
        if (
            self.provider_code != 'btcpay' or self.state in ('done', 'cancel', 'error')
            or not provider._btcpay_may_ask()
        ):
            return
        with Turn(provider, 'page') as turn:
            if not self._btcpay_take_turn(turn):
                return
            try:
                self._btcpay_sync(timeout=const.SHORT_TIMEOUT, turn=turn)
            except (GreenfieldError, RowBusy) as error:
                _logger.warning("Transaction %s could not be synced: %s", self.reference, error)
                self._btcpay_report_silence(error)

    def _btcpay_take_turn(self, turn):
        """Take the turn to ask the server because of a page, and note it before it is asked; a
        failure counts as well.

        :param Turn turn: The turn.
        :return: Whether it is to be asked: nobody else does, or did just now, or in vain.
        :rtype: bool
        """
        self.ensure_one()
        now = fields.Datetime.now()
        commit(self.env)  # What is locked is seen as it is now.
        with suppress(*CONCURRENCY_ERRORS):
            self.env.cr.execute(SQL(
                """
                WITH mine AS (
                    SELECT id FROM payment_transaction
                     WHERE id = %(id)s AND CASE
                        WHEN btcpay_asked_at IS NULL OR btcpay_synced_at >= btcpay_asked_at
                        THEN btcpay_synced_at IS NULL OR btcpay_synced_at <= %(sync_limit)s
                        ELSE btcpay_asked_at <= %(answer_limit)s END
                       FOR NO KEY UPDATE SKIP LOCKED
                ), turn AS (
                    SELECT id, %(turn)s AS is_ours FROM mine
                )
                UPDATE payment_transaction tx SET btcpay_asked_at = %(now)s
                  FROM turn WHERE tx.id = turn.id AND turn.is_ours
                """,
                id=self.id, turn=turn.taken, now=now,
                sync_limit=now - timedelta(seconds=const.SYNC_INTERVAL),
                answer_limit=now - timedelta(seconds=const.ANSWER_INTERVAL),
            ), log_exceptions=False)
            turn.is_ours = bool(self.env.cr.rowcount)
            commit(self.env)
        self.env.cr.rollback()
        self.invalidate_recordset(['btcpay_asked_at'], flush=False)
        return turn.is_ours
