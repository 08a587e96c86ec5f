"""Refunds of one payment, pressed by several people at once, with the server telling of them."""
from functools import partial

import pytest

from .concurrency_test import Scene
from .parallel import at_once
from .settle import settle

PEOPLE = 6
LONG_AGO = "now() AT TIME ZONE 'UTC' - INTERVAL '10 minutes'"


@pytest.fixture
def scene(rig):
    """An order over 100 that is paid and booked."""
    made = Scene(rig)
    rig.world.pay(made.invoice_id)
    rig.world.mine()
    rig.world.wait_deliveries(60)
    settle(rig, made.history)
    assert made.tx()['state'] == 'done'
    return made


def refund(scene, amount):
    """Press the button, as one of Odoo's processes does it.

    :return: the refund's id
    """
    with scene.rig.env() as env:
        return env['payment.transaction'].browse(scene.attempt.tx)._btcpay_request_refund(amount).id


def sync(scene, refund_id):
    with scene.rig.env() as env:
        env['payment.transaction'].browse(refund_id)._btcpay_sync()


def refunds(scene):
    return scene.rig.sql(
        'SELECT id, state, -amount::float AS amount, btcpay_pull_payment_id AS pull_payment '
        "FROM payment_transaction WHERE source_transaction_id = %s AND operation = 'refund' "
        'ORDER BY id', scene.attempt.tx)


def pull_payments(scene):
    return scene.rig.world.api('GET', f'/stores/{scene.rig.store_id}/pull-payments')


def assert_consistent(scene, most):
    """Each pull payment has its refund, and all together are no more than was received."""
    made = [tx for tx in refunds(scene) if tx['state'] == 'pending']
    assert {tx['pull_payment'] for tx in made} == {item['id'] for item in pull_payments(scene)}
    assert len(made) == len(pull_payments(scene))
    assert sum(tx['amount'] for tx in made) <= most
    assert sum(float(item['amount']) for item in pull_payments(scene)) <= most
    # Odoo itself says this where somebody was faster, and tries again.
    assert not [line for line in scene.rig.errors.found if 'could not serialize' not in line]
    return made


def test_who_asks_for_more_than_half(scene, number):
    answers = at_once([partial(refund, scene, 60)] * PEOPLE)
    scene.rig.world.wait_deliveries(60)
    assert len(assert_consistent(scene, 100)) == 1
    made = {answer for answer in answers if isinstance(answer, int)}
    assert len(made) == 1, answers
    assert all(type(answer).__name__ in ('int', 'UserError', 'RowBusy') for answer in answers)


def test_what_fits_in(scene, number):
    """Who is refused, since others were at it, tries again: in the end all is made that fits in."""
    for _time in range(PEOPLE):
        at_once([partial(refund, scene, 30 - number) for number in range(PEOPLE)])
    scene.rig.world.wait_deliveries(60)
    made = assert_consistent(scene, 100)
    assert sum(tx['amount'] for tx in made) > 100 - 30


@pytest.mark.parametrize('took_effect', (False, True))
def test_lost_answer_completed_by_all_at_once(scene, number, took_effect):
    rig = scene.rig
    rig.gate.mode = 'proxy'  # nor does an event tell of it
    rig.world.fault('drop', path='/refund$', method='POST', after=took_effect)
    refund_id = refund(scene, 60)
    rig.world.wait_deliveries(60)
    assert [tx['state'] for tx in refunds(scene)] == ['draft']
    rig.sql(f'UPDATE payment_transaction SET btcpay_requested_at = {LONG_AGO} '  # noqa: S608 ours
            'WHERE id = %s', refund_id)
    rig.gate.mode = 'open'
    at_once([
        partial(sync, scene, refund_id), partial(sync, scene, refund_id), rig.run_crons,
        partial(refund, scene, 60), partial(refund, scene, 60), rig.run_crons,
    ])
    rig.world.wait_deliveries(60)
    sync(scene, refund_id)
    made = assert_consistent(scene, 100)
    assert [tx['id'] for tx in made] == [refund_id]
