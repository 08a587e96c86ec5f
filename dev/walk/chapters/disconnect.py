"""Nothing is left at the server."""
from .. import back_office, server_pages

TITLE = 'The administrator disconnects the store'


def play(stage):
    with stage.browser.visit() as server:
        disconnect(stage, server)


def disconnect(stage, server):
    with stage.step('Presses “Disconnect”'):
        assert server_pages.is_key_listed(stage, server, stage.label), (
            f'The server does not list the key “{stage.label}”')
        back_office.open_provider(stage)
        back_office.disconnect(stage)
        stage.picture(stage.admin, 'provider-disconnected')
    with stage.step('No webhook and no key of Odoo are left at the server'):
        assert not stage.webhooks(), 'The webhook is still there'
        assert not server_pages.is_key_listed(stage, server, stage.label), 'The key is still there'
    with stage.step('Odoo has forgotten the store, and the provider is disabled'):
        provider = stage.read_provider()
        assert provider['btcpay_connection_state'] == 'disconnected'
        assert provider['state'] == 'disabled', f'The provider is {provider["state"]}'
        assert not provider['btcpay_webhook_id']
