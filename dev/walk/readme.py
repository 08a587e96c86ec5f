"""The picture of README.rst: what customer, server and shop see, on one sheet."""
import base64
import io

from PIL import Image

from ..paths import ROOT

TARGET = ROOT / 'static' / 'description' / 'screenshot.png'
LARGEST = 200_000  # bytes
COLOURS = 255
SHEET = {'width': 1280, 'height': 900}
#: name of the picture, what is written below it
PARTS = (
    ('shop-payment', 'The customer chooses Bitcoin / Lightning …'),
    ('server-checkout', '… pays on your own BTCPay Server …'),
    ('order-back-office', '… and the order is confirmed in Odoo.'),
)
PAGE = '''<!DOCTYPE html><style>
body {{ margin: 0; padding: 28px; box-sizing: border-box; width: 1280px; height: 900px;
  background: #eef1f4; font: 20px "DejaVu Sans", sans-serif; color: #333; position: relative }}
figure {{ margin: 0; position: absolute }}
figcaption {{ padding: 8px 4px }}
div {{ overflow: hidden; border-radius: 6px; box-shadow: 0 2px 14px #0004; background: #fff }}
img {{ display: block; width: 100% }}
figure:nth-child(1) {{ left: 28px; top: 24px; width: 600px }}
figure:nth-child(2) {{ right: 28px; top: 24px; width: 600px }}
figure:nth-child(3) {{ left: 190px; bottom: 14px; width: 900px }}
figure:nth-child(1) div, figure:nth-child(2) div {{ height: 336px }}
figure:nth-child(3) div {{ height: 434px }}
</style>{figures}'''


def draw(stage):
    """Save the sheet.

    :return: what to tell of it
    """
    figures = ''.join(
        f'<figure><div><img src="data:image/png;base64,'
        f'{base64.b64encode(stage.pictures[name].read_bytes()).decode()}"></div>'
        f'<figcaption>{text}</figcaption></figure>' for name, text in PARTS)
    with stage.browser.visit() as page:
        page.set_viewport_size(SHEET)
        page.set_content(PAGE.format(figures=figures))
        page.wait_for_function('[...document.images].every(image => image.complete)')
        drawn = Image.open(io.BytesIO(page.screenshot()))
    drawn.convert('RGB').quantize(COLOURS, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    size = TARGET.stat().st_size
    assert size < LARGEST, f'{TARGET} has {size} bytes, more than {LARGEST}'
    return [str(TARGET.relative_to(ROOT)), f'{size // 1000} kB']
