"""Odoo on test databases, for whoever works on the module.

    python -m dev.odoo test DB [--tags TAGS] [--fresh]   install or update, then run the tests
    python -m dev.odoo update DB [--fresh]               install or update without tests
    python -m dev.odoo shell DB                          Odoo's Python shell
    python -m dev.odoo serve DB [--port N]               Odoo on 127.0.0.1
    python -m dev.odoo psql DB                           PostgreSQL's shell
    python -m dev.odoo drop DB | list | stop             remove one; list them; stop PostgreSQL

Several people can work at once, each on databases of their own.
"""
import argparse
import subprocess

from ..paths import LOG
from ..setup.console import say
from . import databases, log
from .instance import MODULE, environment
from .postgres import PORT, POSTGRES, USER
from .processes import end, free_port, run_main, start


def _options():
    parser = argparse.ArgumentParser(
        prog='python -m dev.odoo', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name in ('test', 'update', 'shell', 'serve', 'psql', 'drop'):
        command = commands.add_parser(name)
        command.add_argument('database')
        if name in ('test', 'update', 'serve', 'shell'):
            command.add_argument('--fresh', action='store_true',
                                 help='begin with a new copy of the template')
            command.add_argument('--module', default=MODULE)
        if name in ('test', 'update', 'serve'):
            command.add_argument('--verbose', action='store_true', help='show the whole log')
            command.add_argument('--port', type=int, default=0, help='0: a free one')
        if name == 'test':
            command.add_argument('--tags', help='as for --test-tags of Odoo')
    commands.add_parser('list')
    commands.add_parser('stop')
    return parser.parse_args()


def _follow(process, file, verbose):
    """Show what matters of a log while it is written.

    :return: all lines
    """
    lines, showing = [], False
    with open(file, 'w') as copy:
        for line in process.stdout:
            copy.write(line)
            copy.flush()
            lines.append(line)
            match = log.LINE.match(log.COLOUR.sub('', line.rstrip('\n')))
            if match:
                logger = match['logger']
                showing = (verbose or match['level'] in log.BAD
                           or '.tests.' in logger or logger == 'odoo.tests.result')
            if showing or not (match or lines[1:]):
                print(line, end='', flush=True)
    return lines


def _work(instance, options, *arguments):
    """Run Odoo until it ends by itself.

    :return: its exit code and its log
    """
    LOG.mkdir(parents=True, exist_ok=True)
    file = LOG / f'odoo-{options.database}.log'
    command = instance.command(
        options.database, '--http-port', options.port or free_port(), '--max-cron-threads=0',
        '--screenshots', LOG / f'odoo-{options.database}', '--stop-after-init', *arguments)
    process = start(command, cwd=instance.folder, env=environment(), text=True, errors='replace',
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        lines = _follow(process, file, options.verbose)
        code = process.wait()
    finally:
        end(process)
    say(f'The whole log: {file}')
    return code, lines


def _change(instance, options):
    installed = instance.has_module(options.database, options.module)
    return '--update' if installed else '--init', options.module


def test(instance, options):
    code, lines = _work(instance, options, *_change(instance, options),
                        '--test-tags', options.tags or f'/{options.module}')
    result = log.read(lines)
    for name, reason in result.skipped:
        say(f'skipped: {name}: {reason}')
    for name, _text in result.failed:
        say(f'FAILED: {name}')
    say(f'{result.passed} passed, {len(result.failed)} failed, {len(result.skipped)} skipped, '
        f'{len(result.warnings)} other warnings or errors')
    return code or (0 if result.started else 5)


def update(instance, options):
    return _work(instance, options, *_change(instance, options))[0]


def serve(instance, options):
    if not instance.has_module(options.database, options.module):
        code = update(instance, options)
        if code:
            return code
    options.port = options.port or free_port(8069)
    say(f'http://127.0.0.1:{options.port} (admin / admin), to be ended with Ctrl-C')
    process = start(
        instance.command(options.database, '--http-port', options.port, '--max-cron-threads=2',
                         '--db-filter', f'^{options.database}$'),
        cwd=instance.folder, env=environment())
    try:
        return process.wait()
    finally:
        end(process)


def shell(instance, options):
    command = instance.command(options.database, '--no-http', subcommand='shell')
    return subprocess.run(command, cwd=instance.folder, env=environment(), check=False).returncode


def psql(instance, options):
    return subprocess.run(
        [POSTGRES / 'psql', '-h', instance.cluster.socket_folder, '-p', str(PORT),
         '-U', USER, options.database], check=False, cwd='/').returncode


def main():
    options = _options()
    instance = databases.test_instance()
    if options.command == 'stop':
        instance.cluster.stop()
        return 0
    instance.cluster.start()
    if options.command == 'list':
        say('\n'.join(sorted(instance.cluster.databases() - {'postgres'})))
        return 0
    if options.command == 'drop':
        databases.remove_database(instance, options.database)
        return 0
    if options.command != 'psql':
        exists = options.database in instance.cluster.databases()
        if options.fresh or not exists:
            databases.copy_database(
                instance, databases.ensure_template(instance), options.database)
    return globals()[options.command](instance, options)


if __name__ == '__main__':
    run_main(main)
