"""What a part of `make test` found, and how it is told."""
from dataclasses import dataclass, field

from ..setup.console import say

LONGEST_DETAIL = 6000


@dataclass
class Outcome:
    """The result of one part.

    :param int passed: number of tests that passed
    :param list failed: (name, detail) of each that failed
    :param list skipped: (name, reason) of each that was skipped
    :param log: file with all that was printed
    """
    passed: int = 0
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    log: object = None
    title: str = ''
    seconds: float = 0

    def fail(self, name, detail):
        self.failed.append((name, detail))

    def settle(self):
        """A part in which nothing was tested has failed, too."""
        if not self.passed and not self.failed:
            self.fail(self.title, 'No test ran.')
        return self


def tell_failures(outcome):
    for name, detail in outcome.failed:
        say(f'\n✗ {name}')
        detail = detail.strip()
        if len(detail) > LONGEST_DETAIL:
            detail = detail[:1000] + '\n  […]\n' + detail[1000 - LONGEST_DETAIL:]
        say('    ' + detail.replace('\n', '\n    '))
    if outcome.failed and outcome.log:
        say(f'  The whole log: {outcome.log}')


def summarise(outcomes):
    """Print the summary, whose last line is for machines too.

    :return: whether all is well
    """
    say('\n' + f'{"":44}{"passed":>8}{"failed":>8}{"skipped":>8}{"seconds":>9}')
    for outcome in outcomes:
        mark = '✗' if outcome.failed else '✓'
        say(f'{mark} {outcome.title:42}{outcome.passed:8}{len(outcome.failed):8}'
            f'{len(outcome.skipped):8}{outcome.seconds:9.0f}')
    reasons = {}
    for outcome in outcomes:
        for name, reason in outcome.skipped:
            reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        say(f'\nSkipped, {len(names)} tests: {reason}')
        say('  ' + ', '.join(names[:12]) + (' …' if len(names) > 12 else ''))
    failed = [name for outcome in outcomes for name, _detail in outcome.failed]
    if failed:
        say('\nFailed:')
        for name in failed:
            say(f'  {name}')
    passed = sum(outcome.passed for outcome in outcomes)
    skipped = sum(len(outcome.skipped) for outcome in outcomes)
    say(f'\n{passed} passed, {len(failed)} failed' + (f', {skipped} skipped' if skipped else ''))
    return not failed
