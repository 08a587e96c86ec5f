"""What Odoo's log says: results of tests, warnings and errors."""
import re
from dataclasses import dataclass, field

LINE = re.compile(r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ (?P<level>[A-Z]+) (?P<db>\S+) '
                  r'(?P<logger>\S+): (?P<text>.*)$', re.S)
COLOUR = re.compile(r'\x1b\[[0-9;]*m')
TOTAL = re.compile(r'^(\d+) failed, (\d+) error\(s\) of (\d+) tests')
STARTED = re.compile(r'^Starting (.+) \.\.\.\s*$')
FAILED = re.compile(r'^(?:FAIL|ERROR): (.+)')
SKIPPED = re.compile(r'^skipped (.+?) : (.*)', re.S)
BAD = ('WARNING', 'ERROR', 'CRITICAL')
# Said by every Odoo of ours, about how we run it and not about the module
HARMLESS = re.compile(
    r"Running as user 'root'|unaccent|'/nonexistent'|geoip|wkhtmltopdf|"
    r'There are no modules to upgrade', re.I)


def test_name(told):
    """The test behind a name as told; a subtest is told as `Subtest TestX.test_y (values)`."""
    return told.removeprefix('Subtest ').split()[0]


@dataclass
class Record:
    level: str
    logger: str
    text: str

    @property
    def bad(self):
        return self.level in BAD and not HARMLESS.search(self.text)


@dataclass
class Result:
    """The outcome of one run.

    :param set started: (logger, name) of each test that was begun
    :param list failed: (name, message) of each test that failed
    :param list skipped: (name, reason) of each test that was skipped
    :param list warnings: warnings and errors that belong to no test's result
    """
    started: set = field(default_factory=set)
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    warnings: list = field(default_factory=list)
    total: int | None = None

    @property
    def passed(self):
        bad = {test_name(name) for name, _text in self.failed + self.skipped}
        return sum(name not in bad for _logger, name in self.started)


def records(lines):
    """Put the lines of a log together to its records."""
    current = None
    for line in lines:
        line = COLOUR.sub('', line.rstrip('\n'))
        match = LINE.match(line)
        if match:
            if current:
                yield current
            current = Record(match['level'], match['logger'], match['text'])
        elif current:
            current.text += '\n' + line
    if current:
        yield current


def read(lines):
    """The result told by the lines of a log."""
    result = Result()
    for record in records(lines):
        in_test = '.tests.' in record.logger
        if in_test and (match := STARTED.match(record.text)):
            result.started.add((record.logger, match[1]))
        elif match := SKIPPED.match(record.text) if in_test else None:
            result.skipped.append((match[1], match[2]))
        elif match := TOTAL.match(record.text):
            result.total = (result.total or 0) + int(match[3])
        elif record.level == 'ERROR' and (match := FAILED.match(record.text)):
            result.failed.append((match[1], record.text))
        elif record.bad:
            result.warnings.append(record)
    return result
