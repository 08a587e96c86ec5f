"""The nodes behind the server: that of the chain, that of Lightning. One can be down."""

NODES = ('lightning', 'chain')
#: seconds until the server believes that the chain's node is down, or is there again
BELIEVES_AFTER = 30


def turn(server, down):
    """Stop a node, or start what is stopped.

    :param str down: 'lightning' or 'chain', None for neither
    """
    if 'chain' in (down, server.settings['down']) and down != server.settings['down']:
        server.chain_turned = server.now()
    server.settings['down'] = down


def chain_runs(server):
    return server.settings['down'] != 'chain'


def lightning_runs(server):
    return server.settings['down'] != 'lightning'


def chain_synchronized(server):
    """:return: whether the server believes that the chain's node is there"""
    if server.now() - server.chain_turned < BELIEVES_AFTER:
        return not chain_runs(server)
    return chain_runs(server)


def trouble(server, method_id):
    """:return: why a method of payment cannot be prepared, as the server's log says it, or None"""
    if method_id == 'BTC-LN' and not lightning_runs(server):
        return ('Payment method unavailable (Impossible to create lightning invoice (Connection '
                'refused (127.0.0.1:8089)))')
    if method_id == 'BTC-CHAIN' and not chain_synchronized(server):
        return 'Payment method unavailable (Full node not available)'
    if method_id == 'BTC-CHAIN' and not chain_runs(server):
        return ('Unexpected exception (System.Net.Http.HttpRequestException: Connection refused '
                '(127.0.0.1:24446)\n ---> System.Net.Sockets.SocketException (111): Connection '
                'refused\n   (stack trace left out)')
    return None
