"""Random sequences of what happens and of what goes wrong, see `machine.py`."""
import pytest


def test_model(shards):
    if violations := shards.wait():
        pytest.fail('\n\n'.join(violations), pytrace=False)
