"""Pictures in static/description: small, and written anew only where one would see it.

Remove a picture to have it taken anew in any case.
"""
import io
import math

from PIL import Image, ImageChops

from ..paths import ROOT

FOLDER = ROOT / 'static' / 'description'
LARGEST = 150_000  # bytes
COLOURS = 96
SAME = 0.04  # of the picture: numbers, times and QR codes differ each time
#: the demo's addresses, as a merchant's own would be
PRETTY = """addresses => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const prettify = text => Object.entries(addresses).reduce(
        (found, [from, to]) => found.replaceAll(from, to), text);
    while (walker.nextNode()) {
        const text = prettify(walker.currentNode.data);
        if (text !== walker.currentNode.data) walker.currentNode.data = text;
    }
    document.querySelectorAll('input').forEach(el => { el.value = prettify(el.value); });
}"""


def shoot(stage, page, name, selector=None, height=None):
    """Take a picture of a page.

    :param str name: of the file in static/description, without its ending
    :param str selector: only this of the page
    :param int height: only so much of the page
    :return: what to tell of it
    """
    page.wait_for_load_state()
    page.evaluate(PRETTY, {
        stage.url: 'https://shop.example.com', stage.world.url: 'https://pay.example.com'})
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)  # for what fades in
    options = {'animations': 'disabled', 'caret': 'hide'}
    if selector:
        taken = page.locator(selector).first.screenshot(**options)
    elif height:
        width = page.viewport_size['width']
        taken = page.screenshot(
            clip={'x': 0, 'y': 0, 'width': width, 'height': height}, **options)
    else:
        taken = page.screenshot(**options)
    return save(name, taken)


def save(name, taken):
    """Write a picture, unless it is there and looks the same."""
    file = FOLDER / f'{name}.png'
    image = Image.open(io.BytesIO(taken)).convert('RGB')
    told = file.relative_to(ROOT)
    if file.exists():
        old = Image.open(file).convert('RGB')
        if old.size == image.size and _difference(old, image) < SAME:
            return [f'{told} looks the same']
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    assert size <= LARGEST, f'{told} has {size} bytes, more than {LARGEST}'
    return [f'{told}, {math.ceil(size / 1000)} kB']


def _difference(old, new):
    """The share of the picture that differs to the eye."""
    changed = ImageChops.difference(old, new).convert('L').point(lambda value: 255 * (value > 48))
    return changed.histogram()[255] / (old.width * old.height)
