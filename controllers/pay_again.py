from odoo.http import request, route

from odoo.addons.payment.controllers.portal import PaymentPortal
from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.payment_btcpay import const

SESSION_KEY = '__payment_btcpay_again__'
BEGUN_KEY = '__payment_btcpay_begun__'
# How many payments a session remembers, the newest ones.
MAX_BEGUN = 20


class BTCPayPayAgain(PaymentPostProcessing):

    @route(
        const.PAY_AGAIN_ROUTE, type='http', auth='public', methods=['POST'], website=True,
        sitemap=False, max_content_length=const.MAX_FORM_SIZE,
    )
    def btcpay_pay_again(self, **_data):
        """Let the customer pay a second time, who was told that a payment is on its way.

        It holds for the payment that the session has, and no other.

        :return: The redirection to where the payment can be made.
        :rtype: Response
        """
        tx_sudo = self._get_monitored_transaction()
        if not tx_sudo.btcpay_seen_transaction_id:
            return request.redirect('/payment/status')
        request.session[SESSION_KEY] = tx_sudo.btcpay_seen_transaction_id.id
        return request.redirect(tx_sudo._btcpay_get_retry_url())


class BTCPayPaymentPortal(PaymentPortal):

    def _create_transaction(self, *args, **kwargs):
        """Override of `payment` to remember what the session has begun, and that the customer pays
        again on purpose, and to speak the page's language, which Odoo does only where its website
        is called."""
        tx_sudo = super()._create_transaction(*args, **kwargs)
        if tx_sudo.provider_code != 'btcpay':
            return tx_sudo
        begun_ids = request.session.get(BEGUN_KEY, [])
        request.session[BEGUN_KEY] = [*begun_ids, tx_sudo.id][-MAX_BEGUN:]
        seen_id = request.session.get(SESSION_KEY)
        if seen_id and seen_id in tx_sudo._btcpay_get_payment_siblings().ids:
            request.session.pop(SESSION_KEY)
            tx_sudo.btcpay_is_repeated = True
        lang = request.env['res.lang']._get_data(code=request.cookies.get('frontend_lang')).code
        return tx_sudo.with_context(lang=lang) if lang else tx_sudo
