"""Random sequences of what happens and of what goes wrong, see `machine.py`."""
import pytest

from . import shards


def test_model(instance, seed, pytestconfig):
    option = pytestconfig.getoption
    violations = shards.run(
        seed, option('--shards'), option('--sequences'), option('--minutes'),
        option('--shrinking'))
    if violations:
        pytest.fail('\n\n'.join(violations), pytrace=False)
