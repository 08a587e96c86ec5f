from dataclasses import replace
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment_btcpay import const
from odoo.addons.payment_btcpay.greenfield import Client, GreenfieldError
from odoo.addons.payment_btcpay.tests.common import BTCPayCommon
from odoo.addons.payment_btcpay.tests.refund.refund_common import RefundMixin

RECONCILE_LOG = 'odoo.addons.payment_btcpay.models.payment_transaction.sync'


@tagged('post_install', '-at_install')
class TestRefundLost(RefundMixin, BTCPayCommon):
    """Refunds whose making was not answered, and those that are made at the same time."""

    def _lost(self, tx, amount=60, **kwargs):
        """Return a refund whose making was not answered."""
        self._lose_answer(**kwargs)
        with self._quiet():
            refund = tx._btcpay_request_refund(amount)
        self.assertEqual(refund.state, 'draft')
        self.assertFalse(refund.btcpay_pull_payment_id)
        return refund

    def _assert_made_once(self, refund):
        [pull_payment] = self._pull_payments()
        self.assertEqual(refund.state, 'pending')
        self.assertEqual(refund.btcpay_pull_payment_id, pull_payment['id'])

    # === THE ANSWER IS LOST === #

    def test_when_the_making_was_not_answered_then_the_refund_counts_as_underway(self):
        tx = self._paid()
        self._lost(tx)
        self.assertEqual(tx._btcpay_get_refund_sums()['underway'], 60)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 40)

    def test_when_the_answer_was_lost_then_the_sync_button_finds_the_refund(self):
        refund = self._lost(self._paid())
        refund.action_btcpay_sync()
        self._assert_made_once(refund)
        self.assertEqual(len(self._refund_mails(refund._btcpay_get_document())), 1)

    def test_when_the_number_has_wide_spaces_then_the_refund_is_found_by_its_name(self):
        """As of a sequence's prefix: what comes from the server is read on one line."""
        tx = self._paid()
        tx.sale_order_ids.name = "注文\u3000S\xa01"
        refund = self._lost(tx)
        self._make_old(refund)
        self._reconcile()
        self._assert_made_once(refund)

    def test_when_the_answer_was_lost_then_the_scheduled_action_finds_the_refund(self):
        refund = self._lost(self._paid())
        self._reconcile()
        self._assert_made_once(refund)

    def test_when_the_answer_is_another_refunds_then_it_is_not_taken_and_its_own_is_found(self):
        tx, refund_invoice = self._paid(), Client.refund_invoice
        earlier = self._paid()._btcpay_request_refund(20)
        made = self._pull_payments()
        with patch.object(Client, 'refund_invoice', lambda *args: replace(
            refund_invoice(*args), id=earlier.btcpay_pull_payment_id
        )):
            refund = tx._btcpay_request_refund(60)
        self.assertEqual((refund.state, refund.btcpay_pull_payment_id), ('draft', False))
        self._reconcile()
        [pull_payment] = [each for each in self._pull_payments() if each not in made]
        self.assertEqual(
            (refund.state, refund.btcpay_pull_payment_id), ('pending', pull_payment['id'])
        )

    def test_when_the_answer_was_lost_then_the_same_request_finds_the_refund(self):
        tx = self._paid()
        refund = self._lost(tx)
        self.assertEqual(tx._btcpay_request_refund(60), refund)
        self._assert_made_once(refund)

    def test_when_the_answer_was_lost_then_a_refund_of_a_credit_note_is_refused(self):
        tx = self._paid()
        self._lost(tx)
        credit_note = self._create_invoice(60, move_type='out_refund')
        self.env.cr.commit()
        # It is not the one that was asked for before.
        self._assert_refused(
            lambda: tx._btcpay_request_refund(60, credit_note=credit_note), "was made after all"
        )

    def test_when_the_answer_was_lost_then_a_refund_in_another_variant_is_refused(self):
        tx = self._paid()
        self._lost(tx)
        self._assert_refused(
            lambda: tx._btcpay_request_refund(60, variant='rate_then'), "was made after all"
        )

    def test_when_the_lost_refund_was_archived_then_it_is_canceled_and_not_made_anew(self):
        """The merchant saw it first, and archived it: it is not to be made anew."""
        tx = self._paid()
        refund = self._lost(tx)
        [pull_payment] = self._pull_payments()
        self.world.archive_pull_payment(pull_payment['id'])
        self._make_old(refund)
        refund._btcpay_sync()
        self.assertEqual(refund.state, 'cancel')
        self.assertEqual(len(self._pull_payments()), 1)

    def test_when_the_answer_was_lost_then_another_amount_is_refused_until_it_is_found(self):
        tx = self._paid()
        refund = self._lost(tx)
        self._assert_refused(lambda: tx._btcpay_request_refund(30), "was made after all")
        self._assert_made_once(refund)
        self.assertEqual(tx._btcpay_request_refund(30).state, 'pending')

    def test_when_the_answer_is_broken_then_a_sync_finds_the_refund(self):
        for kind in ('half', 'wrong_json'):
            tx = self._paid()
            refund = self._lost(tx, kind=kind, took_effect=True)
            refund.action_btcpay_sync()
            self.assertEqual(refund.state, 'pending')
        self.assertEqual(len(self._pull_payments()), 2)

    def test_when_the_server_answers_too_late_then_the_refund_is_found_and_made_once(self):
        self.startPatcher(patch.object(const, 'TIMEOUT', 1))
        refund = self._lost(self._paid(), kind='hang', seconds=2)
        self._reconcile()
        self._assert_made_once(refund)

    # === IT WAS NOT MADE === #

    def test_when_the_refund_was_not_made_then_it_is_made_once_after_a_while(self):
        refund = self._lost(self._paid(), took_effect=False)
        # The first call may still be under way.
        refund.action_btcpay_sync()
        self.assertEqual(refund.state, 'draft')
        self.assertFalse(self._pull_payments())
        self._make_old(refund)
        self._reconcile()
        self._assert_made_once(refund)

    def test_when_the_first_call_may_be_underway_then_requesting_again_has_to_wait(self):
        tx = self._paid()
        refund = self._lost(tx, took_effect=False)
        self._assert_refused(lambda: tx._btcpay_request_refund(60), "Try again in half a minute")
        self._make_old(refund)
        self.assertEqual(tx._btcpay_request_refund(60), refund)
        self._assert_made_once(refund)

    def test_when_the_server_does_not_say_what_was_made_then_another_refund_is_refused(self):
        tx = self._paid()
        refund = self._lost(tx)
        self.world.fault('status', path='/pull-payments', count=None)
        with self._quiet():
            self._assert_refused(lambda: tx._btcpay_request_refund(10), "not answered yet")
        self.assertEqual(tx.btcpay_refund_ids, refund)

    def test_when_two_complete_a_refund_at_once_then_it_is_made_once(self):
        refund = self._lost(self._paid(), took_effect=False)
        self._make_old(refund)
        fetch = type(refund)._btcpay_fetch_pull_payments

        def fetch_and_be_overtaken(tx):
            pull_payments = fetch(tx)
            with patch.object(type(refund), '_btcpay_fetch_pull_payments', fetch):
                refund._btcpay_sync()
            return pull_payments

        with patch.object(
            type(refund), '_btcpay_fetch_pull_payments', fetch_and_be_overtaken
        ):
            refund._btcpay_complete_refund()
        self._assert_made_once(refund)

    def test_when_a_second_one_completes_it_while_it_is_made_again_then_it_is_made_once(self):
        refund = self._lost(self._paid(), took_effect=False)
        self._make_old(refund)
        send = type(refund)._btcpay_send_refund

        def send_and_be_overtaken(refund, **_kw):
            with patch.object(type(refund), '_btcpay_send_refund', send):
                refund._btcpay_complete_refund()
            return send(refund)

        with patch.object(type(refund), '_btcpay_send_refund', send_and_be_overtaken):
            refund._btcpay_complete_refund()
        self._assert_made_once(refund)

    def test_when_the_server_tells_of_a_refund_while_it_is_looked_for_then_it_is_made_once(self):
        """The server took minutes to make it: when Odoo asked, it was not there yet."""
        tx = self._paid()
        refund = self._lost(tx, took_effect=False)
        self._make_old(refund)
        fetch = type(refund)._btcpay_fetch_pull_payments

        def fetch_and_be_overtaken(refund):
            pull_payments = fetch(refund)
            pull_payment = self._server_refund(
                tx, refundVariant='Custom', customAmount='60', customCurrency='USD',
                name=refund.btcpay_refund_name,
            )
            tx._btcpay_find_or_adopt_refund(pull_payment['id'])
            return pull_payments

        with patch.object(
            type(refund), '_btcpay_fetch_pull_payments', fetch_and_be_overtaken
        ):
            refund._btcpay_complete_refund()
        self._assert_made_once(refund)

    def test_when_making_it_again_is_refused_then_it_fails_and_is_flagged_for_review(self):
        tx = self._paid()
        refund = self._lost(tx, took_effect=False)
        self._make_old(refund)
        self.world.fault('status', path='/refund$', status=422)
        with self._quiet(), mute_logger(RECONCILE_LOG):
            self._reconcile()
        self.assertEqual(refund.state, 'error')
        self.assertIn("refused", self._activities(tx.sale_order_ids))
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 100)

    def test_when_the_server_breaks_each_time_then_the_refund_fails_and_another_can_be_made(self):
        """As older ones did where the store has no method that can pay out."""
        tx = self._paid()
        refund = self._lost(tx, kind='status', status=500, took_effect=False, count=None)
        self._make_old(refund)
        with self._quiet(), mute_logger(RECONCILE_LOG):
            self._reconcile()
        self.assertEqual(refund.state, 'error')
        self.assertIn("HTTP 500", self._activities(refund._btcpay_get_document()))
        self.world.clear_faults()
        self.assertEqual(tx._btcpay_request_refund(60).state, 'pending')
        self.assertEqual(len(self._pull_payments()), 1)

    def test_when_the_server_breaks_after_it_has_made_it_again_then_the_refund_is_found(self):
        tx = self._paid()
        refund = self._lost(tx, took_effect=False)
        self._make_old(refund)
        self._lose_answer(kind='status', status=500)
        for _time in range(2):
            self._make_old(refund)
            with self._quiet(), mute_logger(RECONCILE_LOG):
                self._reconcile()
        self._assert_made_once(refund)

    def test_when_the_store_is_disconnected_then_the_lost_refund_waits_for_it(self):
        refund = self._lost(self._paid())
        self.btcpay.sudo().write({'btcpay_store_id': 'another', 'btcpay_api_key': 'x' * 40})
        with self.assertRaises(GreenfieldError):
            refund._btcpay_sync()
        # It may have been made: to take it for failed would let it be made twice.
        self.assertEqual(refund.state, 'draft')
        self._make_old(refund, minutes=70)
        with mute_logger(RECONCILE_LOG):
            self._reconcile()
        self.assertEqual(refund.state, 'draft')
        self.assertIn("no longer connected", self._activities(refund._btcpay_get_document()))
        self.btcpay.sudo().write({
            'btcpay_store_id': self.store_id, 'btcpay_api_key': self.api_key,
        })
        refund._btcpay_sync()
        self._assert_made_once(refund)

    # === REFUSED === #

    def test_when_the_server_refuses_then_the_refund_fails_and_the_amount_is_available_again(self):
        tx = self._paid()
        self.world.fault('status', path='/refund$', method='POST', status=400)
        with self._quiet():
            self._assert_refused(lambda: tx._btcpay_request_refund(60), "refused the request")
        refund = tx.btcpay_refund_ids
        self.assertEqual(refund.state, 'error')
        self.assertEqual(refund.btcpay_status_text, "Refund failed")
        self.assertIn("refused", refund.state_message)
        self.assertEqual(tx._btcpay_get_refund_sums()['available'], 100)
        self.assertFalse(self._refund_mails(tx.sale_order_ids))

    def test_when_the_server_refuses_a_payout_method_then_the_message_names_it(self):
        tx = self._paid()
        with self._quiet():
            self._assert_refused(
                lambda: tx._btcpay_request_refund(60, methods=['LTC-CHAIN']), "LTC-CHAIN"
            )

    # === TWO AT ONCE === #

    def test_when_the_same_wizard_is_used_again_then_no_second_refund_is_made(self):
        """The browser has not got the answer, and the person presses again."""
        tx = self._paid()
        wizard = self._open_wizard(tx, scope='amount', amount=30)
        refund = self._refund_by(wizard)
        self.assertEqual(self._refund_by(wizard), refund)
        self._assert_made_once(refund)
        other = self._refund_by(self._open_wizard(tx, scope='amount', amount=30))
        self.assertNotEqual(other, refund)
        self.assertEqual(len(self._pull_payments()), 2)

    def test_when_the_same_wizard_is_used_twice_at_once_then_one_refund_is_made(self):
        tx = self._paid()
        wizard = self._open_wizard(tx, scope='amount', amount=30)
        prepare = type(tx)._btcpay_draft_refund
        refunds = []

        def prepare_and_be_overtaken(root, *args):
            result = prepare(root, *args)
            with patch.object(type(tx), '_btcpay_draft_refund', prepare):
                refunds.append(self._refund_by(wizard))
            return result

        with patch.object(type(tx), '_btcpay_draft_refund', prepare_and_be_overtaken):
            refunds.append(self._refund_by(wizard))
        self.assertEqual(refunds[0], refunds[1])
        self._assert_made_once(refunds[0])

    def test_when_the_same_wizard_is_used_after_a_refusal_then_the_refund_is_made(self):
        wizard = self._open_wizard(self._paid(), scope='amount', amount=30)
        self.world.fault('status', path='/refund$', method='POST', status=400)
        with self._quiet():
            self._assert_refused(wizard.action_refund, "refused the request")
        self._assert_made_once(self._refund_by(wizard))

    def test_when_two_people_request_more_than_there_is_at_once_then_the_second_is_refused(self):
        """Two people press at once: both have looked, then both ask for the lock."""
        tx = self._paid()
        prepare = type(tx)._btcpay_draft_refund

        def prepare_and_be_overtaken(root, *args):
            result = prepare(root, *args)
            with patch.object(type(tx), '_btcpay_draft_refund', prepare):
                tx._btcpay_request_refund(60)
            return result

        with patch.object(type(tx), '_btcpay_draft_refund', prepare_and_be_overtaken):
            self._assert_refused(lambda: tx._btcpay_request_refund(60), "at most")
        self.assertEqual(len(self._pull_payments()), 1)

    def test_when_a_refund_is_stored_then_whoever_waits_for_the_lock_begins_anew(self):
        """The payment is written when a refund is stored: whoever began before and gets the lock
        after has a serialization failure, and does not overlook the refund."""
        tx = self._paid()
        before = self._row_version(tx)
        self.patch(type(tx), '_btcpay_sync', lambda tx, **kwargs: None)
        with patch.object(type(tx), '_btcpay_send_refund', lambda refund, **_kw: None):
            tx._btcpay_request_refund(60)
        self.assertNotEqual(self._row_version(tx), before)
        self.assertEqual(tx.btcpay_returned_amount, 60)

    def test_when_the_server_is_asked_for_a_refund_then_a_second_one_is_refused_meanwhile(self):
        tx = self._paid()
        send = type(tx)._btcpay_send_refund
        errors = []

        def send_and_be_overtaken(refund, **_kw):
            with patch.object(type(tx), '_btcpay_send_refund', send):
                try:
                    tx._btcpay_request_refund(30)
                except UserError as error:
                    errors.append(error.args[0])
            return send(refund)

        with patch.object(type(tx), '_btcpay_send_refund', send_and_be_overtaken):
            refund = tx._btcpay_request_refund(60)
        self.assertIn("just being made", errors[0])
        self._assert_made_once(refund)

    def test_when_an_event_overtakes_the_answer_then_there_is_one_refund_and_one_mail(self):
        tx = self._paid()
        keep = type(tx)._btcpay_keep_pull_payment

        def keep_and_be_overtaken(refund, pull_payment):
            with patch.object(type(tx), '_btcpay_keep_pull_payment', keep):
                self.assertEqual(tx._btcpay_find_or_adopt_refund(pull_payment.id), refund)
            return keep(refund, pull_payment)

        with patch.object(type(tx), '_btcpay_keep_pull_payment', keep_and_be_overtaken):
            refund = tx._btcpay_request_refund(60)
        self._assert_made_once(refund)
        self.assertEqual(tx.btcpay_refund_ids, refund)
        self.assertEqual(len(self._refund_mails(tx.sale_order_ids)), 1)

    def test_when_the_server_is_asked_for_a_refund_then_it_is_stored_already(self):
        tx = self._paid()
        stored = []

        def send(refund, **_kw):
            self.env.cr.rollback()  # What is not stored is lost now.
            stored.append((refund.exists().state, refund.btcpay_requested_at))

        with patch.object(type(tx), '_btcpay_send_refund', send):
            tx._btcpay_request_refund(60)
        self.assertEqual(stored[0][0], 'draft')
        self.assertLessEqual(stored[0][1], fields.Datetime.now())
