from . import btcpay_figures_mixin  # Inherited by those below.

from . import account_move_reversal
from . import btcpay_connect_wizard
from . import btcpay_connect_manual
from . import btcpay_disconnect_wizard
from . import btcpay_log_export
from . import btcpay_payment_request
from . import btcpay_payment_request_many
from . import btcpay_receipt_export
from . import btcpay_refund_wizard
