"""What becomes of translations when the template is renewed."""
import json

import polib
import pytest

from . import fill


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give languages a folder of their own, with a template of three terms."""
    template = polib.POFile()
    for msgid in (" or ", "Pay\n    &amp; go", "Refund"):
        template.append(polib.POEntry(msgid=msgid))
    template.save(tmp_path / 'payment_btcpay.pot')
    monkeypatch.setattr(fill, 'NEAREST', ('payment', 'web'))
    monkeypatch.setattr(fill, 'FOLDER', tmp_path)
    monkeypatch.setattr(fill, 'TEMPLATE', tmp_path / 'payment_btcpay.pot')
    return tmp_path


def read(folder, language='fr'):
    return fill.translations(folder / f'{language}.po')


def test_when_odoo_says_the_same_then_its_words_are_taken_once(folder, capsys):
    missing = fill.renew('fr', {})
    assert "fr, from Odoo: 'Refund': 'Remboursement'" in capsys.readouterr().err
    assert read(folder) == {" or ": " ou ", "Refund": "Remboursement"}
    assert missing == {"Pay\n    &amp; go": ''}
    fill.renew('fr', {})
    assert not capsys.readouterr().err


def test_when_only_white_space_and_entities_differ_then_the_translation_is_kept(folder):
    fill.renew('fr', {"Pay &amp; go": "Payez et partez"})
    assert read(folder)["Pay\n    &amp; go"] == "Payez et partez"
    fill.renew('fr', {})
    assert read(folder)["Pay\n    &amp; go"] == "Payez et partez"


def test_when_a_term_is_given_then_it_wins_over_the_files(folder):
    fill.renew('fr', {"Refund": "Avoir"})
    assert read(folder)["Refund"] == "Avoir"
    fill.renew('fr', {"Refund": "Remboursement", " or ": ''})
    assert read(folder) == {" or ": " ou ", "Refund": "Remboursement"}


def test_when_a_term_left_the_template_then_it_leaves_the_language(folder):
    fill.renew('fr', {"Refund": "Avoir", "Gone": "Parti"})
    assert "Gone" not in read(folder)


def test_when_nothing_changed_then_neither_does_the_file(folder):
    fill.renew('de', {})
    before = (folder / 'de.po').read_bytes()
    fill.renew('de', {})
    assert (folder / 'de.po').read_bytes() == before
    assert polib.pofile(folder / 'de.po').metadata['Language'] == 'de'


def test_when_terms_are_missing_then_they_are_printed_to_be_filled_in(folder, capsys):
    new = folder / 'new.json'
    assert fill.main(['nl']) == 1
    printed = json.loads(capsys.readouterr().out)['nl']
    new.write_text(json.dumps(dict.fromkeys(printed, "x")))
    assert fill.main(['nl', str(new)]) == 0
    assert json.loads(capsys.readouterr().out) == {'nl': {}}
