# ruff: noqa: F821
"""The demo shop's content; run in Odoo's shell, which knows `env`, with DATA put before it."""
company = env.company
company.write({
    'name': DATA['company'], 'email': 'shop@example.com', 'phone': '+1 555 0100',
    'street': '1 Genesis Street', 'city': 'Springfield', 'zip': '62701',
    'state_id': env.ref('base.state_us_14').id, 'logo': DATA['logo'],
})

website = env['website'].search([], limit=1)
website.write({
    'name': DATA['company'], 'logo': DATA['logo'], 'configurator_done': True,
    'language_ids': [(6, 0, env['res.lang'].search([('code', 'in', DATA['languages'])]).ids)],
    'show_line_subtotals_tax_selection': 'tax_excluded',
})

# The website's menus were copied from these before there were other languages
for menu in env['website.menu'].search([('website_id', '=', website.id)]):
    source = env['website.menu'].search(
        [('website_id', '=', False), ('url', '=', menu.url)], limit=1)
    for language in source and DATA['languages']:
        menu.with_context(lang=language).name = source.with_context(lang=language).name

settings = env['ir.config_parameter'].sudo()
settings.set_param('web.base.url.freeze', 'True')
settings.set_param('digest.default_digest_emails', 'False')
# The demo speaks to nobody outside: services that Odoo would buy from are looked for in vain here
settings.set_param('iap.endpoint', 'http://127.0.0.1:9')
settings.set_param('mail.link_preview_throttle', '0')
for name in DATA['crons_off']:
    cron = env.ref(name, raise_if_not_found=False)
    if cron:
        cron.active = False

admin = env.ref('base.user_admin')
admin.write({'email': 'admin@example.com', 'tz': 'UTC'})
admin.partner_id.name = 'Ada Admin'

for product in DATA['products']:
    env['product.template'].create({
        'name': product['name'], 'list_price': product['price'], 'type': product['type'],
        'description_ecommerce': f"<p>{product['text']}</p>", 'description_sale': product['text'],
        'image_1920': product['picture'], 'taxes_id': [(5,)], 'supplier_taxes_id': [(5,)],
        'is_published': True, 'website_sequence': product['sequence'],
        'invoice_policy': 'order',
    })

customer = env['res.users'].with_context(no_reset_password=True).create({
    'name': 'Carol Customer', 'login': DATA['customer'][0], 'password': DATA['customer'][1],
    'email': DATA['customer'][0], 'group_ids': [(6, 0, [env.ref('base.group_portal').id])],
})
customer.partner_id.write({
    'street': '21 Halving Avenue', 'city': 'Springfield', 'zip': '62702', 'phone': '+1 555 0121',
    'country_id': env.ref('base.us').id, 'state_id': env.ref('base.state_us_14').id,
})
env.cr.commit()
