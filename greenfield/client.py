"""The operations of the API that a shop needs, one method each."""
from collections.abc import Collection, Iterable

from .client_refunds import RefundOperations
from .client_webhooks import WebhookOperations
from .invoice import Invoice, InvoiceDraft, InvoicePaymentMethod
from .reader import Listing, Reader, parse_listing
from .store import ApiKey, Rate, ServerInfo, Store, StorePaymentMethod
from .transport import Transport, check_same, make_flag, make_path

__all__ = ['Client', 'Transport']

#: The number of invoices that the server lists where it is not told another.
TAKE = 50


class Client(WebhookOperations, RefundOperations):
    """A BTCPay Server, as one API key sees it.

    Ids that are none raise `ValueError`: they are a fault of the caller. No answer has been seen
    by anybody before it was checked: what a method returns is as it says.
    """

    # === THE SERVER AND THE KEY === #

    def get_health(self) -> bool:
        """Return whether the server is in step with its chains.

        `GET /api/v1/health`, no key needed. Any answer says that a BTCPay Server is there.
        """
        return Reader(self._send('GET', '/health'), 'health').boolean('synchronized')

    def get_server_info(self) -> ServerInfo:
        """Read the server's version.

        `GET /api/v1/server/info`, any key.

        :raise ServerFault: also while it is not in step with its chains
        """
        return ServerInfo.parse(self._send('GET', '/server/info'))

    def list_languages(self) -> list[str]:
        """List the codes of the checkout page's languages, e.g. `fr-FR`.

        `GET /misc/lang`, which is not below `/api/v1`; any key.
        """
        return list(parse_listing(
            self._send('GET', '/misc/lang'), 'languages',
            lambda item: Reader(item, 'language').api_id('code'),
        ))

    def get_current_key(self) -> ApiKey:
        """Read what the key may do.

        `GET /api/v1/api-keys/current`, any key.

        :raise Unauthorized: if the key is unknown, or was revoked
        """
        return ApiKey.parse(self._send('GET', make_path('api-keys', 'current')))

    def revoke_current_key(self) -> None:
        """Have the server forget the key.

        `DELETE /api/v1/api-keys/current`, any key.

        :raise Unauthorized: if it is unknown already
        """
        self._send('DELETE', make_path('api-keys', 'current'))

    # === STORES === #

    def list_stores(self) -> Listing[Store]:
        """List the stores that the key is for.

        `GET /api/v1/stores`, permission `btcpay.store.canviewstoresettings`. A store that was
        deleted is missing here, while `get_store` may still read it.
        """
        return parse_listing(self._send('GET', '/stores'), 'stores', Store.parse)

    def get_store(self, store_id: str) -> Store:
        """Read a store.

        `GET /api/v1/stores/{storeId}`, permission `btcpay.store.canviewstoresettings`.
        """
        store = Store.parse(self._send('GET', make_path('stores', store_id)))
        check_same('store.id', store.id, store_id)
        return store

    def list_payment_methods(
        self, store_id: str, only_enabled: bool = False
    ) -> Listing[StorePaymentMethod]:
        """List the payment methods that a store has set up.

        `GET /api/v1/stores/{storeId}/payment-methods`, permission
        `btcpay.store.canviewstoresettings`. One that is down is listed as enabled all the same.
        """
        return parse_listing(
            self._send(
                'GET', make_path('stores', store_id, 'payment-methods'),
                params={'onlyEnabled': make_flag(only_enabled)},
            ),
            'paymentMethods', StorePaymentMethod.parse,
        )

    def list_rates(self, store_id: str, pairs: Iterable[str]) -> Listing[Rate]:
        """List the rates that a store would use now.

        `GET /api/v1/stores/{storeId}/rates`, permission `btcpay.store.canviewstoresettings`.

        :param Iterable[str] pairs: the currency pairs, e.g. `BTC_EUR`
        """
        return parse_listing(
            self._send(
                'GET', make_path('stores', store_id, 'rates'),
                params=[('currencyPair', pair) for pair in pairs],
            ),
            'rates', Rate.parse,
        )

    # === INVOICES === #

    def create_invoice(self, store_id: str, draft: InvoiceDraft) -> Invoice:
        """Make an invoice.

        `POST /api/v1/stores/{storeId}/invoices`, permission `btcpay.store.cancreateinvoice`.

        The server rounds the amount to digits of its own and leaves out methods that are down: look
        at the answer's `amount` and `payment_methods`, not at the draft. The first event may come
        before this returns.

        :raise Refused: a bad field (422, see `fields`); no usable method or rate (400)
        :raise Unreachable: no answer; the invoice may exist all the same, see `find_invoices`
        """
        return Invoice.parse(self._send(
            'POST', make_path('stores', store_id, 'invoices'), json=draft.dump()
        ))

    def get_invoice(self, store_id: str, invoice_id: str) -> Invoice:
        """Read an invoice.

        `GET /api/v1/stores/{storeId}/invoices/{invoiceId}`, permission
        `btcpay.store.canviewinvoices`.
        """
        invoice = Invoice.parse(self._send(
            'GET', make_path('stores', store_id, 'invoices', invoice_id)
        ))
        check_same('invoice.id', invoice.id, invoice_id)
        return invoice

    def find_invoices(
        self, store_id: str, order_ids: Collection[str], *, take: int = TAKE,
        include_archived: bool = False,
    ) -> Listing[Invoice]:
        """Find the invoices of some orders, newest first; several may have the same order id.

        `GET /api/v1/stores/{storeId}/invoices`, permission `btcpay.store.canviewinvoices`.

        :param Collection[str] order_ids: the order ids; all go into the address of the call
        :param int take: how many invoices are listed at most
        """
        if not order_ids:  # The server would list all that there are.
            return Listing()
        answer = self._send('GET', make_path('stores', store_id, 'invoices'), params=[
            *(('orderId', order_id) for order_id in order_ids),
            ('includeArchived', make_flag(include_archived)),
            ('take', take),
        ])
        found = parse_listing(answer, 'invoices', Invoice.parse)
        return Listing(found.items, found.is_complete and len(found) < take)

    def list_invoice_payment_methods(
        self, store_id: str, invoice_id: str
    ) -> Listing[InvoicePaymentMethod]:
        """List the methods by which an invoice can be paid, with all payments received.

        `GET /api/v1/stores/{storeId}/invoices/{invoiceId}/payment-methods`, permission
        `btcpay.store.canviewinvoices`. Payments that were replaced are listed, too.
        """
        return parse_listing(
            self._send(
                'GET', make_path('stores', store_id, 'invoices', invoice_id, 'payment-methods'),
                params={'onlyAccountedPayments': make_flag(False)},
            ),
            'paymentMethods', InvoicePaymentMethod.parse,
        )

    def mark_invoice(self, store_id: str, invoice_id: str, status: str) -> None:
        """Decide on the status of an invoice.

        `POST /api/v1/stores/{storeId}/invoices/{invoiceId}/status`, permission
        `btcpay.store.canmodifyinvoices`. The server answers with the old state, which is of no use:
        read the invoice again.

        :param str status: `Settled` or `Invalid`
        :raise Refused: if it cannot be marked so now
        """
        self._send(
            'POST', make_path('stores', store_id, 'invoices', invoice_id, 'status'),
            json={'status': status},
        )
