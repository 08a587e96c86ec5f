"""What the administrator does in Odoo's back office."""

#: Odoo's ways to say that something is wrong
ERRORS = '.o_error_dialog, .o_notification:has(.bg-danger)'
COMPLAINTS = f'{ERRORS}, .o_notification:has(.bg-warning)'


def log_in(stage):
    """The administrator comes and logs in."""
    page = stage.admin = stage.browser.window()
    page.goto(f'{stage.url}/web/login')
    page.fill('input[name=login]', stage.login)
    page.fill('input[name=password]', stage.password)
    page.click('.oe_login_form button[type=submit]')
    page.wait_for_selector('.o_web_client')
    odoo = stage.odoo_of(page)
    user = odoo.first('res.users', [('login', '=', stage.login)], ['lang'])
    if user['lang'] != 'en_US':  # of whoever read the demo's page last
        odoo.call('res.users', 'write', [user['id']], {'lang': 'en_US'})
        page.reload()
        page.wait_for_selector('.o_web_client')


def open_provider(stage):
    """By the list of payment providers, as somebody who looks for it."""
    page = stage.admin
    page.goto(f'{stage.url}/odoo/payment-providers')
    page.locator('.o_kanban_record', has_text=stage.provider['name']).first.click()
    page.wait_for_selector('.o_form_view [name=btcpay_buttons]')


def button(stage, label):
    return stage.admin.locator('[name=btcpay_buttons] button:visible', has_text=label)


def disconnect(stage, server_gone=False):
    """Press the provider's "Disconnect" and confirm.

    :param bool server_gone: whether Odoo may say that it could not tell the server
    """
    page = stage.admin
    button(stage, 'Disconnect').click()
    page.locator('.modal footer .btn-primary').click()
    wait_for(page, '.btn-primary[name=action_btcpay_connect]',
             ERRORS if server_gone else COMPLAINTS)


def wait_for(page, selector, complaints=COMPLAINTS):
    """Wait for an element.

    :raise AssertionError: with what Odoo complains about, if it does
    """
    page.locator(f':is({selector}):visible, {complaints}').first.wait_for()
    shown = page.locator(complaints)
    if shown.count():
        raise AssertionError(f'Odoo says: {shown.first.inner_text()}')


def open_record(stage, model, record_id):
    """Show a record's form."""
    paths = {'sale.order': 'sales', 'payment.provider': 'payment-providers'}
    page = stage.admin
    page.goto(f'{stage.url}/odoo/{paths[model]}/{record_id}')
    page.wait_for_selector('.o_form_view .o_form_sheet')
