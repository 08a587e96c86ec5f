from odoo import api, fields, models, release
from odoo.modules import get_manifest

from odoo.addons.payment_btcpay.utils import download


class BTCPayLogExport(models.TransientModel):
    """Entries of the debug log as one text file, to be downloaded at once and sent to a support."""

    _name = 'btcpay.log.export'
    _description = "Export of the BTCPay Debug Log"

    content = fields.Binary(attachment=False, readonly=True)

    @api.model
    def _download(self, entries):
        """Have the user, an administrator, download entries.

        :param btcpay.log.entry entries: The entries.
        :rtype: dict
        """
        entries.check_access('read')
        return download(self, self._write(entries), 'btcpay-debug-log.txt')

    @api.model
    def _write(self, entries):
        """Return the file, oldest first. It is for people anywhere: in English, in UTC.

        :param btcpay.log.entry entries: The entries.
        :rtype: str
        """
        version = get_manifest('payment_btcpay')['version']
        head = [
            f'payment_btcpay {version}, Odoo {release.version}, {fields.Datetime.now()} UTC',
            f'{len(entries)} entries. Keys, secrets and what is about customers is [REDACTED].',
        ]
        return '\n'.join([*head, *map(self._describe, entries.sorted('id'))])

    @api.model
    def _describe(self, entry):
        """Return what is written of an entry.

        :param btcpay.log.entry entry: The entry.
        :rtype: str
        """
        lines = [
            '', '=' * 80,
            f'{entry.create_date} UTC  {entry.kind} of provider {entry.provider_id.id}'
            + (f', transaction {entry.reference}' if entry.reference else ''),
            f'{entry.method} {entry.path}',
            f'HTTP {entry.status} in {entry.milliseconds} ms  {entry.result or ""}'.rstrip(),
        ]
        for name, body in (('sent', entry.sent), ('received', entry.received)):
            if body:
                lines += [f'--- {name}', body]
        return '\n'.join(lines)
