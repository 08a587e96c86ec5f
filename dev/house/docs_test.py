"""What the documents say is there: links, pictures, commands, the words on the screen."""
import ast
import re
from pathlib import Path

import docutils.core
import docutils.nodes
import polib
import pytest
from lxml import html
from PIL import Image

from dev.house.files_test import sources, tracked
from dev.paths import ROOT

DOCUMENTS = sorted(path for path in tracked() if path.endswith('.rst'))
#: what Odoo itself shows, in its words
ODOOS = {'Countries', 'Maximum Amount', 'Online Payment', 'Update Apps List'}
ODOOS_IN_JAPANESE = {
    'アプリリストを更新', '最大金額', '設定 → 決済プロバイダー → BTCPay Server',
    'BTCPay Server Greenfield'}
ORDER = ['Installation', 'Configuration', 'Usage', 'Known issues / Roadmap', 'Bug Tracker',
         'Credits']
JAPANESE_ORDER = ['インストール', '設定', '使い方', '既知の制限', 'バグの報告', 'クレジット']
LARGEST_PICTURE = 150_000
#: what the app store removes, or takes an app out for
FORBIDDEN = {'script', 'style', 'link', 'iframe', 'object', 'embed', 'form', 'input', 'a', 'html',
             'head', 'body', 'meta'}


def parse(path):
    """The document; whatever docutils warns of is an error."""
    return docutils.core.publish_doctree(
        (ROOT / path).read_text(), source_path=str(ROOT / path), settings_overrides={
            'report_level': 2, 'halt_level': 2, 'file_insertion_enabled': False})


def titles(node):
    """Of the sections right below a node."""
    return [section.next_node(docutils.nodes.title).astext()
            for section in node.children if isinstance(section, docutils.nodes.section)]


def commands(document):
    """The lines of the document's code blocks, without comments and blanks."""
    return [re.sub(r'\s+#.*', '', line).strip()
            for block in document.findall(docutils.nodes.literal_block)
            for line in block.astext().splitlines() if line.strip()]


def words(text):
    return re.sub(r'\s+', ' ', text)


@pytest.mark.parametrize('path', DOCUMENTS)
def test_when_a_document_is_read_then_all_that_it_refers_to_is_there(path):
    document = parse(path)
    missing = []
    for node in document.findall(docutils.nodes.reference):
        uri, _, anchor = node.get('refuri', '').partition('#')
        if not uri or uri.startswith(('https://', 'mailto:')):
            continue
        target = (ROOT / path).parent / uri
        if not target.is_file():
            missing.append(uri)
        elif anchor and target.suffix == '.rst' and not any(
                anchor in node['ids'] for node in parse(target.resolve().relative_to(ROOT))
                .findall(docutils.nodes.section)):
            missing.append(f'{uri}#{anchor}')
    for node in document.findall(docutils.nodes.image):
        uri = node['uri']
        assert node.get('alt'), f'{uri} has no alternative text'
        if not uri.startswith('https://img.shields.io/') \
                and not ((ROOT / path).parent / uri).is_file():
            missing.append(uri)
    assert not missing


@pytest.mark.parametrize('path', DOCUMENTS)
def test_when_a_file_or_a_command_is_named_then_it_is_there(path):
    text = (ROOT / path).read_text()
    targets = set(re.findall(r'^([a-z][a-z-]*):', (ROOT / 'Makefile').read_text(), re.M))
    named = set(re.findall(r'(?:^ +|``)make ([a-z][a-z-]*)', text, re.M))
    assert named <= targets
    files = set(re.findall(
        r'``((?:dev|doc|tests|models|views|greenfield|data|\.ci)/[\w./-]*)``', text))
    assert not [file for file in files if not (ROOT / file).exists()]


@pytest.mark.parametrize('path', ['README.rst', 'doc/GUIDE.rst'])
def test_when_something_on_the_screen_is_quoted_then_it_stands_there(path):
    shown = words('\n'.join(text for _path, text in sources()))
    # Python's texts go over several lines
    shown = re.sub(r'["\'] f?["\']', '', shown)
    quoted = {words(quote) for quote in re.findall('“([^”|]+)”', (ROOT / path).read_text())}
    assert not {quote for quote in quoted - ODOOS if quote.partition(' (')[0] not in shown}


def test_when_the_readme_is_read_then_its_sections_are_in_the_order_of_the_oca():
    assert titles(parse('README.rst')) == ORDER
    first = commands(parse('README.rst'))
    assert first[:2] == ['make demo', 'make test']


def test_when_the_readme_has_badges_then_they_are_true():
    manifest = ast.literal_eval((ROOT / '__manifest__.py').read_text())
    text = (ROOT / 'README.rst').read_text()
    badges = dict(re.findall(r'img\.shields\.io/badge/(\w+)-(.+)-\w+\.png', text))
    assert badges == {
        'maturity': manifest['development_status'],
        'license': manifest['license'].replace('-', '--'),
        'Odoo': '.'.join(manifest['version'].split('.')[:2])}
    assert text.splitlines()[1] == manifest['name']


def test_when_the_readme_is_read_in_japanese_then_it_has_the_same_sections_and_commands():
    english, japanese = parse('README.rst'), parse('README.ja.rst')
    assert titles(japanese) == JAPANESE_ORDER
    assert len(JAPANESE_ORDER) == len(ORDER)
    assert commands(japanese) == commands(english)
    for kind in (docutils.nodes.image, docutils.nodes.row, docutils.nodes.list_item,
                 docutils.nodes.section, docutils.nodes.literal_block):
        assert len(list(japanese.findall(kind))) == len(list(english.findall(kind))), kind
    for kind, key in ((docutils.nodes.image, 'uri'), (docutils.nodes.literal, None)):
        assert {words(node.get(key) if key else node.astext()) for node in japanese.findall(kind)} \
            == {words(node.get(key) if key else node.astext()) for node in english.findall(kind)}


def test_when_the_readme_is_japanese_then_it_uses_the_words_of_the_screens():
    terms = {entry.msgid: entry.msgstr for entry in polib.pofile(ROOT / 'i18n' / 'ja.po')}
    english, japanese = (
        [row.astext().split('\n\n')[0] for row in parse(path).findall(docutils.nodes.row)]
        for path in ('README.rst', 'README.ja.rst'))
    assert japanese[1:] == [terms[name] for name in english[1:]]
    shown = '\n'.join(terms.values())
    quoted = set(re.findall('「([^」]+)」', (ROOT / 'README.ja.rst').read_text()))
    assert not {quote for quote in quoted - ODOOS_IN_JAPANESE if quote not in shown}
    read = parse('README.ja.rst').astext().replace('\n\n', '\0')
    assert not re.findall(r'[ぁ-んァ-ヶー一-龠、。」][ \n][ぁ-んァ-ヶー一-龠「]', read)


def test_when_the_app_store_reads_the_description_then_nothing_is_removed_or_missing():
    folder = ROOT / 'static' / 'description'
    page = html.fragments_fromstring((folder / 'index.html').read_text())
    elements = [element for part in page for element in part.iter() if isinstance(element.tag, str)]
    assert not FORBIDDEN & {element.tag for element in elements}
    for element in elements:
        assert not [name for name in element.attrib
                    if name.startswith('on') or name in ('style', 'id')]
    pictures = [element for element in elements if element.tag == 'img']
    assert all(picture.get('alt') for picture in pictures)
    assert {picture.get('src') for picture in pictures} <= {file.name for file in folder.iterdir()}


def test_when_a_picture_is_described_then_it_is_small_and_used():
    folder = Path('static/description')
    used = set(ast.literal_eval((ROOT / '__manifest__.py').read_text())['images']) | {
        str(folder / 'icon.png')}
    for path in ('README.rst', 'doc/GUIDE.rst'):
        used |= {f'{folder}/{name}' for name in
                 re.findall(rf'{folder}/(\w+\.png)', (ROOT / path).read_text())}
    there = {str(file.relative_to(ROOT)) for file in (ROOT / folder).glob('*.png')}
    assert there == used
    assert not [path for path in there if (ROOT / path).stat().st_size > LARGEST_PICTURE]
    with Image.open(ROOT / folder / 'banner.png') as banner:
        assert banner.size == (1120, 560)


def test_when_the_app_store_shows_the_name_then_it_fits_and_is_not_the_older_plugins():
    name = ast.literal_eval((ROOT / '__manifest__.py').read_text())['name']
    assert len(name) <= 25
    assert 'Greenfield' in name
