"""Uninstalling the module leaves nothing behind, here or at the servers."""
from odoo import api, models


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    @api.model
    def _btcpay_remove(self, providers, remove, *args, **kwargs):
        """Remove the providers when the module is uninstalled, and what the servers have of ours.

        :param payment.provider providers: The providers.
        :param callable remove: Odoo's own method that removes them.
        :return: What that one returns.
        """
        connections = [
            connection for provider in providers
            for connection in provider._btcpay_get_own_connections()
        ]
        # Odoo's own providers have neither.
        followers, alerts = providers.sudo().message_follower_ids, providers.sudo().activity_ids
        unused = self.env['btcpay.authorization']._get_all_unused_keys()
        # First what may refuse the uninstallation, then what cannot be taken back.
        result = remove(*args, **kwargs)
        providers.sudo().btcpay_earlier_store_ids.unlink()
        followers.unlink()
        alerts.unlink()
        removed = self.new({'code': 'btcpay'})  # The providers themselves have no code now.
        removed._btcpay_clean_up(*connections)
        for server_url, keys in unused:
            removed._btcpay_revoke_unused_keys(server_url, keys)
        return result
