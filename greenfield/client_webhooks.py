"""Operations on webhooks, all with the permission `btcpay.store.webhooks.canmodifywebhooks`."""
from .reader import Listing, Reader, parse_id, parse_listing
from .transport import Operations, make_path
from .webhook import Delivery, Webhook, WebhookDraft


class WebhookOperations(Operations):

    def list_webhooks(self, store_id: str) -> Listing[Webhook]:
        """List the webhooks of a store, others' too.

        `GET /api/v1/stores/{storeId}/webhooks`.
        """
        answer = self._send('GET', make_path('stores', store_id, 'webhooks'))
        return parse_listing(answer, 'webhooks', Webhook.parse)

    def get_webhook(self, store_id: str, webhook_id: str) -> Webhook:
        """Read a webhook.

        `GET /api/v1/stores/{storeId}/webhooks/{webhookId}`.

        :raise NotFound: if there is none, with the code `webhook-not-found`
        """
        return Webhook.parse(self._send(
            'GET', make_path('stores', store_id, 'webhooks', webhook_id)
        ))

    def create_webhook(self, store_id: str, draft: WebhookDraft) -> Webhook:
        """Make a webhook.

        `POST /api/v1/stores/{storeId}/webhooks`.

        :raise Refused: a bad field (422)
        :raise Unreachable: no answer; it may exist all the same, see `list_webhooks`
        """
        return Webhook.parse(self._send(
            'POST', make_path('stores', store_id, 'webhooks'), json=draft.dump()
        ))

    def update_webhook(self, store_id: str, webhook_id: str, draft: WebhookDraft) -> Webhook:
        """Change a webhook wholly. What is queued stays signed with the secret of before.

        `PUT /api/v1/stores/{storeId}/webhooks/{webhookId}`.

        :raise NotFound: if there is none
        :raise Refused: a bad field (422)
        """
        return Webhook.parse(self._send(
            'PUT', make_path('stores', store_id, 'webhooks', webhook_id), json=draft.dump()
        ))

    def delete_webhook(self, store_id: str, webhook_id: str) -> None:
        """Remove a webhook.

        `DELETE /api/v1/stores/{storeId}/webhooks/{webhookId}`.

        :raise NotFound: if there is none
        """
        self._send('DELETE', make_path('stores', store_id, 'webhooks', webhook_id))

    def list_deliveries(
        self, store_id: str, webhook_id: str, *, count: int = 20
    ) -> Listing[Delivery]:
        """List the latest attempts to send an event, newest first; what is queued is not listed.

        `GET /api/v1/stores/{storeId}/webhooks/{webhookId}/deliveries`.

        :param int count: how many are listed at most, from 1
        """
        answer = self._send(
            'GET', make_path('stores', store_id, 'webhooks', webhook_id, 'deliveries'),
            params={'count': count},
        )
        found = parse_listing(answer, 'deliveries', Delivery.parse)
        return Listing(found.items, found.is_complete and len(found) < count)

    def get_delivery_original(self, store_id: str, webhook_id: str, delivery_id: str) -> str:
        """Return the id of the first delivery of the same event.

        `GET /api/v1/stores/{storeId}/webhooks/{webhookId}/deliveries/{deliveryId}/request`.

        :raise NotFound: if there is no such delivery
        """
        read = Reader(self._send('GET', make_path(
            'stores', store_id, 'webhooks', webhook_id, 'deliveries', delivery_id, 'request'
        )), 'event')
        return read.api_id('originalDeliveryId')

    def redeliver(self, store_id: str, webhook_id: str, delivery_id: str) -> str:
        """Have an event sent again, signed with the secret of now.

        `POST /api/v1/stores/{storeId}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver`.

        :return: the id of the new delivery
        :raise NotFound: if there is no such delivery
        """
        return parse_id(self._send('POST', make_path(
            'stores', store_id, 'webhooks', webhook_id, 'deliveries', delivery_id, 'redeliver'
        )), 'delivery.id')
