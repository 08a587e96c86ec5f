"""What `make dist` leaves in .dev/dist."""
import hashlib
import shutil
import time
import zipfile

from ..paths import DIST, PYTHON, ROOT
from ..setup.console import SetupError, run
from . import backend


def _make_zip():
    """The folder payment_btcpay, to be unpacked in the addons path."""
    file = DIST / f'{backend.MODULE}-{backend.version()}.zip'
    made_at = time.gmtime(backend.made_at())[:6]
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in backend.module_files():
            member = zipfile.ZipInfo(f'{backend.MODULE}/{path}', made_at)
            member.external_attr = 0o100644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, (ROOT / path).read_bytes())
    return file


def _make_wheel():
    """As pip makes it of the repository."""
    run([PYTHON, '-m', 'pip', 'wheel', '--no-index', '--no-deps', '--no-build-isolation',
         '--no-cache-dir', '--wheel-dir', DIST, ROOT], 'Look at the message.',
        measure=lambda: 'building')
    [wheel] = DIST.glob('*.whl')
    return wheel


def build():
    """Build both anew.

    :return: paths of the wheel and of the zip file
    :raise SetupError: where something in the module's folders is not in git
    """
    unknown = backend.unknown_to_git()
    if unknown:
        raise SetupError('Not in git, and so not packed: ' + ', '.join(unknown),
                         '`git add` what belongs to the module, and remove the rest.')
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir(parents=True)
    return _make_wheel(), _make_zip()


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()
