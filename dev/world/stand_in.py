"""The world of the stand-in BTCPay Server, steered through its control interface."""
from .base import TIMEOUT, Refused, World, payload
from .process import StandInProcess

METHODS = ('BTC-CHAIN', 'BTC-LN', 'BTC-LNURL')


class StandIn(World):
    """A stand-in that runs, or one started with ``StandIn.started()``, which ``close`` ends.

    :param str url: address of the server
    :param str control_url: address the control interface is below, where it is another one
    :param StandInProcess process: to stop in the end
    """

    can_fault = True
    #: what shared() has started
    shared_process = None

    def __init__(self, url, email='merchant@example.com', password='bitcoin-demo',
                 control_url=None, process=None):
        super().__init__(url, email, password)
        self.control_url = (control_url or url).rstrip('/')
        self.process = process

    @classmethod
    def started(cls, **options):
        """:param options: of StandInProcess
        :return: a StandIn with a new process
        """
        process = StandInProcess(**options).start()
        return cls(process.url, process.email, process.password, process.control_url, process)

    @classmethod
    def shared(cls):
        """A stand-in begun anew, in the one process that ours keeps; ``close`` leaves it running.

        One at a time: with the next one what happened in this one is forgotten.

        :return: a StandIn
        """
        process = StandIn.shared_process
        if not process:
            process = StandIn.shared_process = StandInProcess(detached=True).start()
        world = cls(process.url, process.email, process.password, process.control_url)
        world.reset()
        return world

    def close(self):
        super().close()
        if self.process:
            self.process.stop()

    def control(self, path, data=None, method='POST'):
        """One call of the control interface.

        :param str path: '/state'
        :raise Refused: with the stand-in's own message
        """
        arguments = {'params' if method == 'GET' else 'json': data or {}}
        response = self.session.request(
            method, f'{self.control_url}/_control{path}', timeout=TIMEOUT, **arguments)
        if response.status_code != 200:
            raise Refused(f'{method} /_control{path} {data}', response.status_code,
                          payload(response))
        return response.json()

    def state(self):
        """:return: the stand-in's time (``now``), block height, settings, stores …"""
        return self.control('/state', method='GET')

    def remember(self):
        """:return: a number to go back to this state by, until the next ``reset``"""
        return self.control('/remember')['number']

    def go_back(self, number):
        self.control('/go_back', {'number': number})

    # --- stores -----------------------------------------------------------------------------------

    def new_store(self, name='Shop', methods=None, **settings):
        methods = METHODS if methods is None else methods
        return self.control('/store', {
            'name': name, 'settings': settings, 'methods': {
                method: True if method in methods else None for method in {*METHODS, *methods}},
        })['id']

    def add_method(self, store_id, method):
        self.control(f'/store/{store_id}', {'methods': {method: True}})

    # --- money and time ---------------------------------------------------------------------------

    def pay(self, invoice_id, method='BTC-CHAIN', amount=None, fraction=None, replaceable=False):
        paid = self.control('/pay', {
            'invoice': invoice_id, 'method': method, 'replaceable': replaceable,
            'amount': None if amount is None else str(amount),
            'fraction': None if fraction is None else str(fraction),
        })
        return paid.get('txid') or paid['paymentHash']

    def replace(self, txid):
        return self.control('/replace', {'txid': txid})['txid']

    def mine(self, blocks=1):
        self.control('/mine', {'blocks': blocks})

    def expire(self, invoice_id):
        self.control('/expire', {'invoice': invoice_id})

    def pass_time(self, seconds):
        self.control('/time', {'advance': seconds})

    def new_address(self):
        return self.control('/address')['address']

    # --- webhooks ---------------------------------------------------------------------------------

    def wait_deliveries(self, timeout=15):
        if not self.control('/wait', {'timeout': timeout})['idle']:
            raise AssertionError(f'The stand-in is still delivering after {timeout} seconds')

    def delivered(self, invoice=None):
        """:return: what was sent to all webhooks, oldest first, with bodies"""
        return self.control('/deliveries', {'invoice': invoice} if invoice else {}, method='GET')

    # --- faults -----------------------------------------------------------------------------------

    def fault(self, kind, path='', method=None, count=1, status=503, seconds=30, after=False):
        self.control('/faults', {
            'kind': kind, 'path': path, 'method': method, 'count': count, 'status': status,
            'seconds': seconds, 'after': after})

    def webhook_fault(self, kind, invoice=None, type=None, count=1, seconds=5):  # noqa: A002 as told
        self.control('/webhook_faults', {
            'kind': kind, 'invoice': invoice, 'type': type, 'count': count, 'seconds': seconds})

    def clear_faults(self):
        self.control('/faults', method='DELETE')

    def restart(self):
        self.control('/restart')

    def requests(self, since=0):
        return self.control('/requests', {'since': since}, method='GET')

    def settings(self, **values):
        return self.control('/settings', values)

    def reset(self):
        self.control('/reset')
