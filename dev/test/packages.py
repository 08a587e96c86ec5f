"""The part of `make test` that installs what `make dist` builds, as strangers do."""
import re
import shutil
import zipfile

from ..dist import build
from ..odoo import databases
from ..odoo.instance import MODULE
from ..paths import ODOO, PYTHON, TEST, VENV
from ..setup.console import run
from .module import DATABASE, command, judge, run_odoo
from .outcome import Outcome

FOLDER = TEST / 'packages'
COPY = 'make_test_wheel'
PLACE = re.compile(rf': {MODULE} is at (.+?) *$', re.M)  # `TestInstalled` says so


def _from_zip(file):
    """Unpack the zip file in a folder that is in the addons path.

    :return: where the module is, and how Odoo is to be started
    """
    addons = FOLDER / 'addons'
    zipfile.ZipFile(file).extractall(addons)
    return addons / MODULE, {'options': ['--addons-path', addons]}


def _from_wheel(file):
    """Install the wheel beside Odoo; what it asks for is looked at by dev/house.

    :return: where the module is, and how Odoo is to be started
    """
    venv = FOLDER / 'venv'
    run([PYTHON, '-m', 'venv', '--without-pip', venv], 'apt-get install -y python3-venv')
    [packages] = venv.glob('lib/python3*/site-packages')
    [others] = VENV.glob('lib/python3*/site-packages')
    (packages / 'odoo.pth').write_text(f'{others}\n{ODOO.resolve()}\n')
    python = venv / 'bin' / 'python'
    run([PYTHON, '-m', 'pip', '--python', python, 'install', '--no-index',
         '--no-deps', file], 'Look at the message.')
    # In place of ours, which has the repository
    own = ['--addons-path', ODOO.resolve() / 'odoo' / 'addons']
    return packages / 'odoo' / 'addons' / MODULE, {'options': own, 'python': python}


def install(instance):
    """Install the module in two fresh databases, and run what tests can run there.

    The one from the zip file is the database of the other parts.
    """
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    wheel, archive = build()
    ways = {DATABASE: _from_zip(archive), COPY: _from_wheel(wheel)}
    template = databases.ensure_template(instance)
    commands, places = {}, []
    for database, (place, how) in ways.items():
        databases.copy_database(instance, template, database)
        options = how.pop('options')
        places.append(place)
        commands[f'odoo-install-{database}.log'] = command(
            instance, database, *options, '--init', MODULE, '--test-tags', f'/{MODULE}', **how)
    outcome = Outcome()
    for place, (code, file, result) in zip(
            places, run_odoo(instance, commands, lambda _text: 'installing'), strict=True):
        outcome.passed += result.passed
        outcome.failed += result.failed
        judge(outcome, code, file, result)
        found = PLACE.findall(file.read_text(errors='replace'))
        if found != [str(place)]:
            outcome.fail('where the module is', f'at {place}, and Odoo took it from {found}')
    databases.remove_database(instance, COPY)
    return outcome
