"""What the contract tests share: the recordings and a running stand-in."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_folder():
    """:return: the folder with wire/ and swagger/, which only some machines have"""
    return Path(os.environ.get('BTCPAY_SHARED') or ROOT.parent / 'shared')


def load_recordings():
    """:return: {scenario: recording}, empty where there are none"""
    recordings = {}
    for path in sorted((shared_folder() / 'wire').glob('s*.json')):
        recordings[path.stem] = json.loads(path.read_text(encoding='utf-8'))
    return recordings


def pytest_generate_tests(metafunc):
    if 'scenario' in metafunc.fixturenames:
        metafunc.parametrize('scenario', list(load_recordings()) or [None])


@pytest.fixture(scope='session')
def recordings():
    found = load_recordings()
    if not found:
        pytest.skip(f'no recordings of a real server in {shared_folder() / "wire"}')
    return found


@pytest.fixture(scope='session')
def stand_in():
    """:return: address of a stand-in that runs for the tests"""
    process = subprocess.Popen(
        [sys.executable, '-m', 'dev.btcpay'], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert 'ready on' in line, line
    yield line.split()[-1]
    process.terminate()
    process.wait(timeout=10)
