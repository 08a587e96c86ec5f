"""Languages of the checkout page."""
from collections.abc import Collection

#: Languages whose code at the server cannot be told from theirs.
_SERVER_LANGUAGES = {
    'nb-NO': 'no',
    'nn-NO': 'no',
    'ne-NP': 'np-NP',
    'zh-CN': 'zh-SG',  # Simplified characters.
    'zh-HK': 'zh-TW',  # Traditional characters.
}


def match_language(lang: str | None, available: Collection[str]) -> str | None:
    """Find the server's code for a language.

    :param str lang: the code of the language, e.g. `fr_BE`, `fr-BE`, `sr@latin`
    :param Collection[str] available: the server's codes, e.g. `fr-FR`, `no`; see
                                      `Client.list_languages`
    :return: the code of the same country's variant, else of the same language, else None
    """
    if not lang:
        return None
    wanted = lang.split('@')[0].replace('_', '-')
    language = wanted.split('-')[0]
    for code in (wanted, _SERVER_LANGUAGES.get(wanted), language, f'{language}-{language.upper()}'):
        if code in available:
            return code
    # Variants of one language, none of which is that of the language's own country.
    return min((code for code in available if code.split('-')[0] == language), default=None)
