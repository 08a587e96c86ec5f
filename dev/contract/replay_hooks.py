"""Compares the webhooks of a replay with the recorded ones: which, where among the calls, what."""
import hashlib
import hmac
import json
import re

from .replay_headers import delivery_headers

#: seconds that an event takes to the receiver, or an answer to the recorder
LATENCY = 1
#: Events that the last step of a recording caused and the recorder was not there to receive.
CUT_OFF = {'s25': ['InvoiceCreated'], 's34': ['InvoiceCreated'], 's42': ['InvoiceRefund']}
#: Scenarios in which the recorder took no events down.
NOT_RECORDED = {'s41'}
#: How many deliveries at the beginning are of what an earlier scenario made.
OF_EARLIER = {'s42': 1}


def is_step(record):
    return record['kind'] in ('api', 'chain')


def place_differs(event, step, records):
    """Whether an event stands elsewhere between the calls than in the recording.

    It may overtake the answer of the call that caused it, and the recorder may have done its next
    steps before it came; both only for a moment.

    :param dict event: the recorded delivery, one of ``records``
    :param int step: how many steps had begun when it came in the replay
    :return: how many steps were done when it came in the recording, None if that agrees
    """
    before = sum(map(is_step, records[:records.index(event)]))
    steps = [record for record in records if is_step(record)]
    if step == before + 1:
        cause = steps[before]
        agrees = cause['kind'] == 'api' and cause['t'] - event['t'] <= LATENCY
    elif step < before:
        agrees = step > 0 and event['t'] - steps[step - 1]['t'] <= LATENCY
    else:
        agrees = step == before
    return None if agrees else before


def secrets(recording):
    """:return: all secrets of webhooks that are named in it"""
    return set(re.findall(r'"secret": "([^"]+)"', json.dumps(recording)))


def signs(secret, raw, signature):
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return signature == f'sha256={digest}'


def compare_hooks(comparison, recording, hooks):
    """Note every difference between the deliveries of a recording and those of its replay.

    :param list hooks: what the Receiver got, in order
    """
    scenario = recording['scenario'].partition('_')[0]
    if scenario in NOT_RECORDED:
        return
    records = [record for record in recording['records'] if record['kind'] == 'webhook']
    records = records[OF_EARLIER.get(scenario, 0):]
    for path in sorted({record['path'] for record in records} | {hook.path for hook in hooks}):
        recorded = [record for record in records if record['path'] == path]
        received = [hook for hook in hooks if hook.path == path]
        types = [record['body']['type'] for record in recorded]
        if path == '/hook':
            types += CUT_OFF.get(scenario, ())
        actual = [json.loads(hook.raw)['type'] for hook in received]
        if types != actual:
            comparison.differ(f'webhooks to {path}', types, actual)
            continue
        for record, hook in zip(recorded, received, strict=False):
            compare_hook(comparison, recording, record, hook)


def compare_hook(comparison, recording, record, hook):
    where = f"{record['t']} webhook {record['body']['type']}"
    body = json.loads(hook.raw)
    comparison.compare(where, record['body'], body)
    if list(record['body']) != list(body):
        comparison.differ(f'{where} order', list(record['body']), list(body))
    for form, raw in (('recorded', record['raw']), ('stand-in', hook.raw.decode())):
        if json.dumps(json.loads(raw), indent=2, ensure_ascii=False) != raw:
            comparison.differ(f'{where} form', 'indented JSON', f'{form}: {raw}')
    before = place_differs(record, hook.step, recording['records'])
    if before is not None:
        comparison.differ(f'{where} place', f'after {before} steps', f'after {hook.step}')
    delivery_headers(comparison, where, record['headers'], hook)
    signature, raw = record['headers']['BTCPay-Sig'], record['raw'].encode()
    signer = [secret for secret in secrets(recording) if signs(secret, raw, signature)]
    if len(signer) != 1:
        comparison.differ(f'{where} signed', 'by one of its secrets', f'recorded: {signer}')
    elif not signs(comparison.translate(signer[0]), hook.raw, hook.headers.get('Btcpay-Sig')):
        comparison.differ(f'{where} signed', f'with {signer[0]}', 'with something else')
