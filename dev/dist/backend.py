"""Builds the module's wheel with whool, as the Odoo Community Association does.

Whool packs the whole folder and names the wheel after it; here the root is the module and a
repository with tools, cloned under any name. So the module alone is laid out in a folder of its name
first. `pip install .` and `pip install git+https://…` come here by pyproject.toml, and so does
`make dist`.
"""
import ast
import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = 'payment_btcpay'
#: what of the root serves developers only
LEFT_OUT = {'CONTRIBUTING.rst', 'Makefile', 'dev', 'eslint.config.cjs', 'pyproject.toml'}
PYPROJECT = '[build-system]\nrequires = ["whool"]\nbuild-backend = "whool.buildapi"\n'


def version():
    """The module's version, as its manifest has it."""
    return ast.literal_eval((ROOT / '__manifest__.py').read_text())['version']


def _listed(*options):
    return subprocess.run(['git', 'ls-files', '-z', *options], cwd=ROOT, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split('\0')[:-1]


def _is_module(path):
    parts = Path(path).parts
    return parts[0] not in LEFT_OUT and not any(part.startswith('.') for part in parts)


def module_files():
    """The module's files as git has them, or all that are there in a copy without git.

    :return: sorted paths, from the root
    """
    if (ROOT / '.git').exists():
        paths = [path for path in _listed() if (ROOT / path).exists()]
    else:
        paths = [str(file.relative_to(ROOT)) for file in ROOT.rglob('*')
                 if file.is_file() and file.suffix != '.pyc']
    return sorted(path for path in paths if _is_module(path))


def unknown_to_git():
    """Files in the module's folders that would not be packed."""
    if not (ROOT / '.git').exists():
        return []
    return [path for path in _listed('--others', '--exclude-standard') if _is_module(path)]


def made_at():
    """When the module was last changed, as the time of all that is built: as Unix counts."""
    if os.environ.get('SOURCE_DATE_EPOCH'):
        return int(os.environ['SOURCE_DATE_EPOCH'])
    if (ROOT / '.git').exists():
        done = subprocess.run(['git', 'log', '-1', '--format=%ct'], cwd=ROOT, check=False,
                              text=True, capture_output=True)
        if done.stdout.strip():
            return int(done.stdout)
    return 315619200  # the first time that a zip file can name


@contextlib.contextmanager
def laid_out():
    """The module alone, in a folder of its name, with the modes and times that are packed."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder).resolve() / MODULE
        for path in module_files():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target / path)
            (target / path).chmod(0o644)
        yield target


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The hook that pip calls (PEP 517)."""
    from whool import buildapi
    destination = str(Path(wheel_directory).resolve())
    environment, folder, mask = dict(os.environ), os.getcwd(), os.umask(0o022)
    with laid_out() as target:
        (target / 'pyproject.toml').write_text(PYPROJECT)
        # Nothing above is the module's repository, whatever the temporary folder lies in
        os.environ.update(SOURCE_DATE_EPOCH=str(made_at()),
                          GIT_CEILING_DIRECTORIES=str(target.parent))
        try:
            os.chdir(target)
            return buildapi.build_wheel(destination, config_settings)
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            os.umask(mask)
