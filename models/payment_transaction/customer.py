"""What the customer is told: by mail, and on the status page."""
import psycopg2

from odoo import _, api, fields, models

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import claim
from odoo.addons.payment_btcpay.greenfield import name_method
from odoo.addons.payment_btcpay.utils import mail_privately, one_line, post_template

# Whoever has the link can claim the money: only the customer gets it.
REFUND_LINK_TEMPLATE = 'mail_template_refund'

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === MAILS === #

    def _btcpay_mail_customer(self, template_name):
        """Mail the customer, in their language, on the document of the payment.

        The link of a refund is mailed to the customer alone, with a note on the document.

        The mail leaves when the database transaction is committed, together with what it is about.

        Note: `self.ensure_one()`

        :param str template_name: The name of the mail template in this module.
        :return: Whether the customer was mailed.
        :rtype: bool
        """
        self.ensure_one()
        template = self.env.ref(f'payment_btcpay.{template_name}', raise_if_not_found=False)
        if not template or not self.partner_id.email:
            return False
        document = self._btcpay_get_document().sudo()
        try:
            with self.env.cr.savepoint():
                author = self._btcpay_get_sender(document)
                if template_name == REFUND_LINK_TEMPLATE:
                    mail_privately(template.sudo(), self, author)
                    self._btcpay_post_note(_(
                        "The link to claim the refund %(reference)s was mailed to %(email)s.",
                        reference=self.reference, email=self.partner_id.email,
                    ))
                else:
                    post_template(template.sudo(), self, document, author)
        except psycopg2.OperationalError:
            raise  # All is done again.
        except Exception as error:
            # What became of the money does not depend on a mail template.
            _logger.exception("No mail to the customer of transaction %s", self.reference)
            self._btcpay_flag_for_review(_(
                "The customer could not be mailed about the payment %(reference)s: the template"
                " “%(template)s” fails (%(error)s). Write to the customer, and correct it.",
                reference=self.reference, template=template.name,
                error=one_line(error),
            ), 'mail')
            return False
        return True

    def _btcpay_get_sender(self, document):
        """Return who writes to the customer: Odoo itself has no address to be answered at.

        :param sale.order|account.move|res.partner document: The document.
        :return: The document's salesperson, else the company.
        :rtype: res.partner
        """
        if document._name == 'res.partner':
            return self.company_id.partner_id
        return document._btcpay_get_sender()

    def _btcpay_filter_told_to_customer(self):
        """Return those of which a mail of ours tells how the payment stands, in place of Odoo's.

        Odoo's takes a partial payment for the whole, and has no link to pay the amount due.

        :rtype: payment.transaction
        """
        return self.filtered(
            lambda tx: tx.provider_code == 'btcpay' and tx._btcpay_is_told_to_customer()
        )

    def _btcpay_is_told_to_customer(self):
        """Return whether a mail of ours tells how the payment stands."""
        self.ensure_one()
        match self.state:
            case 'pending':  # In part, or with nothing any more: the wallet replaced it.
                return self.btcpay_status == 'New'
            case 'done':
                is_partial = self.source_transaction_id.btcpay_status in ('Expired', 'Invalid')
                return is_partial or self._btcpay_is_difference_due()
        return False

    # === WHAT IS ASKED FOR NEXT === #

    @api.depends('btcpay_dues', 'btcpay_due_amount', 'currency_id')
    @api.depends_context('lang')
    def _compute_btcpay_due_text(self):
        for tx in self:
            tx.btcpay_due_text = tx._btcpay_get_due_text()

    def _btcpay_get_due_text(self):
        """Return what the customer has to send of what is due, by each method.

        The server deducts a network fee of each further on-chain payment, so that more is to be
        sent than is due.

        :return: E.g. `$ 65.00 by Bitcoin (a network fee of $ 5.00 included)`.
        :rtype: str
        """
        self.ensure_one()
        shown = self.currency_id.format
        due = self.btcpay_due_amount
        amounts = {
            method: self.currency_id.round(float(amount))
            for method, amount in (self.btcpay_dues or {}).items()
        }
        texts = []
        for method, amount in sorted(amounts.items(), key=lambda item: -item[1]):
            fee = self.currency_id.round(amount - due)
            values = {
                'amount': shown(amount), 'method': name_method(method),
                'fee': shown(fee),
            }
            texts.append(_(
                "%(amount)s by %(method)s (a network fee of %(fee)s included)", **values
            ) if fee > 0 else _("%(amount)s by %(method)s", **values))
        if not any(self.currency_id.compare_amounts(amount, due) for amount in amounts.values()):
            return shown(due)
        return _(" or ").join(dict.fromkeys(texts))

    # === THE ORDER'S PAGE === #

    def _btcpay_get_claim_link(self, user):
        """Return where the refund is claimed, if whoever reads the page is the customer.

        Pages are opened by their link as well, by salespeople and by whoever was sent it: who is
        not logged in as the customer has the link by the mail, or not at all.

        :param res.users user: The user who reads; the records are in sudo mode.
        :return: The link; False if the reader is not to have it, or there is nothing to claim.
        :rtype: str|bool
        """
        self.ensure_one()
        is_theirs = not user._is_public() and user.partner_id == self.partner_id
        return is_theirs and self._btcpay_is_claimable() and self.btcpay_refund_link

    # === THE STATUS PAGE === #

    def _btcpay_is_payable(self):
        """Return whether the customer can still pay the invoice, or the amount due of it."""
        self.ensure_one()
        return bool(
            self.btcpay_status == 'New'
            and self.btcpay_checkout_link
            and (not self.btcpay_expires_at or self.btcpay_expires_at > fields.Datetime.now())
        )

    def _btcpay_is_being_post_processed(self):
        """Return whether the scheduled action is confirming the order at this moment.

        The customer's page need not collide with it.
        """
        self.ensure_one()
        return not self.is_post_processed and not claim(self)

    def _btcpay_get_failure_message(self):
        """Return why the payment failed, for the customer.

        :return: The message; empty if the framework's own says it.
        :rtype: str
        """
        self.ensure_one()
        if self.state_message:
            return self.state_message
        if self.btcpay_status == 'Expired' and not self.btcpay_paid_amount:
            return _(
                "The time for this Bitcoin payment is over. Nothing was charged, and your order is"
                " kept: you can pay it again."
            )
        if not self.btcpay_paid_amount:
            return ''
        if self._btcpay_is_paid_in_full():
            return _(
                "%(paid)s has arrived, but not before the time for this payment was over. We have"
                " been notified and will contact you.", **self._btcpay_get_sums(),
            )
        return _(
            "%(paid)s of %(amount)s has arrived after the time for this payment was over. We have"
            " been notified and will contact you.", **self._btcpay_get_sums(),
        ) if self._btcpay_is_all_late() else _(
            "%(paid)s of %(amount)s has arrived, but the rest did not before the time for this"
            " payment was over. We have been notified and will contact you.",
            **self._btcpay_get_sums(),
        )

    def _btcpay_get_wait_message(self):
        """Return what the customer is waiting for.

        :return: The message; empty if there is nothing to say.
        :rtype: str
        """
        self.ensure_one()
        if self.btcpay_status == 'Processing':
            return _("Your payment was seen and waits for confirmation by the Bitcoin network.")
        if self.btcpay_status == 'New' and self.btcpay_additional_status == 'PaidPartial':
            return _(
                "%(paid)s of %(amount)s has arrived. Please pay the amount due, %(asked)s, before"
                " the invoice expires.", **self._btcpay_get_sums(),
            )
        if self.btcpay_status == 'New':
            return _("No payment has been seen yet.")
        return ''

    def _btcpay_get_progress(self):
        """Return what tells the status page whether it shows something that has changed since.

        :return: The progress, the same in all languages; empty once the page is left.
        :rtype: str
        """
        self.ensure_one()
        if self.state not in ('draft', 'pending'):
            return ''
        return f'{self.btcpay_status} {self.btcpay_additional_status} {self.btcpay_paid_amount:.8f}'

    def _btcpay_get_retry_url(self):
        """Return where the customer can pay again after the payment failed.

        :return: The address, on this site.
        :rtype: str
        """
        self.ensure_one()
        landing_route = self.landing_route or '/my/home'
        if landing_route.startswith('/my/orders/'):
            return landing_route + self._btcpay_get_retry_params()
        if not landing_route.startswith('/shop/'):
            return landing_route
        # The shop's landing route would empty the cart. What Odoo has made a quotation of, since a
        # payment had been seen, is no cart any more.
        order = self.sale_order_ids[:1]
        return '/shop/payment' if not order or order.state == 'draft' else order.get_portal_url()

    def _btcpay_get_retry_params(self):
        """Return what makes the order's page offer again what was to be paid by a link.

        :return: The parameters, to be appended to the page's address; empty if it does by itself.
        :rtype: str
        """
        self.ensure_one()
        order = self.sale_order_ids[:1]
        amount = min(self.amount, order._btcpay_get_amount_due()) if order else 0
        # The page refuses less than what is to be paid in advance, which may be more by now.
        if amount <= 0 or (
            order.state != 'sale' and amount < order._get_prepayment_required_amount()
        ):
            return ''
        return f'{"&" if "?" in self.landing_route else "?"}payment_amount={amount}'
