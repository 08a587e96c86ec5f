"""Odoo's data, asked for as the administrator who is logged in in the browser."""


class OdooError(Exception):
    """Odoo refused a call."""


class Odoo:
    """:param requests: Playwright's requests with the cookies of the administrator's window
    :param str url: address of Odoo
    """

    def __init__(self, requests, url):
        self.requests = requests
        self.url = url

    def call(self, model, method, *args, **kwargs):
        """Call a method of a model.

        :return: its result
        :raise OdooError: with Odoo's message
        """
        response = self.requests.post(f'{self.url}/web/dataset/call_kw/{model}/{method}', data={
            'jsonrpc': '2.0', 'method': 'call', 'params': {
                'model': model, 'method': method, 'args': list(args), 'kwargs': kwargs}})
        answer = response.json()
        if 'error' in answer:
            data = answer['error'].get('data') or {}
            raise OdooError(f'{model}.{method}: {data.get("message") or answer["error"]}')
        return answer['result']

    def search(self, model, domain, fields, **options):
        """:param options: ``order``, ``limit``
        :return: list of {field: value}
        """
        return self.call(model, 'search_read', domain, fields, **options)

    def read(self, model, record_id, fields):
        """:return: {field: value} of one record"""
        return self.call(model, 'read', [record_id], fields)[0]

    def first(self, model, domain, fields, **options):
        """:return: {field: value} of the first record, or None"""
        return next(iter(self.search(model, domain, fields, limit=1, **options)), None)
