import csv
import io

from odoo import _, api, fields, models
from odoo.exceptions import AccessError

from odoo.addons.payment_btcpay.greenfield import clean, format_crypto
from odoo.addons.payment_btcpay.utils import download

# As Koinly's own template has them, which other tools read or map: in English, whatever the user's
# language. The network's fee is named otherwise: they would take it off of what was received once
# more.
HEADERS = (
    'Date', 'Sent Amount', 'Sent Currency', 'Received Amount', 'Received Currency',
    'Network Fee Included', 'Net Worth Amount', 'Net Worth Currency', 'Label', 'Description',
    'TxHash',
)


class BTCPayReceiptExport(models.TransientModel):
    """Bitcoin receipts as one file that tax tools read, to be downloaded at once."""

    _name = 'btcpay.receipt.export'
    _description = "Export of Bitcoin Receipts"

    content = fields.Binary(attachment=False, readonly=True)

    @api.model
    def _download(self, receipts):
        """Have the user download receipts.

        :param btcpay.receipt receipts: The receipts.
        :rtype: dict
        :raise AccessError: If the user may not export.
        """
        if not self.env.user.has_group('base.group_allow_export'):
            raise AccessError(_(
                "You have no right to export. Ask an administrator for the access right “Export”."
            ))
        return download(self, self._write(receipts), 'bitcoin-receipts.csv')

    @api.model
    def _write(self, receipts):
        """Return the file, oldest first.

        :param btcpay.receipt receipts: The receipts.
        :rtype: str
        """
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        # Within a second, what is refunded has come in before.
        for receipt in receipts.sorted(lambda it: (str(it.date or ''), it.kind, it.id)):
            writer.writerow([self._defuse(cell) for cell in self._get_cells(receipt)])
        return file.getvalue()

    @api.model
    def _get_cells(self, receipt):
        """Return what is written of a receipt.

        :param btcpay.receipt receipt: The receipt.
        :rtype: list[str]
        """
        money = (format_crypto(receipt.crypto_text), receipt.crypto_currency)
        sent, received = (money, ('', '')) if receipt.kind == 'refund' else (('', ''), money)
        worth = f'{abs(receipt.amount):.{receipt.currency_id.decimal_places}f}'
        return [
            receipt.date and f'{receipt.date:%Y-%m-%d %H:%M:%S} UTC', *sent, *received,
            format_crypto(receipt.crypto_fee_text), worth, receipt.currency_id.name,
            receipt.kind, receipt.reference, receipt.tx_hash,
        ]

    @api.model
    def _defuse(self, cell):
        """Return a cell that spreadsheets take for a text: names are of others' making.

        :param str|bool cell: The text, or False for none.
        :rtype: str
        """
        text = clean(cell)
        return f"'{text}" if text.startswith(('=', '+', '-', '@', '\t', '\r')) else text
