"""Test databases: each is a copy of one template with Odoo's modules installed, made once."""
import hashlib
import os
import shutil
import subprocess

from ..paths import LOG, ODOO, TEST
from ..setup.console import run, step
from .instance import Instance, environment
from .postgres import Cluster, locked

# What the module works with. `account` and the like come along with these
MODULES = ['sale_management', 'website_sale', 'account', 'payment_custom']
BUNDLES = """
env['ir.qweb']._pregenerate_assets_bundles()
env.cr.commit()
"""
RETRY = 'Try again; if it fails again, look at the log.'


def test_instance():
    return Instance(Cluster(TEST / 'pg', throw_away=True), TEST)


def _odoo_version():
    """Changes whenever Odoo's source does, as far as that can be told cheaply."""
    source = ODOO.resolve()
    head = subprocess.run(['git', '-C', source, 'rev-parse', 'HEAD'], capture_output=True,
                          text=True, check=False)
    return [str(source), (source / 'odoo' / 'release.py').read_text(), head.stdout]


def template_name():
    digest = hashlib.sha256(repr([_odoo_version(), MODULES, BUNDLES]).encode()).hexdigest()
    return f'template_{digest[:12]}'


def _copy_files(source, target):
    """Copy Odoo's files of a database. They never change, so hard links will do."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target, copy_function=os.link)


def ensure_template(instance):
    """Make the template unless it is there.

    :return: its name
    """
    name = template_name()
    with locked(instance.folder / 'template.lock'):
        if name in instance.cluster.databases():
            return name
        unfinished = f'{name}_new'
        instance.cluster.drop(unfinished)
        shutil.rmtree(instance.filestore(unfinished), ignore_errors=True)
        with step('Template database with ' + ', '.join(MODULES) + ' (once, about 90 s)'):
            output = run(
                instance.command(unfinished, '--init', ','.join(MODULES), '--without-demo=all',
                                 '--stop-after-init', '--max-cron-threads=0', '--no-http'),
                RETRY, cwd=instance.folder, env=environment(), measure=lambda: 'installing')
            (LOG / 'template.log').write_text(output)
            # Each test run with a browser would make the same again, for 20 s
            instance.run_script(unfinished, BUNDLES, 'making asset bundles')
        _copy_files(instance.filestore(unfinished), instance.filestore(name))
        shutil.rmtree(instance.filestore(unfinished))
        for old in instance.cluster.databases():  # of another Odoo
            if old.startswith('template_') and old != unfinished:
                remove_database(instance, old)
        instance.cluster.rename(unfinished, name)
    return name


def copy_database(instance, source, target):
    """Make `target` a copy of `source`, whatever was there before."""
    instance.cluster.drop(target)
    _copy_files(instance.filestore(source), instance.filestore(target))
    # PostgreSQL lets only one copy a database at a time
    with locked(instance.folder / 'template.lock'):
        instance.cluster.copy(source, target)


def remove_database(instance, database):
    instance.cluster.drop(database)
    shutil.rmtree(instance.filestore(database), ignore_errors=True)
