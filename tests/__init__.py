"""Odoo runs what is imported here by a name that begins with `test_`."""
from .acceptance import (
    test_any_order,
    test_batches,
    test_late_payments,
    test_late_words,
    test_matters,
    test_partial_payment_links,
    test_partial_payments,
    test_review,
    test_underpaid,
)
from .checkout import (
    test_adoption,
    test_checkout,
    test_checkout_alert,
    test_checkout_failures,
    test_checkout_guard,
    test_checkout_http,
    test_checkout_offer,
    test_customer_pages,
    test_decimals,
    test_modal,
    test_return_page,
    test_shop,
    test_shop_modal,
)
from .confirmation import test_confirmation, test_total_at_confirmation
from .module import (
    test_bodies,
    test_fuzz,
    test_protected_fields,
    test_secrets,
    test_translations,
    test_wizard_owners,
)
from .obsolete import test_changed_orders, test_lowered_documents, test_several_invoices
from .order import (
    test_branches,
    test_invoice_screen,
    test_order_buttons,
    test_order_mails,
    test_order_rights,
    test_order_screen,
    test_order_story,
)
from .provider import (
    test_callback,
    test_connect_refusals,
    test_connect_tour,
    test_connect_wizard,
    test_connection,
    test_copy,
    test_disconnect,
    test_provider,
    test_rounding,
    test_server_health,
    test_server_requests,
    test_unused_keys,
)
from .refund import (
    test_refund,
    test_refund_adopted,
    test_refund_amounts,
    test_refund_archived,
    test_refund_books,
    test_refund_cancel,
    test_refund_changed,
    test_refund_claims,
    test_refund_guards,
    test_refund_http,
    test_refund_link,
    test_refund_lists,
    test_refund_mails,
    test_refund_rights,
    test_refund_sync,
    test_refund_tour,
    test_refund_two_payments,
    test_refund_unanswered,
    test_refund_variants,
)
from .request import (
    test_request,
    test_request_amounts,
    test_request_guards,
    test_request_http,
    test_request_mails,
    test_request_rpc,
    test_request_tour,
)
from .sync import (
    test_event_order,
    test_payments,
    test_silence,
    test_status_table,
    test_sync,
    test_sync_in_batches,
)
from .webhook import (
    test_deliveries,
    test_webhook,
    test_webhook_health,
    test_webhook_poison,
    test_without_webhook,
)
