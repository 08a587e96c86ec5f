"""Odoo 19: Debian's package unpacked in the cache, or the developer's own source."""
import hashlib
import os
import shutil
from pathlib import Path

from ..paths import ADDONS, CACHE, ODOO, ROOT
from .apt import PrivateApt, main_archive, release, unpack
from .console import SetupError

VERSION = '19.0.0+dfsg-1'
SHA256 = '9d2f598b0555db17e291d48ed24df184c70823c053c4c5ed53c467ca7f629bbf'
# What the package has only links to; without jQuery no page is shown
BESIDE = ['fonts-font-awesome', 'fonts-inconsolata', 'fonts-ocr-b',
          'fonts-roboto-unhinted', 'libjs-jquery', 'libjs-jquery-form', 'libjs-underscore']
TREE = CACHE / 'odoo' / f'{VERSION}-1'  # the last number counts changes of what install() makes
# Left out of Debian's package; without it every browser test of the back office fails
STRIPPED = 'odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js'
GONE = (f'Debian may have replaced version {VERSION}. Take an Odoo 19 source of your own: '
        'ODOO_DIR=/path/to/odoo make setup')


def own_source():
    """The developer's own Odoo, if they named one."""
    return os.environ.get('ODOO_DIR')


def _link(link, target):
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    if link.is_symlink() or link.exists():
        link.unlink()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


def source():
    """The folder that holds the package `odoo`."""
    if own_source():
        folder = Path(own_source()).expanduser().resolve()
        if not (folder / 'odoo' / 'release.py').exists():
            raise SetupError(f'ODOO_DIR is {folder}, which has no odoo/release.py.',
                             "Name the folder of Odoo's source, the one with odoo-bin in it.")
        if 'version_info = (19,' not in (folder / 'odoo' / 'release.py').read_text():
            raise SetupError(f'{folder} is not Odoo 19.', 'Check out its branch 19.0.')
        return folder
    return TREE / 'usr/lib/python3/dist-packages'


def ready():
    return (source() / 'odoo' / 'release.py').exists() and ODOO.exists() \
        and ODOO.resolve() == source().resolve()


def _package():
    """The verified package file."""
    folder = CACHE / 'deb'
    file = folder / f'odoo-19_{VERSION}_all.deb'
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        apt = PrivateApt('sid', [(main_archive(), 'sid')])
        apt.update()
        try:
            [downloaded] = apt.download([f'odoo-19={VERSION}'])
        except SetupError as error:
            raise SetupError(error.why, GONE) from error
        downloaded.rename(file)
        apt.forget_lists()
    with open(file, 'rb') as opened:
        digest = hashlib.sha256()
        while block := opened.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != SHA256:
        file.unlink()
        raise SetupError(f'{file.name} is not the file that was expected.',
                         'It has been removed: try again.')
    return file


def _make_tree():
    """Unpack the package; what it has only links to comes from the machine's own release."""
    package = _package()
    apt = release()
    beside = apt.download(BESIDE)
    fresh = TREE.with_name(f'{TREE.name}.new-{os.getpid()}')
    unpack([package, *beside], fresh)
    apt.forget_downloads()
    stripped = fresh / 'usr/lib/python3/dist-packages' / STRIPPED
    stripped.parent.mkdir(parents=True, exist_ok=True)
    stripped.touch()
    try:
        fresh.rename(TREE)
    except OSError:  # another clone was quicker
        shutil.rmtree(fresh)


def install():
    folder = source()
    if not (folder / 'odoo' / 'release.py').exists():
        _make_tree()
    _link(ODOO, folder)
    _link(ADDONS / 'payment_btcpay', ROOT)
