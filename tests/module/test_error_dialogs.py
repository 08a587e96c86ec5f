from odoo.exceptions import UserError, ValidationError
from odoo.http import serialize_exception
from odoo.tests import BaseCase, tagged

# The names by which Odoo's web client knows that a message is for people
KNOWN = {f'odoo.exceptions.{kind.__name__}' for kind in (UserError, ValidationError)}


@tagged('post_install', '-at_install')
class TestErrorDialogs(BaseCase):

    def _own_errors(self, kind=UserError):
        """Yield each kind of error of this module that is meant for people."""
        for child in kind.__subclasses__():
            if child.__module__.startswith('odoo.addons.payment_btcpay.'):
                yield child
            yield from self._own_errors(child)

    def test_when_a_button_raises_an_error_of_ours_then_its_message_is_shown_as_of_odoos_own(self):
        """Odoo's web client goes by the name, and shows a traceback for one that it does not know.
        """
        own = list(self._own_errors())
        self.assertTrue(own)
        for kind in own:
            with self.subTest(kind=kind.__name__):
                error = kind.__new__(kind, "It is busy.")
                self.assertIn(
                    serialize_exception(error)['context'].get('exception_class'), KNOWN
                )
