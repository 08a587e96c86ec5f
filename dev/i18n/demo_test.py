"""The demo's page in the languages of the module."""
import re

import polib
import pytest
from lxml import etree

from dev.demo.content import LANGUAGES
from dev.demo.session import ADDONS, DEMO_MODULE
from dev.paths import ROOT

MODULE = ADDONS / DEMO_MODULE
FILES = sorted((MODULE / 'i18n').glob('*.po'))
#: elements whose text nobody reads
UNREAD = {'script', 'attribute'}


def normalized(text):
    return ' '.join(re.sub(r'<[^>]*>', '', text).split())


def shown():
    """:return: what the templates and the code say"""
    found = set(re.findall(r'"([A-Z][^"]+%s[^"]+)"', (MODULE / 'cases.py').read_text()))
    for file in (MODULE / 'views').glob('*.xml'):
        for element in etree.parse(file).getroot().iter(etree.Element):
            texts = [child.tail for child in element]
            if element.tag not in UNREAD:
                texts.append(element.text)
            found |= {normalized(text) for text in texts if text}
    return {text for text in found if re.search('[A-Za-z]', text)}


def test_when_the_module_has_a_language_then_the_demo_has_it_too():
    languages = {path.stem for path in (ROOT / 'i18n').glob('*.po')}
    assert {path.stem for path in FILES} == languages
    assert {code[:2] for code in LANGUAGES} <= {'en', *languages}


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_when_the_demo_says_something_then_each_language_has_it(file):
    catalog = polib.pofile(file)
    assert {normalized(entry.msgid) for entry in catalog} == shown()
    assert not [entry.msgid for entry in catalog if not entry.msgstr or entry.fuzzy]
    assert not [entry.msgid for entry in catalog
                if entry.msgid.count('%s') != entry.msgstr.count('%s')]
