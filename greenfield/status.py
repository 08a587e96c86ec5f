"""The words of the API for where payments and payouts stand."""

#: Of a payment: `Invalid` are those that were replaced.
PAYMENT_STATUSES = ('Processing', 'Settled', 'Invalid')

OPEN_PAYOUT_STATES = ('AwaitingApproval', 'AwaitingPayment', 'InProgress')
PAYOUT_STATES = (*OPEN_PAYOUT_STATES, 'Completed', 'Cancelled')
