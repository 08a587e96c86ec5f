"""Checks JavaScript and XML: prettier how they are laid out, eslint what scripts say.

    python -m dev.test.web --write      lay them out, and mend what eslint can
"""
import subprocess
import sys

from ..paths import ROOT
from ..setup import node
from ..setup.console import SetupError

#: where Odoo's own tools write, or nobody does
# The white space of mails is part of what they say, and of what is translated
NOT_LAID_OUT = ('dev/contract/recordings/', 'data/mail_template_data.xml')


def _files(*endings):
    """As git knows them, new ones included."""
    done = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard',
         *(f'*.{ending}' for ending in endings)],
        cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for path in done.stdout.splitlines()
            if (ROOT / path).is_file() and not path.startswith(NOT_LAID_OUT)]


def main(write=False):
    """:return: whether all is well"""
    node.ensure_packages()
    environment = node.environment()
    commands = [
        ['prettier', '--log-level', 'warn', '--write' if write else '--check',
         *_files('js', 'cjs', 'xml')],
        ['eslint', '--max-warnings', '0', *(['--fix'] if write else []), *_files('js', 'cjs')],
    ]
    codes = [subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
             for command in commands]
    if any(codes) and not write:
        print('\nmake format lays them out and mends what can be mended.')
    return not any(codes)


if __name__ == '__main__':
    try:
        sys.exit(0 if main('--write' in sys.argv[1:]) else 1)
    except SetupError as error:
        sys.exit(f'{error.why}\n{error.todo}')
