# ruff: noqa: F821
"""Run in Odoo's shell where there is no wkhtmltopdf: the mails of orders go without PDF then."""
for name in ('sale.mail_template_sale_confirmation', 'sale.email_template_edi_sale',
             'sale.mail_template_sale_payment_executed'):
    template = env.ref(name, raise_if_not_found=False)
    if template:
        template.report_template_ids = [(5,)]
env.cr.commit()
