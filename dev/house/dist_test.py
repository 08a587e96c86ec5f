import ast
import email
import io
import re
import zipfile

import pytest

from dev.dist import backend, build
from dev.dist.build import digest
from dev.paths import ROOT
from dev.setup.console import SetupError

#: what begins a key or a token of those that leak most often
SECRETS = re.compile(
    rb'-----BEGIN [A-Z ]*PRIVATE KEY|\b[xyzt]prv[1-9A-HJ-NP-Za-km-z]{50}|\bgh[pousr]_\w{30}|'
    rb'\bgithub_pat_\w{20}|\bpypi-\w{40}|\bAKIA[0-9A-Z]{16}\b')
STRAY = re.compile(r'(^|/)[._](?!_)|\.(pyc|orig|rej|pem|key|env)$')
NEEDED = {
    'CHANGELOG.rst', 'LICENSE', 'README.ja.rst', 'README.rst', 'SECURITY.md', '__init__.py',
    '__manifest__.py', 'doc/GUIDE.rst', 'i18n/payment_btcpay.pot', 'security/ir.model.access.csv',
    'static/description/icon.png', 'static/description/index.html', 'tests/__init__.py',
}
TOP = {
    'CHANGELOG.rst', 'LICENSE', 'README.ja.rst', 'README.rst', 'SECURITY.md', '__init__.py',
    '__manifest__.py', 'const.py', 'controllers', 'data', 'db.py', 'doc', 'greenfield', 'i18n',
    'logs.py', 'migrations', 'models', 'security', 'static', 'tests', 'utils.py', 'views',
    'wizards',
}


@pytest.fixture(scope='module')
def built():
    """The wheel's and the zip file's digests and contents."""
    return {file.name: (digest(file), file.read_bytes()) for file in build()}


@pytest.fixture(scope='module')
def packed(built):
    """What is in the wheel and in the zip file, by path in the module."""
    found = {}
    for name, (_digest, content) in built.items():
        suffix = name[-4:]
        folder = {'.whl': 'odoo/addons/payment_btcpay/', '.zip': 'payment_btcpay/'}[suffix]
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            found[suffix] = {
                name.removeprefix(folder): opened.read(name) for name in opened.namelist()}
            assert all(name.startswith(folder) or '.dist-info/' in name
                       for name in opened.namelist())
    found['.whl'], about = (
        {path: text for path, text in found['.whl'].items() if ('.dist-info/' in path) == is_about}
        for is_about in (False, True))
    return found, about


def test_when_it_is_built_then_both_have_the_module_and_nothing_else(packed):
    [wheel, archive] = packed[0].values()
    assert wheel == archive
    assert set(wheel) >= NEEDED
    manifest = ast.literal_eval(wheel['__manifest__.py'].decode())
    assert set(manifest['data']) <= set(wheel)
    assert {path.partition('/')[0] for path in wheel} == TOP
    assert not [path for path in wheel if STRAY.search(path)]


def test_when_it_is_built_then_no_file_has_a_secret(packed):
    assert not [path for path, text in packed[0]['.zip'].items() if SECRETS.search(text)]


def test_when_it_is_built_twice_then_the_files_are_the_same_to_the_byte(built, monkeypatch):
    monkeypatch.setenv('TZ', 'Asia/Tokyo')
    monkeypatch.setenv('SOURCE_DATE_EPOCH', str(backend.made_at()))
    assert {file.name: digest(file) for file in build()} == {
        name: found for name, (found, _content) in built.items()}


def test_when_the_wheel_is_installed_then_it_needs_odoo_and_requests_only(packed):
    [text] = [text for path, text in packed[1].items() if path.endswith('/METADATA')]
    about = email.message_from_bytes(text)
    assert about['Name'] == 'odoo-addon-payment_btcpay'
    assert about['Version'] == backend.version()
    assert about.get_all('Requires-Dist') == ['odoo==19.0.*', 'requests']


def test_when_a_file_is_unknown_to_git_then_nothing_is_built(monkeypatch):
    monkeypatch.setattr(backend, 'unknown_to_git', lambda: ['views/new_views.xml'])
    with pytest.raises(SetupError, match=r'views/new_views\.xml'):
        build()


def test_when_a_version_is_named_then_it_is_the_manifests():
    changes = (ROOT / 'CHANGELOG.rst').read_text()
    versions = re.findall(r'^(\d+\.\d+\.\d+\.\d+\.\d+)', changes, re.M)
    assert versions[0] == backend.version() == '19.0.1.0.0'


def test_when_the_license_is_read_then_it_is_whole():
    text = (ROOT / 'LICENSE').read_text()
    for words in ('GNU LESSER GENERAL PUBLIC LICENSE', '6. Revised Versions of the GNU Lesser',
                  # which it is a set of additional permissions to
                  'GNU GENERAL PUBLIC LICENSE\n', 'END OF TERMS AND CONDITIONS',
                  '17. Interpretation of Sections 15 and 16.'):
        assert words in text
