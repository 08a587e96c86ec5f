from odoo.http import Controller, request, route

from odoo.addons.payment.logging import get_payment_logger
from odoo.addons.payment.utils import check_access_token
from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.db import RowBusy
from odoo.addons.payment_btcpay.greenfield import clean

_logger = get_payment_logger(__name__, sensitive_keys=const.SENSITIVE_KEYS)


class BTCPayPayRest(Controller):

    @route(
        const.PAY_REST_ROUTE, type='http', auth='public', methods=['POST'], website=True,
        sitemap=False, max_content_length=const.MAX_FORM_SIZE,
    )
    def btcpay_pay_rest(self, ref='', token='', **_data):
        """Let the customer pay what is missing of an invoice that is over.

        :param str ref: The reference of the transaction.
        :param str token: What a page gave along that showed the transaction.
        :return: The redirection to where it is paid.
        :rtype: Response
        """
        ref, token = clean(ref), clean(token)
        tx_sudo = request.env['payment.transaction'].sudo().search([
            ('reference', '=', ref), ('provider_code', '=', 'btcpay'),
        ], limit=1)
        if (
            not tx_sudo or not token.isascii()  # Else they cannot be compared.
            or not check_access_token(token, 'btcpay_rest', tx_sudo.id, ref)
        ):
            return request.redirect('/my')
        try:
            url = tx_sudo._btcpay_as_odoo()._btcpay_pay_rest()
        except RowBusy as error:
            _logger.warning("The rest of transaction %s cannot be paid now: %s", ref, error)
            url = ''
        return request.redirect(url or tx_sudo._btcpay_get_retry_url())
