"""The end of the faults, and the scheduled actions until nothing changes any more."""
from .truth import Violation

#: seconds that pass before each round
ROUNDS = (370, 3700, 960, 3700, 3700, 11_000, 22_000, 44_000, 87_000, 87_000)
#: rounds there are at least
FEWEST = 2


def picture(rig):
    """What a round can change."""
    return rig.sql(
        "SELECT (SELECT string_agg(concat_ws(' ', t.id, t.state, t.is_post_processed,"
        '          t.btcpay_pending_action, t.btcpay_status, t.btcpay_additional_status,'
        "          t.btcpay_paid_amount, t.btcpay_invoice_id), ',' ORDER BY t.id)"
        '        FROM payment_transaction t WHERE provider_id = %s) AS transactions,'
        " (SELECT string_agg(concat_ws(' ', id, state), ',' ORDER BY id)"
        '  FROM btcpay_delivery) AS deliveries,'
        ' (SELECT count(*) FROM mail_activity) AS activities,'
        ' (SELECT count(*) FROM mail_message) AS messages,'
        ' (SELECT count(*) FROM account_payment) AS payments', rig.provider_id)[0]


def is_open(rig, broken):
    """Whether something is still to be done in a while."""
    return bool(rig.sql(
        "SELECT 1 FROM btcpay_delivery WHERE state = 'pending' UNION ALL"
        ' SELECT 1 FROM payment_transaction WHERE provider_id = %s'
        " AND (btcpay_pending_action IS NOT NULL"
        " OR (state = 'done' AND is_post_processed IS NOT TRUE"
        # What can never be confirmed is told of after a second failure
        '          AND NOT (%s AND btcpay_review_note IS NOT NULL))) UNION ALL'
        ' SELECT 1 FROM payment_provider WHERE id = %s AND btcpay_unreachable_since IS NOT NULL',
        rig.provider_id, broken, rig.provider_id))


def settle(rig, history, lose=False, mine=True, stay_broken=False):
    """End all faults, and have Odoo look after everything.

    :param bool lose: whether the server forgets what it has not delivered
    :param bool mine: whether what is unconfirmed is confirmed
    :param bool stay_broken: whether orders cannot be confirmed, if it is so, for ever
    """
    if lose:
        rig.world.restart()
    rig.world.clear_faults()
    rig.gate.mode = 'open'
    rig.mend()
    history.broken = rig.broken and stay_broken
    rig.tell_odoo(rig.offset, history.broken)
    if mine:
        rig.world.mine(2)
    rig.world.wait_deliveries(timeout=60)
    before = picture(rig)
    for number, seconds in enumerate(ROUNDS, 1):
        rig.pass_time(seconds)
        rig.world.wait_deliveries(timeout=60)
        rig.run_crons()
        rig.world.wait_deliveries(timeout=60)
        now = picture(rig)
        is_quiet, before = now == before, now
        if number >= FEWEST and is_quiet and not is_open(rig, history.broken):
            return
    if not is_quiet:
        raise Violation(f'Odoo does not come to rest: {before}')
