"""Databases: each is a copy of one template with Odoo's modules installed, made once."""
import contextlib
import hashlib
import os
import shutil
import subprocess

from ..paths import CACHE, ODOO, TEST
from ..setup.console import run, step
from ..setup.odoo import VERSION
from .instance import Instance, environment
from .postgres import Cluster, locked

# What the module works with. `account` and the like come along with these
MODULES = ['sale_management', 'website_sale', 'account', 'payment_custom']
# Those of tests/other_modules besides: with them all Odoo takes longer to start, each time
OTHER_MODULES = [*MODULES, 'pos_online_payment', 'sale_loyalty', 'sale_stock', 'website_event_sale']
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
    # Debian's package is the same wherever it is unpacked
    place = VERSION if source.is_relative_to(CACHE) else str(source)
    return [place, (source / 'odoo' / 'release.py').read_text(), head.stdout]


def template_name(modules):
    digest = hashlib.sha256(repr([_odoo_version(), modules, BUNDLES]).encode()).hexdigest()
    return f'template_{digest[:12]}'


def copy_files(source, target):
    """Copy Odoo's files of a database. They never change, so hard links will do."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target, copy_function=os.link)


def _install_modules(instance, database, modules):
    if modules != MODULES:  # No browser opens their pages: bundles are not made anew
        copy_database(instance, ensure_template(instance), database)
    run(instance.command(database, '--init', ','.join(modules), '--without-demo=all',
                         '--stop-after-init', '--max-cron-threads=0', '--no-http'),
        RETRY, cwd=instance.folder, env=environment(), measure=lambda: 'installing')
    if modules == MODULES:
        # Each test run with a browser would make the same again, for 20 s
        instance.run_script(database, BUNDLES, 'making asset bundles')


def _keep(instance, database, kept):
    """Keep a database in the cache, for other clusters and clones."""
    fresh = kept.with_name(f'{kept.name}.new-{os.getpid()}')
    fresh.mkdir(parents=True)
    try:
        instance.cluster.client('pg_dump', '-Fc', '-Z', '1', '-f', fresh / 'dump', database)
        shutil.copytree(instance.filestore(database), fresh / 'files')
        with contextlib.suppress(OSError):  # another clone was quicker
            fresh.rename(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _take(instance, database, kept):
    """Make a database of what was kept."""
    instance.cluster.client('createdb', '-T', 'template0', database)
    instance.cluster.client('pg_restore', '-j', '2', '-d', database, kept / 'dump')
    shutil.copytree(kept / 'files', instance.filestore(database))


def ensure_template(instance, modules=MODULES):
    """Make a template unless it is there.

    :param list modules: Odoo's modules in it
    :return: its name
    """
    name = template_name(modules)
    kept = CACHE / 'template' / name
    with locked(instance.folder / f'{name}.lock'):
        if name in instance.cluster.databases():
            return name
        unfinished = f'{name}_new'
        remove_database(instance, unfinished)
        if kept.exists():
            with step("Odoo's modules, as installed before"):
                _take(instance, unfinished, kept)
        else:
            with step(f"Odoo's modules {', '.join(modules)} (once, about 90 s)"):
                _install_modules(instance, unfinished, modules)
                _keep(instance, unfinished, kept)
        names = template_name(MODULES), template_name(OTHER_MODULES)
        current = {*names, *(f'{name}_new' for name in names)}
        for old in instance.cluster.databases() - current:  # of another Odoo
            if old.startswith('template_'):
                remove_database(instance, old)
        copy_files(instance.filestore(unfinished), instance.filestore(name))
        shutil.rmtree(instance.filestore(unfinished))
        instance.cluster.rename(unfinished, name)
    return name


def copy_database(instance, source, target):
    """Make `target` a copy of `source`, whatever was there before."""
    instance.cluster.drop(target)
    copy_files(instance.filestore(source), instance.filestore(target))
    # PostgreSQL lets only one copy a database at a time
    with locked(instance.folder / 'copy.lock'):
        instance.cluster.copy(source, target)


def remove_database(instance, database):
    instance.cluster.drop(database)
    shutil.rmtree(instance.filestore(database), ignore_errors=True)
