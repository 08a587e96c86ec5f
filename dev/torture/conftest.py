"""What the tests of the torture share, and their options."""
import random

import pytest

from ..odoo import databases
from ..paths import ROOT
from . import stack
from .rig import WORKERS, Rig
from .shards import Shards


def pytest_addoption(parser):
    group = parser.getgroup('torture')
    group.addoption('--seed', type=int, default=1, help='0: a random one')
    group.addoption('--minutes', type=float, help='go on with further seeds till then')
    group.addoption('--shards', type=int, default=2, help='processes at once')
    group.addoption('--sequences', type=int, default=100, help='for each seed')
    group.addoption('--dealt', action='store_true', help='each kind of step once, not at random')
    group.addoption('--rounds', type=int, default=3, help='of what happens at once')
    group.addoption('--kills', type=int, default=6, help='how often Odoo is killed')
    group.addoption('--shrinking', type=int, default=60,
                    help='seconds to look for a shorter sequence that fails as well')
    group.addoption('--module', default=str(ROOT), help='its source, this repository or a copy')


def pytest_generate_tests(metafunc):
    """Repeat each test that asks for its number."""
    if 'number' in metafunc.fixturenames:
        option = '--kills' if metafunc.module.__name__.endswith('crash_test') else '--rounds'
        metafunc.parametrize('number', range(metafunc.config.getoption(option)))


@pytest.fixture(scope='session')
def seed(pytestconfig):
    number = pytestconfig.getoption('--seed') or random.randrange(1, 10**6)
    print(f'\nSeed: {number}')
    return number


@pytest.fixture(scope='session')
def instance(pytestconfig):
    with stack.alone():  # the databases have the same names each time
        made = stack.prepare_base(pytestconfig.getoption('--module'))
        yield made
        databases.remove_database(made, stack.BASE)


@pytest.fixture(scope='session', autouse=True)
def shards(instance, seed, pytestconfig, request):
    """Random sequences, which are run while the other tests are."""
    if not any(item.name == 'test_model' for item in request.session.items):
        yield None
        return
    option = pytestconfig.getoption
    made = Shards(seed, option('--shards'), option('--sequences'), option('--minutes'),
                  option('--shrinking'), option('--dealt'))
    yield made
    made.close()


@pytest.fixture(scope='session')
def rig(instance):
    """One for all tests with several processes of Odoo; each begins anew on it."""
    with Rig(instance, 'workers', WORKERS) as made:
        yield made
