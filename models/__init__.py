# Inherited by those below.
from . import btcpay_apart_mixin
from . import btcpay_protected_mixin
from . import btcpay_document_mixin
from . import btcpay_decision_mixin
from . import btcpay_request_mixin

from . import account_move
from . import account_move_request
from . import account_move_rounding
from . import account_payment
from . import btcpay_authorization
from . import btcpay_delivery
from . import btcpay_delivery_schedule
from . import btcpay_earlier_store
from . import btcpay_log_entry
from . import btcpay_payment
from . import btcpay_payout
from . import btcpay_receipt
from . import ir_http
from . import mail_activity
from . import payment_method
from . import payment_provider
from . import payment_transaction
from . import res_currency
from . import res_partner
from . import sale_order
from . import sale_order_discount
