"""A connection that nobody began."""
import secrets
from urllib.parse import urljoin

TITLE = 'Somebody brings Odoo an API key that nobody asked for'


def play(stage):
    with (
        stage.browser.visit() as page,
        stage.step('Odoo believes nothing of it: the key goes nowhere') as told,
    ):
        answer = page.request.post(
            f'{stage.url}/payment/btcpay/callback?state={secrets.token_urlsafe(16)}',
            form={'apiKey': secrets.token_hex(20)}, max_redirects=0)
        assert answer.status == 303, f'Odoo answered {answer.status}, not 303'
        before = stage.provider
        assert stage.read_provider() == before, 'The provider has changed'
        told.append('the connection is as before')
    with stage.step('The administrator who is lured there is told what happened and what to do'):
        page = stage.admin
        page.goto(urljoin(answer.url, answer.headers['location']))
        page.wait_for_selector('[name=o_btcpay_connection_refused][data-reason=state]')
        stage.picture(page, 'connection-refused')
        page.locator('[name=o_btcpay_connection_refused] a.btn').click()
        page.wait_for_selector('.o_kanban_view, .o_list_view, .o_form_view')
