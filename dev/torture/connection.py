"""What becomes of the connection in between: the key, the webhook, the provider itself."""
from ..world import Refused


class Connecting:
    """Steps of a sequence, see `actions.py`."""

    def key(self, is_good):
        """The key is revoked at the server; or the store is authorized again."""
        if not is_good:
            if self.rig.key:
                self.rig.revoke_key()
                self.did('the key is revoked', 'key revoked')
        elif not self.rig.key:
            said = self.rig.authorize()
            self.did(f'the store is authorized again: {said or "done"}')
            self.after()

    def webhook(self, is_there):
        """The webhook is removed at the server; or repaired."""
        if not is_there:
            try:
                self.rig.world.api(
                    'DELETE', f'/stores/{self.rig.store_id}/webhooks/{self.rig.webhook_id}')
            except Refused:
                return  # it is gone, or the answer is spoilt
            self.did('the webhook is removed at the server', 'webhook removed')
        elif self.rig.is_enabled:
            said = self.rig.repair_webhook()
            self.did(f'the webhook is repaired: {said or "done"}')
            self.after()

    def provider(self, is_enabled):
        """The shop takes no Bitcoin for a while."""
        if is_enabled != self.rig.is_enabled:
            self.rig.enable(is_enabled)
            self.did(f'the provider is {"enabled" if is_enabled else "disabled"}')
            self.after()
