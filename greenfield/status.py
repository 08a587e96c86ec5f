"""The words of the API for where invoices, payments and payouts stand."""

# Of an invoice.
NEW = 'New'
PROCESSING = 'Processing'
SETTLED = 'Settled'
EXPIRED = 'Expired'
INVALID = 'Invalid'

# What is added to it.
NONE = 'None'
PAID_PARTIAL = 'PaidPartial'
PAID_OVER = 'PaidOver'
PAID_LATE = 'PaidLate'
MARKED = 'Marked'

#: Of a payment: `Invalid` are those that were replaced.
PAYMENT_STATUSES = (PROCESSING, SETTLED, INVALID)

# Of a payout.
AWAITING_APPROVAL = 'AwaitingApproval'
AWAITING_PAYMENT = 'AwaitingPayment'
IN_PROGRESS = 'InProgress'
COMPLETED = 'Completed'
CANCELLED = 'Cancelled'

OPEN_PAYOUT_STATES = (AWAITING_APPROVAL, AWAITING_PAYMENT, IN_PROGRESS)
PAYOUT_STATES = (*OPEN_PAYOUT_STATES, COMPLETED, CANCELLED)
