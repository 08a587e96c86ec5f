"""What the contract tests share: the recordings, and the world they are about."""
import json
import os
from pathlib import Path

import pytest

from ..paths import BIN
from ..world import NotPossible, StandIn, from_environment, real_server_named
from ..world.process import ROOT

# Where the set-up put its Chromium; the tests look for one in PATH as they are imported
os.environ['PATH'] = os.pathsep.join([str(BIN), os.environ.get('PATH', os.defpath)])


#: what was seen on a real server, see README.rst there
RECORDINGS = Path(__file__).parent / 'recordings'


def shared_folder():
    """:return: the folder with wire/ and swagger/, which only some machines have"""
    return Path(os.environ.get('BTCPAY_SHARED') or ROOT.parent / 'shared')


def load_recordings():
    """:return: {scenario: recording}"""
    recordings = {}
    for path in sorted(RECORDINGS.glob('s*.json')):
        recordings[path.stem] = json.loads(path.read_text(encoding='utf-8'))
    return recordings


def pytest_generate_tests(metafunc):
    if 'scenario' in metafunc.fixturenames:
        metafunc.parametrize('scenario', list(load_recordings()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """What a world cannot do skips, by name."""
    try:
        return (yield)
    except NotPossible as error:
        pytest.skip(str(error))


@pytest.fixture(scope='session')
def recordings():
    return load_recordings()


@pytest.fixture(scope='session')
def world():
    """:return: the real server that the environment names, else a stand-in"""
    with from_environment() as found:
        yield found


@pytest.fixture(scope='session')
def stand_in(request):
    """:return: address of a stand-in, for what has to steer one"""
    if real_server_named():
        pytest.skip('it steers the stand-in, and BTCPAY_URL names a real server to test instead')
    world = request.getfixturevalue('world')
    assert isinstance(world, StandIn)
    return world.url
