"""The pages that anybody may open, as often as they like, have their payment synced."""
from datetime import timedelta

from odoo import fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy, Turn, claim, commit_and_refresh
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
        if self.provider_code != 'btcpay' or self.state in ('done', 'cancel', 'error'):
            return
        with Turn(provider, 'page') as turn:
            if not turn.take() or not self._btcpay_take_turn():
                return
            try:
                self._btcpay_sync(timeout=const.SHORT_TIMEOUT)
            except (GreenfieldError, RowBusy) as error:
                _logger.warning("Transaction %s could not be synced: %s", self.reference, error)
                provider._btcpay_report_silence(error)

    def _btcpay_take_turn(self):
        """Note that the server is asked because of a page, before it is; a failure counts as well.

        :return: Whether it is to be asked: nobody else does, or did just now, or in vain.
        :rtype: bool
        """
        self.ensure_one()
        commit_and_refresh(self.env)
        if not self.provider_id._btcpay_may_ask():
            return False
        tx = claim(self)
        now = fields.Datetime.now()
        synced_at, asked_at = tx.btcpay_synced_at, tx.btcpay_asked_at
        is_answered = not asked_at or (synced_at and synced_at >= asked_at)
        seconds = const.SYNC_INTERVAL if is_answered else const.ANSWER_INTERVAL
        last = synced_at if is_answered else asked_at
        is_my_turn = bool(tx) and (not last or last <= now - timedelta(seconds=seconds))
        if is_my_turn:
            tx.btcpay_asked_at = now
        commit_and_refresh(self.env)
        return is_my_turn
