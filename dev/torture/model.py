"""Runs sequences against one stack: ``python -m dev.torture.model NUMBER …``, a process a shard."""
import argparse
import json
import sys
import time
import traceback
from collections import Counter

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import run_state_machine_as_test

from ..odoo import databases
from ..odoo.processes import raise_on_sigterm
from .actions import Actions
from .machine import Torture
from .rig import Rig
from .steps import deal
from .truth import Violation

STEPS = 14


def run(rig, number, sequences):
    """Run a number of sequences.

    :param int number: the seed
    :return: nothing, or what is wrong
    """
    Torture.rig, Actions.first_failure = rig, None
    machine = seed(number)(type('Torture', (Torture,), {}))
    try:
        run_state_machine_as_test(machine, settings=settings(
            max_examples=sequences, stateful_step_count=STEPS, deadline=None, database=None,
            print_blob=False, report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink)))
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return _describe(error, f'--shards 1 --seed {number} --sequences {sequences}')
    return None


def run_dealt(rig, number, shard, shards):
    """Run this shard's share of the sequences in which every step has its turn.

    :param int number: the seed
    :return: nothing, or what is wrong
    """
    Torture.rig, Actions.first_failure = rig, None
    for begin, steps in deal(number, STEPS)[shard::shards]:
        machine = Torture()
        try:
            machine.begin(**begin)
            for step in steps:
                machine.act(step)
            machine.teardown()
        except Exception as error:
            error.add_note('\n'.join(f'{step}' for step in (begin, *steps)))
            return _describe(error, f'--dealt --shards {shards} --seed {number}')
    return None


def _describe(error, options):
    return {
        'options': options,
        'first': Actions.first_failure or [],
        'shrunk': '\n'.join([
            *getattr(error, '__notes__', ()), f'{type(error).__name__}: {error}',
            *(() if isinstance(error, Violation) else traceback.format_tb(error.__traceback__)),
        ]),
    }


def main():
    parser = argparse.ArgumentParser(prog='python -m dev.torture.model', description=__doc__)
    parser.add_argument('number', type=int, help='of the shard')
    parser.add_argument('--dealt', type=int, help='dealt sequences, among as many shards')
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--sequences', type=int, default=100, help='with each seed')
    parser.add_argument('--minutes', type=float, help='begin anew with further seeds till then')
    parser.add_argument('--result', required=True, help='file for the result, as JSON')
    parser.add_argument('--shrinking', type=int, default=60,
                        help='seconds to look for a shorter sequence that fails as well')
    options = parser.parse_args()
    engine.MAX_SHRINKING_SECONDS = options.shrinking
    end = time.monotonic() + 60 * (options.minutes or 0)
    result = {'counts': {}, 'violations': []}
    Actions.counts = Counter()
    with Rig(databases.test_instance(), str(options.number)) as rig:
        number, begun = options.seed, time.monotonic()
        if options.dealt:
            violation = run_dealt(rig, number, options.number, options.dealt)
            result['violations'] += [violation] if violation else []
        while not options.dealt:
            violation = run(rig, number, options.sequences)
            if violation:
                result['violations'].append(violation)
            number += 1
            if violation or time.monotonic() >= end:
                break
    result['counts'] = Actions.counts
    result['seconds'] = round(time.monotonic() - begun)
    with open(options.result, 'w') as file:
        json.dump(result, file)
    return 1 if result['violations'] else 0


if __name__ == '__main__':
    raise_on_sigterm()
    sys.exit(main())
