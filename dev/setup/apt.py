"""Debian packages without installing them: apt with a configuration of its own.

apt checks the signatures with Debian's keyring and works as any user; its lists, cache and idea of
what is installed (nothing) live in our cache folder, so that the system's stay as they are.
"""
import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from ..paths import CACHE
from .console import SetupError, megabytes, run
from .system import KEYRING

HOOKS = ('APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success',
         'DPkg::Pre-Install-Pkgs', 'DPkg::Pre-Invoke', 'DPkg::Post-Invoke', 'Dir::Etc::SourceParts')
TODO = 'Check the network and try again: what has been downloaded is kept.'


def machine_sources():
    """The Debian sources that this machine uses itself.

    :return: list of (uri, suite), security last as apt lists it
    """
    if not shutil.which('apt-get'):
        raise SetupError('This system has no apt-get to bring it.', "Use this system's package.")
    listed = subprocess.run(
        ['apt-get', 'indextargets', '--format', '$(REPO_URI)|$(RELEASE)|$(COMPONENT)',
         'Created-By: Packages'], capture_output=True, text=True, check=False).stdout
    with open('/etc/os-release') as file:
        codename = re.search(r'^VERSION_CODENAME=(\S+)', file.read(), re.M)
    # A few machines name suites (stable) instead of code names
    names = {codename[1] if codename else '', 'stable', 'testing', 'unstable', 'sid'}
    found = []
    for line in listed.splitlines():
        uri, suite, component = line.split('|')
        if component == 'main' and re.split('[-/]', suite)[0] in names:
            entry = (uri, suite)
            if entry not in found:
                found.append(entry)
    # Third parties use Debian's code names too, but not its archive's path
    sources = [entry for entry in found if re.search(r'/debian(-security)?/?$', entry[0])] or found
    if not sources:
        raise SetupError(
            'apt on this machine knows no Debian source for its release.',
            'With an Odoo 19 source of your own: ODOO_DIR=/path/to/odoo make setup')
    return sources


def main_archive():
    """URI of the archive that carries the release itself (and sid)."""
    for uri, suite in machine_sources():
        if '-' not in suite and '/' not in suite:
            return uri
    raise SetupError('apt on this machine knows no main Debian archive.',
                     'With an Odoo 19 source of your own: ODOO_DIR=/path/to/odoo make setup')


class PrivateApt:
    """apt with lists, cache and status of its own.

    :param str name: folder below the cache
    :param sources: list of (uri, suite)
    """

    def __init__(self, name, sources):
        self.root = CACHE / 'apt' / name
        self.archives = self.root / 'cache' / 'archives'
        for folder in ('state/lists/partial', 'cache/archives/partial', 'sources', 'conf'):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / 'status').touch()
        (self.root / 'sources' / 'debian.sources').write_text('\n'.join(
            f'Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n'
            for uri, suite in sources))
        self._configure()

    def _configure(self):
        """The machine's own settings (proxies and the like), then ours, without its hooks."""
        conf = self.root / 'conf'
        for file in conf.iterdir():
            file.unlink()
        machine = Path('/etc/apt/apt.conf.d')
        for file in machine.iterdir() if machine.is_dir() else ():
            if os.access(file, os.R_OK):
                (conf / file.name).symlink_to(file)
        lines = [f'#clear {hook};' for hook in HOOKS]
        for key, value in {
            'Dir::Etc::sourcelist': '/dev/null', 'Dir::Etc::sourceparts': self.root / 'sources',
            'Dir::Etc::preferences': '/dev/null', 'Dir::Etc::preferencesparts': '/dev/null',
            'Dir::State': self.root / 'state', 'Dir::State::status': self.root / 'status',
            'Dir::Cache': self.root / 'cache', 'Dir::Cache::archives': self.archives,
            'Debug::NoLocking': 'true', 'Acquire::Languages': 'none', 'Acquire::Retries': '3',
            'APT::Install-Recommends': 'false', 'APT::Sandbox::User': 'root',
        }.items():
            lines.append(f'{key} "{value}";')
        unwanted = ('DEP-11', 'DEP-11-icons', 'DEP-11-icons-small', 'DEP-11-icons-large', 'CNF')
        lines += [f'Acquire::IndexTargets::deb::{index} {{ DefaultEnabled "false"; }};'
                  for index in unwanted]
        (conf / 'zz-payment-btcpay').write_text('\n'.join(lines) + '\n')
        (self.root / 'apt.conf').write_text(f'Dir::Etc::Parts "{conf}";\n')
        self.env = {**os.environ, 'APT_CONFIG': str(self.root / 'apt.conf'), 'LC_ALL': 'C.UTF-8'}

    def _run(self, *command, **options):
        return run(command, TODO, env=self.env, **options)

    def update(self):
        lists = self.root / 'state' / 'lists'

        def measure():
            return megabytes(sum(f.stat().st_size for f in lists.rglob('*') if f.is_file())) \
                + ' of package lists'
        # Without Error-Mode apt only warns of a source that does not answer
        self._run('apt-get', '-o', 'APT::Update::Error-Mode=any', 'update', measure=measure)

    def _uris(self, *command):
        output = self._run('apt-get', *command, '--print-uris', '-qq')
        return [(line.split()[1], int(line.split()[2]))
                for line in output.splitlines() if line.startswith("'")]

    def with_depends(self, names, without):
        """The packages that `names` need, themselves included.

        :param str without: regular expression of the names of those that are not wanted
        """
        found = (name.split('_')[0] for name, _size in self._uris('install', '-y', *names))
        return [name for name in found if not re.fullmatch(without, name)]

    def download(self, names):
        """Download packages without what they depend on.

        :return: paths of the verified files
        """
        self.archives.mkdir(parents=True, exist_ok=True)
        wanted = self._uris('download', *names)
        total = sum(size for _name, size in wanted)

        def measure():
            sizes = (f.stat().st_size for f in self.archives.glob('*.deb*'))
            return megabytes(min(total, sum(sizes)), total)
        self._run('apt-get', 'download', *names, measure=measure, cwd=self.archives)
        return [self.archives / name for name, _size in wanted]

    def forget_downloads(self):
        shutil.rmtree(self.archives, ignore_errors=True)

    def forget_lists(self):
        shutil.rmtree(self.root / 'state', ignore_errors=True)


def unpack(files, target):
    """Unpack packages into a folder, running nothing of theirs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files, 1):
        run(['dpkg-deb', '-x', file, target], 'Is the disk full?',
            measure=lambda number=number: f'unpacking {number} of {len(files)}')


@functools.cache
def release():
    """apt with the machine's own sources, its lists up to date."""
    apt = PrivateApt('release', machine_sources())
    apt.update()
    return apt
