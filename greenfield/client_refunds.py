"""Operations on refunds, pull payments and payouts."""
from .reader import Listing, parse_listing
from .refund import Payout, PullPayment, RefundDraft, RefundPreview
from .transport import Operations, check_same, make_flag, make_path


class RefundOperations(Operations):

    def refund_invoice(self, store_id: str, invoice_id: str, draft: RefundDraft) -> PullPayment:
        """Make a refund, which the customer claims at the answer's `view_link`.

        `POST /api/v1/stores/{storeId}/invoices/{invoiceId}/refund`, permission
        `btcpay.store.cancreatenonapprovedpullpayments`; with `btcpay.store.cancreatepullpayments`
        claims in the crypto currency are paid without approval.

        Nothing is capped, and each call makes another one. The event may come before this returns.

        :raise Refused: a bad field, a payout method that is not enabled, not overpaid (422);
            nothing to refund (400)
        :raise Unreachable: no answer; it may exist all the same: look for the draft's name in
            `list_pull_payments`
        """
        return PullPayment.parse(self._send(
            'POST', make_path('stores', store_id, 'invoices', invoice_id, 'refund'),
            json=draft.dump(),
        ))

    def preview_refund(
        self, store_id: str, invoice_id: str, payment_method_id: str
    ) -> RefundPreview:
        """Read what a refund of all that was received would come to.

        `GET /api/v1/stores/{storeId}/invoices/{invoiceId}/refund/{paymentMethodId}`, permission
        `btcpay.store.cancreatenonapprovedpullpayments`. Invoices that are not paid have one, too.

        :param str payment_method_id: a method that the invoice has
        :raise Refused: if the invoice has it not
        """
        return RefundPreview.parse(self._send('GET', make_path(
            'stores', store_id, 'invoices', invoice_id, 'refund', payment_method_id
        )))

    def list_pull_payments(self, store_id: str) -> Listing[PullPayment]:
        """List all pull payments of a store, archived ones too, newest first.

        They do not name their invoice.

        `GET /api/v1/stores/{storeId}/pull-payments`, permission
        `btcpay.store.cancreatenonapprovedpullpayments`.
        """
        answer = self._send(
            'GET', make_path('stores', store_id, 'pull-payments'),
            params={'includeArchived': make_flag(True)},
        )
        return parse_listing(answer, 'pullPayments', PullPayment.parse)

    def list_payouts(self, store_id: str) -> Listing[Payout]:
        """List all payouts of a store, less those of pull payments that are archived.

        `GET /api/v1/stores/{storeId}/payouts`, permission
        `btcpay.store.cancreatenonapprovedpullpayments`.
        """
        answer = self._send(
            'GET', make_path('stores', store_id, 'payouts'),
            params={'includeCancelled': make_flag(True)},
        )
        return parse_listing(answer, 'payouts', Payout.parse)

    def archive_pull_payment(self, store_id: str, pull_payment_id: str) -> None:
        """Take a pull payment back: open claims are canceled, and nothing more can be claimed.

        `DELETE /api/v1/stores/{storeId}/pull-payments/{pullPaymentId}`, permission
        `btcpay.store.canarchivepullpayments`. From then on its payouts are listed nowhere, those
        that were paid out included.
        """
        self._send('DELETE', make_path('stores', store_id, 'pull-payments', pull_payment_id))

    def get_pull_payment(self, pull_payment_id: str) -> PullPayment:
        """Read a pull payment.

        `GET /api/v1/pull-payments/{pullPaymentId}`, no key needed.

        :raise NotFound: if there is none
        """
        pull_payment = PullPayment.parse(self._send(
            'GET', make_path('pull-payments', pull_payment_id)
        ))
        check_same('pullPayment.id', pull_payment.id, pull_payment_id)
        return pull_payment

    def list_pull_payment_payouts(self, pull_payment_id: str) -> Listing[Payout]:
        """List all payouts of a pull payment; there are none once it is archived.

        `GET /api/v1/pull-payments/{pullPaymentId}/payouts`, no key needed.

        :raise NotFound: if there is no such pull payment
        """
        answer = self._send(
            'GET', make_path('pull-payments', pull_payment_id, 'payouts'),
            params={'includeCancelled': make_flag(True)},
        )
        found = parse_listing(answer, 'payouts', Payout.parse)
        for payout in found:
            check_same(
                'payout.pullPaymentId', payout.pull_payment_id or pull_payment_id, pull_payment_id
            )
        return found
