"""The banner of the app store: what the module is called, with two of its pictures."""
import base64

from .pictures import FOLDER, save

SIZE = {'width': 1120, 'height': 560}
PAGE = '''<!DOCTYPE html><style>
* {{ margin: 0; box-sizing: border-box }}
body {{ width: 1120px; height: 560px; overflow: hidden; position: relative; color: #fff;
  background: #1e2b3a; font-family: "DejaVu Sans", sans-serif }}
.mark {{ position: absolute; left: 60px; top: 64px; width: 92px }}
h1 {{ position: absolute; left: 60px; top: 180px; width: 470px; font-size: 46px;
  line-height: 1.16 }}
p {{ position: absolute; left: 60px; top: 360px; width: 440px; font-size: 22px; line-height: 1.45;
  color: #d5dde6 }}
.bar {{ position: absolute; left: 60px; top: 330px; width: 90px; height: 6px; background: #f7931a }}
.shot {{ position: absolute; border-radius: 8px; box-shadow: 0 8px 30px #0008 }}
.one {{ left: 540px; top: 56px; width: 660px }}
.two {{ left: 800px; top: 176px; width: 250px; height: 420px; object-fit: cover;
  object-position: center top }}
</style>
<img class="mark" src="{icon}"><h1>BTCPay Server<br>Greenfield</h1><div class="bar"></div>
<p>Bitcoin and Lightning in Odoo 19, straight to your own wallet.</p>
<img class="shot one" src="{decide}"><img class="shot two" src="{checkout}">'''


def _embedded(name):
    data = base64.b64encode((FOLDER / f'{name}.png').read_bytes()).decode()
    return f'data:image/png;base64,{data}'


def draw(stage):
    with stage.browser.visit() as page, stage.step('Picture: the banner of the app store') as told:
        page.set_viewport_size(SIZE)
        page.set_content(PAGE.format(
            **{name: _embedded(name) for name in ('icon', 'decide', 'checkout')}))
        page.wait_for_function('[...document.images].every(image => image.complete)')
        told += save('banner', page.screenshot())
