"""What a recording may consist of; anything else is an error, not something passed over."""

#: fields of each kind of record
FIELDS = {
    'api': {
        'note', 'method', 'path', 'request_headers', 'request', 'status', 'response_headers',
        'response',
    },
    'webhook': {'path', 'headers', 'raw', 'body', 'secret', 'signature_ok', 'answered'},
    'webhook-get': {'path'},
    'missing': {'wanted', 'seen'},
    'note': {'text'},
}
#: fields of what was done on the chain, by how it begins
DEEDS = {
    'paid': {'address', 'amount', 'txid'},
    'replaced': {'txid', 'by'},
    'paid over Lightning': {'payment_hash'},
    'mined': set(),
}
#: request headers that the replay knows to send
REQUEST_HEADERS = {'Authorization', 'Content-Type'}
#: headers of a delivery that the comparison knows
DELIVERY_HEADERS = {'Host', 'User-Agent', 'Content-Type', 'BTCPay-Sig', 'Content-Length'}
#: only one that a call of the API brought about has it
TRACE = {'traceparent'}
ANSWERS = {'hang'}

#: What a note says happened: payment methods switched, a node stopped ('down') or started.
#: ``None``: it says nothing that has to be done.
OFF_LIGHTNING = {'BTC-LN': False, 'BTC-LNURL': False}
NOTES = {
    'from here the new secret is set; signature_ok is about the old one': None,
    'the merchant switches Lightning off': {'methods': OFF_LIGHTNING},
    'the merchant switches on-chain off': {'methods': {'BTC-CHAIN': False}},
    'the Lightning node is stopped': {'down': 'lightning'},
    'the node of the chain is stopped': {'down': 'chain'},
    'it runs again': {'down': None},
    'took 0.0 s': None,
    'took 0.1 s': None,
}


def deed(record):
    """:return: which of DEEDS was done, or None"""
    did = record.get('did', '')
    return did if did in DEEDS else 'mined' if did.startswith('mined ') else None


def unknown(recording):
    """:return: sentences about what the replay does not know, none for a recording as it should be
    """
    found = []
    if extra := set(recording) - {'scenario', 'error', 'records'}:
        found.append(f'unknown fields {sorted(extra)}')
    if recording.get('error') is not None:
        found.append(f"the recorder ended with an error: {recording['error']}")
    for i, record in enumerate(recording['records']):
        where, kind = f"record {i} at {record.get('t')}", record.get('kind')
        wanted = FIELDS.get(kind)
        if kind == 'chain':
            wanted = DEEDS.get(deed(record))
            wanted = wanted if wanted is None else wanted | {'did'}
        if wanted is None:
            found.append(f"{where}: unknown kind {kind!r} {record.get('did', '')}")
        elif set(record) != wanted | {'t', 'kind'}:
            found.append(f'{where}: fields {sorted(set(record) ^ (wanted | {"t", "kind"}))}')
        else:
            found += [f'{where}: {what}' for what in _values(kind, record)]
    return found


def _values(kind, record):
    if kind == 'note' and record['text'] not in NOTES:
        yield f"unknown note {record['text']!r}"
    if kind == 'api' and (extra := set(record['request_headers']) - REQUEST_HEADERS):
        yield f'unknown request headers {sorted(extra)}'
    if kind == 'webhook':
        if extra := (set(record['headers']) - TRACE) ^ DELIVERY_HEADERS:
            yield f'unknown or missing headers {sorted(extra)}'
        if not isinstance(record['answered'], int) and record['answered'] not in ANSWERS:
            yield f"unknown answer {record['answered']!r}"
