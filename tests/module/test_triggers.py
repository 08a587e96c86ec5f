"""Who has a scheduled action run soon: several database transactions at once, real ones."""
from contextlib import closing
from datetime import timedelta
from threading import Timer
from unittest.mock import patch

from odoo import fields
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged

from odoo.addons.payment_btcpay import utils

ACTION = 'payment_btcpay.ir_cron_btcpay_pending_actions'


@tagged('post_install', '-at_install')
class TestTriggers(TransactionCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cron_id = cls.env.ref(ACTION).id

    def setUp(self):
        super().setUp()
        database = db_connect(self.env.cr.dbname)
        # Where our own commits are seen; the test's cursor sees what was there when it began.
        self.first, self.second, self.third = (self._open(database) for _number in range(3))
        self.patch(self.registry, 'cursor', database.cursor)
        self._remove()
        self.addCleanup(self._remove)

    def _open(self, database):
        return self.enterContext(closing(database.cursor()))

    def _remove(self):
        """Do as Odoo does that runs the action."""
        self.third.rollback()
        self.third.execute('DELETE FROM ir_cron_trigger WHERE cron_id = %s', [self.cron_id])
        self.third.commit()

    def _count(self):
        self.third.rollback()
        self.third.execute(
            'SELECT count(*) FROM ir_cron_trigger WHERE cron_id = %s', [self.cron_id])
        return self.third.fetchone()[0]

    def _trigger(self, cr):
        utils.trigger_once(self.env(cr=cr), ACTION)

    def test_when_one_waits_then_there_is_no_second(self):
        self._trigger(self.first)
        self._trigger(self.first)
        self.first.commit()
        self._trigger(self.second)
        self.second.commit()
        self.assertEqual(self._count(), 1)

    def test_when_one_is_for_later_then_there_is_one_for_now(self):
        self.env(cr=self.first).ref(ACTION)._trigger(fields.Datetime.now() + timedelta(hours=1))
        self.first.commit()
        self._trigger(self.second)
        self.second.commit()
        self.assertEqual(self._count(), 2)

    def test_when_two_begin_at_once_then_one_waits(self):
        self._trigger(self.first)
        self._trigger(self.second)
        other = Timer(0.2, self.first.commit)
        other.start()
        self.second.commit()  # Waits for the first one.
        other.join()
        self.assertEqual(self._count(), 1)

    def test_when_it_ran_before_the_second_was_stored_then_it_runs_again(self):
        """What the second one did is not seen by what began before."""
        self._trigger(self.first)
        self._trigger(self.second)
        self.first.commit()
        self._remove()
        self.second.commit()
        self.assertEqual(self._count(), 1)

    def test_when_the_first_is_rolled_back_then_the_second_has_it_run(self):
        self._trigger(self.first)
        self._trigger(self.second)
        self.first.rollback()
        self.second.commit()
        self.assertEqual(self._count(), 1)

    def test_when_the_first_does_not_end_then_the_second_does_not_wait_for_ever(self):
        self._trigger(self.first)
        self._trigger(self.second)
        with patch.object(utils, 'LOCK_TIMEOUT', 0.05):
            self.second.commit()
        self.assertEqual(self._count(), 1)
        self.first.rollback()

    def test_when_the_action_is_switched_off_then_it_is_left_alone(self):
        cron = self.env(cr=self.first).ref(ACTION)
        cron.active = False
        cron.flush_recordset()
        self._trigger(self.first)
        self.first.execute(
            'SELECT count(*) FROM ir_cron_trigger WHERE cron_id = %s', [self.cron_id])
        self.assertEqual(self.first.fetchone()[0], 0)
        self.first.rollback()
