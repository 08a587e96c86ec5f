"""What the tests share: a stand-in, a store, and clients of it."""
import pytest

from greenfield import Client, HttpTransport

from ..world import StandIn
from ..world.base import GUIDE


@pytest.fixture(scope='session')
def world():
    """:return: a stand-in for all tests"""
    with StandIn.started() as found:
        yield found


@pytest.fixture(scope='session')
def store(world):
    """:return: the id of a store with all methods"""
    return world.new_store('Shop')


@pytest.fixture(scope='session')
def key(world, store):
    """:return: a key with what the guide for shops asks for"""
    return world.new_key(store, GUIDE)


@pytest.fixture(scope='session')
def connect(world):
    """:return: a function that makes a client of the stand-in with a key"""
    transports = []

    def make(key='', timeout=10):
        transports.append(HttpTransport(world.url, key, timeout))
        return Client(transports[-1])

    yield make
    for transport in transports:
        transport.close()


@pytest.fixture(scope='session')
def client(connect, key):
    return connect(key)


@pytest.fixture
def order(request):
    """:return: an order id of the test's own"""
    return f'S-{request.node.name}'[:100]
