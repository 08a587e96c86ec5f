"""The administrator connects the store."""
import time

from .. import back_office, server_pages

TITLE = 'The administrator connects the BTCPay Server'


def play(stage):
    with stage.step('Logs in to Odoo'):
        back_office.log_in(stage)
        stage.odoo = stage.odoo_of(stage.admin)
        assert stage.read_provider(), 'Odoo has no provider BTCPay Server: is the module installed?'
    begin_anew(stage)
    with stage.step('A store is ready at the server') as told:
        find_store(stage)
        told.append(f'“{stage.store_name}” on {stage.world.url}')
    connect(stage)


def begin_anew(stage):
    if stage.read_provider()['btcpay_connection_state'] != 'disconnected':
        with stage.step('Disconnects what was connected before') as told:
            disconnect_old(stage, told)


def disconnect_old(stage, told):
    """A store that is gone by now cannot be tidied up, and Odoo says so: no matter here."""
    old = stage.provider
    is_there = old['btcpay_server_url'] == stage.world.url and old['btcpay_store_id'] in [
        store['id'] for store in stage.world.api('GET', '/stores')]
    back_office.open_provider(stage)
    back_office.disconnect(stage, server_gone=not is_there)
    assert stage.read_provider()['btcpay_connection_state'] == 'disconnected'
    if is_there:
        left = [hook['id'] for hook in stage.world.webhooks(old['btcpay_store_id'])]
        assert old['btcpay_webhook_id'] not in left, 'Its webhook was left at the server'
        told.append('no webhook left')


def find_store(stage):
    """The stand-in of the demo has a store. On a real server that of others is left alone."""
    stores = stage.world.api('GET', '/stores') if stage.is_stand_in else []
    if stores:
        stage.store_id, stage.store_name = stores[0]['id'], stores[0]['name']
        return
    stage.store_name = f'Walk {time.strftime("%d %b %H:%M:%S")}'
    stage.store_id = stage.world.new_store(stage.store_name)


def connect(stage):
    """From the provider to the server and back."""
    page = stage.admin
    stage.label = f'Odoo, walk of {time.strftime("%H:%M:%S")}'
    with stage.step('Opens the payment provider and gives the server\'s address, nothing else'):
        back_office.open_provider(stage)
        stage.picture(page, 'provider-not-connected')
        back_office.button(stage, 'Connect to BTCPay Server').click()
        address = page.locator('.modal [name=server_url] input')
        address.fill(stage.world.url)
        address.press('Tab')
        stage.picture(page, 'wizard')
        page.locator('.modal footer .btn-primary:visible').click()
        back_office.wait_for(page, '#LoginButton, #StoreId, #consent-yes')
    with stage.step('Logs in there and chooses the store'):
        server_pages.log_in(stage, page)
        server_pages.choose_store(stage, page)
        stage.picture(page, 'choose-store')
        page.click('#continue')
    with stage.step('Allows Odoo what it asks for'):
        page.wait_for_selector('#consent-yes')
        stage.picture(page, 'authorize', full=True)
        server_pages.authorize(stage, page)
    with stage.step('Back in Odoo, and the store is connected') as told:
        page.wait_for_selector(
            '.o_form_view [name=btcpay_health], [name=o_btcpay_connection_refused]')
        refused = page.locator('[name=o_btcpay_connection_refused]')
        assert not refused.count(), f'Odoo says: {refused.inner_text()}'
        page.locator('[name=btcpay_health]', has_text='Connected').wait_for()
        page.locator('[name=btcpay_store_name]', has_text=stage.store_name).wait_for()
        stage.picture(page, 'provider-connected')
        provider = stage.read_provider()
        assert provider['btcpay_store_id'] == stage.store_id, 'It is another store'
        assert provider['state'] == 'enabled', 'The provider is not enabled'
        assert provider['is_published'], 'The provider is not published'
        method = stage.odoo.first('payment.method', [
            ('code', '=', 'btcpay'), ('active', '=', True)], ['name'])
        assert method, 'The payment method is not active'
        told.append(f'“{method["name"]}” can be chosen in the shop')
    with stage.step('The server will tell Odoo of payments') as told:
        hooks = stage.webhooks()
        assert [hook['id'] for hook in hooks] == [provider['btcpay_webhook_id']], (
            f'The server has {len(hooks)} webhooks of this provider, not the one that Odoo knows')
        assert hooks[0]['enabled'], 'The webhook is not enabled'
        told.append(hooks[0]['url'])
