import secrets
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from odoo import _, api, fields, models
from odoo.tools import hmac

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import commit_and_refresh, lock
from odoo.addons.payment_btcpay.greenfield import GreenfieldError, NotUnderstood, Unreachable
from odoo.addons.payment_btcpay.models.payment_provider.client import AnotherInvoice, MethodMissing
from odoo.addons.payment_btcpay.utils import make_local

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _btcpay_begin(self):
        """Remember what is paid for.

        :raise AccessError: If the transactions were not made by Odoo.
        """
        self._btcpay_check_written_by_odoo()
        for tx in self:
            if source := tx.source_transaction_id:
                tx.btcpay_root_id = source.btcpay_root_id or source
            elif tx.operation not in ('refund', 'validation'):
                # The browser says it, and others who pay for the same may be led there, too.
                tx.landing_route = tx.landing_route and make_local(tx.landing_route)
                tx.btcpay_documents_total = tx._btcpay_get_documents_total() or 0
                tx._btcpay_begin_discount()

    def _btcpay_create_invoice(self):
        """Make the invoice of the transaction at the server.

        The transaction is stored right before: the request may be run again after a serialization
        failure, which must neither forget this invoice nor make a second one, and no row may be
        locked while waiting for the server. If the call fails the transaction ends in error, see
        `_btcpay_fail_checkout`.
        """
        self.ensure_one()
        if self.btcpay_invoice_id or self.state != 'draft':
            return
        if refusal := self._btcpay_get_checkout_refusal():
            _logger.warning("No invoice for transaction %s: %s", self.reference, refusal)
            self._set_error(_(
                "This payment cannot be made with Bitcoin. Nothing was charged. Please choose"
                " another payment method."
            ))
            return
        if self._btcpay_cancel_checkout():
            return
        provider = self.provider_id
        if provider._btcpay_is_known_down() or self._btcpay_is_other_waiting():
            self._btcpay_fail_checkout(Unreachable("it did not answer before"))
            provider._btcpay_retry_soon(minutes=1)
            return

        store_id = self.provider_id.sudo().btcpay_store_id
        self.write({
            'btcpay_requested_at': fields.Datetime.now(),
            'btcpay_invoice_token': self._btcpay_make_token(),
            'btcpay_store_id': store_id,
        })
        self._btcpay_schedule_sync()
        draft = self._btcpay_prepare_invoice()
        siblings = self._btcpay_get_payment_siblings()
        invoice, error = None, None
        try:
            client = self._btcpay_client(timeout=const.CHECKOUT_TIMEOUT, commits=True)
            invoice = client.create_invoice(store_id, draft)
        except GreenfieldError as exc:
            error = exc
            commit_and_refresh(self.env)
        lock(self)
        if invoice:
            error = self._btcpay_find_invoice_error(invoice, draft.payment_methods)
        # The server's first event may have been quicker than its answer, and brought the invoice.
        if not self.btcpay_invoice_id:
            if error:
                self._btcpay_fail_checkout(error, invoice)
            else:
                self._btcpay_store_invoice(invoice)
        siblings._btcpay_invalidate_obsolete()
        # Before it is stored: they read what was just read, and store it where there is news.
        if not error:
            provider._btcpay_retry_soon()
        self._btcpay_report_checkout(
            invoice, draft.payment_methods, None if self.btcpay_invoice_id else error
        )

    def _btcpay_is_other_waiting(self):
        """Return whether another customer has been waiting for the server for so long that it is
        likely to hang: it is enough that one finds it out; and while it did not answer just now,
        that one tries.

        :rtype: bool
        """
        self.ensure_one()
        # Known by when the answer is given up, see `_btcpay_get_next_sync_at`.
        given_up_at = fields.Datetime.now() + timedelta(seconds=const.ANSWER_SECONDS)
        seconds = const.HANG_SECONDS if self.provider_id._btcpay_may_ask() else 0
        return bool(self.search([
            ('provider_id', '=', self.provider_id.id),
            ('btcpay_next_sync_at', '>', given_up_at - timedelta(seconds=const.CHECKOUT_TIMEOUT)),
            ('btcpay_next_sync_at', '<=', given_up_at - timedelta(seconds=seconds)),
            ('state', '=', 'draft'), ('btcpay_invoice_id', '=', False),
        ], limit=1))

    def _btcpay_find_invoice_error(self, invoice, asked):
        """Return why the invoice that the server made cannot be paid.

        :param Invoice invoice: The invoice.
        :param list[str] asked: The ids of the methods that were asked for.
        :rtype: GreenfieldError|None
        """
        self.ensure_one()
        if discrepancy := self._btcpay_find_discrepancy(invoice):
            return AnotherInvoice(discrepancy)
        if not self._btcpay_has_asked_method(invoice, asked):
            return MethodMissing()
        if not invoice.checkout_link:  # The customer has to be sent there.
            return NotUnderstood('invoice.checkoutLink')
        return None

    def _btcpay_get_checkout_values(self):
        """Return what the redirect form is rendered with.

        :return: The address of the invoice's page; its query apart, since a GET form drops it.
        :rtype: dict
        """
        self.ensure_one()
        if not self.btcpay_checkout_link:  # The status page says what is in the way.
            return {'api_url': '/payment/status'} if self.state == 'cancel' else {}
        parts = urlsplit(self.btcpay_checkout_link)
        return {
            'api_url': urlunsplit((parts.scheme, parts.netloc, parts.path, '', '')),
            'url_params': dict(parse_qsl(parts.query)),
        }

    # === THE TRANSACTION'S INVOICE AND NO OTHER === #

    def _btcpay_find_discrepancy(self, invoice):
        """Compare an invoice with the transaction it is said to be for.

        :param Invoice invoice: The invoice.
        :return: What does not agree, for a person; empty if all does.
        :rtype: str
        """
        self.ensure_one()
        store_id = self.sudo().btcpay_store_id or self.provider_id.sudo().btcpay_store_id
        if invoice.store_id != store_id:
            return _(
                "The invoice %(invoice)s belongs to another store at the BTCPay Server. Check the"
                " payment there.", invoice=invoice.id,
            )
        if invoice.order_id != self.reference:
            return _(
                "The invoice %(invoice)s at the BTCPay Server is for “%(other)s”, not for"
                " %(reference)s. Check the payment there.",
                invoice=invoice.id, other=invoice.order_id or None, reference=self.reference,
            )
        if not invoice.money.is_rounded_from(self._btcpay_get_money(self.amount)):
            return _(
                "The invoice %(invoice)s at the BTCPay Server is for %(other_amount)s"
                " %(other_currency)s, the transaction for %(amount)s. Check the payment there.",
                invoice=invoice.id, other_amount=invoice.amount, other_currency=invoice.currency,
                amount=self.currency_id.format(self.amount),
            )
        return ''

    def _btcpay_reject_invoice(self, invoice):
        """Flag for review an invoice that is not the transaction's.

        :param Invoice invoice: The invoice.
        """
        self.ensure_one()
        discrepancy = self._btcpay_find_discrepancy(invoice)
        if not discrepancy:
            self._btcpay_settle_matters('another')
            return
        # Refused, with a line in the log, if it is done already.
        self._set_error(_(
            "This payment could not be matched with your order. Please contact us before you pay"
            " again."
        ))
        self._btcpay_flag_for_review(discrepancy, 'another')

    @api.model
    def _btcpay_make_token(self):
        """Return what an invoice is known by: no other has it, and who knows no transaction of it,
        as in a database that was restored, sees that it is one of this database all the same."""
        nonce = secrets.token_urlsafe(16)
        return f'{nonce}.{hmac(self.env(su=True), const.TOKEN_KEY, nonce)}'

    @api.model
    def _btcpay_is_made_here(self, token):
        """Return whether a token was made by this database, in whichever state.

        :param object token: The token of an invoice, if it is one.
        """
        nonce, _dot, proof = token.partition('.') if isinstance(token, str) else ('', '', '')
        return bool(proof) and proof == hmac(self.env(su=True), const.TOKEN_KEY, nonce)

    def _btcpay_is_own(self, invoice):
        """Return whether an invoice was made by the transaction's own request: only that had the
        token.

        :param Invoice invoice: The invoice.
        :rtype: bool
        """
        self.ensure_one()
        token = self.sudo().btcpay_invoice_token
        return bool(token) and invoice.metadata.get(const.TOKEN_KEY) == token

    def _btcpay_is_adoptable(self, invoice):
        """Return whether an invoice is the one the server made without our getting its answer.

        :param Invoice invoice: The invoice.
        :rtype: bool
        """
        self.ensure_one()
        return (
            not self.btcpay_invoice_id
            and self._btcpay_is_own(invoice)
            and not self._btcpay_find_discrepancy(invoice)
            and self._btcpay_has_asked_method(invoice)
        )

    def _btcpay_store_invoice(self, invoice):
        """Remember the invoice of the transaction.

        :param Invoice invoice: The invoice, which agrees with the transaction.
        """
        self.ensure_one()
        self._btcpay_write_invoice(
            invoice, provider_reference=invoice.id, btcpay_invoice_id=invoice.id,
            btcpay_synced_at=fields.Datetime.now(),
        )
        self._btcpay_schedule_sync()

    def _btcpay_write_invoice(self, invoice, **values):
        """Store what the server says of the invoice.

        :param Invoice invoice: The invoice.
        :param dict values: Other values to write with it.
        """
        self.ensure_one()
        known = self._btcpay_get_invoice_values(invoice)
        # Of what is stored of both: the server may have more digits than the currency has here.
        paid, asked = map(
            self.currency_id.round, (known['btcpay_paid_amount'], known['btcpay_asked_amount'])
        )
        difference = paid - (asked or self.amount)
        self.write({
            **known,
            'btcpay_due_amount': max(-difference, 0),
            'btcpay_overpaid_amount': max(difference, 0),
            **values,
        })

    def _btcpay_get_invoice_values(self, invoice):
        """Return what is stored of an invoice with its transaction.

        :param Invoice invoice: The invoice.
        :rtype: dict
        """
        return {
            'btcpay_checkout_link': invoice.checkout_link,
            'btcpay_status': invoice.status,
            'btcpay_additional_status': invoice.additional_status,
            'btcpay_asked_amount': float(invoice.amount),
            'btcpay_paid_amount': float(invoice.counted_amount),
            'btcpay_expires_at': invoice.expires_at,
            'btcpay_monitored_until': invoice.monitored_until,
        }

    def _btcpay_get_answer_deadline(self):
        """Return until when the request that makes the invoice may still be under way.

        :rtype: datetime
        """
        self.ensure_one()
        return self.btcpay_requested_at + timedelta(seconds=const.ANSWER_SECONDS)
