from odoo import http
from odoo.http import request

from odoo.addons.payment_btcpay_demo import cases


class Demo(http.Controller):

    @http.route('/demo', type='http', auth='public', website=True, sitemap=False)
    def page(self):
        """What the demo is, and where to begin."""
        env = request.env(su=True)
        return request.render('payment_btcpay_demo.page', {
            'provider': cases.find_provider(env),
            'server_url': env['ir.config_parameter'].get_param('payment_btcpay_demo.server_url'),
            'orders': {name: cases.find_order(env, name) for name in cases.CASES},
        })

    @http.route('/demo/office/<path:path>', type='http', auth='public', website=True, sitemap=False)
    def office(self, path):
        """Open the back office in the language in which the page is read.

        :param str path: below `/odoo/`
        """
        self._speak()
        return request.redirect(f'/odoo/{path}')

    @http.route('/demo/play', type='http', auth='public', methods=['POST'], website=True)
    def play(self, case):
        """Play a case, and show the order: whoever may open this demo may see all of it.

        :param str case: of `cases.CASES`
        """
        if case not in cases.CASES:
            raise request.not_found()
        self._speak()
        admin = request.env.ref('base.user_admin')
        order = cases.play(request.env(user=admin.id, su=True), case)
        return request.redirect(f'/odoo/sales/{order.id}')

    def _speak(self):
        """Have the people of the demo speak the visitor's language."""
        users = request.env['res.users'].sudo().search([
            ('login', 'in', ('admin', cases.CUSTOMER)), ('lang', '!=', request.env.lang)])
        if users:
            users.lang = request.env.lang
