"""Where the transactions of a blockchain are looked up."""
from urllib.parse import quote

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.payment_btcpay.greenfield import is_lightning, is_web_link


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # None is the default: whoever runs an explorer learns which transactions are looked at.
    btcpay_explorer_url = fields.Char(
        string="Block Explorer",
        help="Where on-chain payments are looked up, e.g. https://mempool.space/tx/{txid}."
             " {txid} stands for the transaction id, {currency} for the currency, e.g. BTC. Whoever"
             " runs the explorer learns which transactions you look at.",
    )

    @api.constrains('btcpay_explorer_url')
    def _check_btcpay_explorer_url(self):
        """Check that it is the address of a page for each transaction.

        :raise ValidationError: If not.
        """
        for provider in self.filtered('btcpay_explorer_url'):
            address = provider.btcpay_explorer_url
            if not is_web_link(address) or '{txid}' not in address:
                raise ValidationError(_(
                    "The address of a block explorer begins with https:// and has {txid} where the"
                    " transaction id goes, e.g. https://mempool.space/tx/{txid}"
                ))

    def _btcpay_get_explorer_link(self, txid, method):
        """Return the page of a transaction.

        :param str txid: The transaction id.
        :param str method: The id of the payment method.
        :return: The page's address; False for none, as of Lightning payments.
        :rtype: str|bool
        """
        self.ensure_one()
        if not txid or not self.btcpay_explorer_url or is_lightning(method):
            return False
        return self.btcpay_explorer_url.replace('{txid}', quote(txid, safe='')).replace(
            '{currency}', quote(method.partition('-')[0], safe='')
        )
