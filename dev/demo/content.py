"""What the demo shop sells, with pictures drawn here."""
import base64
import io

from PIL import Image, ImageDraw, ImageFont

COMPANY = 'Bitcoin Demo Shop'
# The demo's page is in all of the module's languages, and whoever adds one in Odoo has it. Each of
# them makes the first start some 20 s longer.
LANGUAGES = ['en_US', 'fr_FR', 'ja_JP']
ADMIN = ('admin', 'admin')
CUSTOMER = ('customer@example.com', 'customer')
SIZE = 512
# Scheduled actions that ask or tell servers outside
CRONS_OFF = [
    'mail.ir_cron_module_update_notification', 'snailmail.snailmail_print',
    'digest.ir_cron_digest_scheduler_action', 'sms.ir_cron_sms_scheduler_action',
]


def _mug(draw):
    draw.rounded_rectangle((140, 150, 330, 390), 24, fill='#ffffff')
    draw.arc((290, 200, 410, 330), -90, 90, fill='#ffffff', width=28)
    draw.ellipse((195, 225, 275, 305), fill='#f7931a')


def _shirt(draw):
    draw.polygon([(170, 120), (220, 150), (292, 150), (342, 120), (430, 190), (385, 250),
                  (350, 225), (350, 410), (162, 410), (162, 225), (127, 250), (82, 190)],
                 fill='#ffffff')
    draw.ellipse((216, 220, 296, 300), fill='#f7931a')


def _sticker(draw):
    for x, y, colour in ((150, 170, '#f7931a'), (290, 150, '#ffffff'), (220, 300, '#ffd24d')):
        draw.ellipse((x - 65, y - 45, x + 85, y + 105), fill=colour, outline='#333333', width=6)


def _wallet(draw):
    draw.rounded_rectangle((110, 180, 400, 350), 30, fill='#ffffff')
    draw.rounded_rectangle((150, 215, 300, 315), 10, fill='#333333')
    draw.ellipse((325, 235, 375, 285), fill='#f7931a')


def _book(draw):
    draw.rectangle((150, 110, 370, 400), fill='#ffffff')
    draw.rectangle((150, 110, 180, 400), fill='#f7931a')
    for y in (190, 225, 260):
        draw.line((215, y, 335, y), fill='#333333', width=10)


def _cup(draw):
    draw.polygon([(165, 150), (345, 150), (320, 400), (190, 400)], fill='#ffffff')
    draw.rectangle((150, 120, 360, 160), fill='#333333')
    draw.rectangle((174, 220, 338, 320), fill='#f7931a')


PRODUCTS = [  # name, price, type, colour behind, picture, text
    ('Lightning Coffee', 4.20, 'service', '#6f4e37', _cup,
     'One cup at our counter. Small enough to be paid by Lightning.'),
    ('Sticker Set', 9.00, 'consu', '#4a90d9', _sticker, 'Three stickers for a laptop.'),
    ('Node Runner Mug', 21.00, 'consu', '#2f6f4f', _mug, 'Keeps coffee warm during a sync.'),
    ('Halving T-Shirt', 32.50, 'consu', '#444f8c', _shirt, 'Organic cotton, half the fuss.'),
    ('Paper Guide to Self-Custody', 45.00, 'consu', '#8c4444', _book,
     '210 pages about keeping your own keys.'),
    ('Signing Device', 129.00, 'consu', '#555555', _wallet,
     'Signs transactions and never shows its keys.'),
]


def _logo():
    font = ImageFont.load_default(64)
    image = Image.new('RGBA', (110 + round(font.getlength(COMPANY)), 96), '#ffffff00')
    draw = ImageDraw.Draw(image)
    draw.ellipse((4, 4, 92, 92), fill='#f7931a')
    draw.polygon([(54, 14), (28, 54), (46, 54), (40, 82), (68, 42), (50, 42)], fill='#ffffff')
    draw.text((108, 48), COMPANY, fill='#333333', font=font, anchor='lm')
    return _encoded(image)


def _picture(draw_on, colour):
    image = Image.new('RGB', (SIZE, SIZE), colour)
    draw_on(ImageDraw.Draw(image))
    return _encoded(image)


def _encoded(image):
    file = io.BytesIO()
    image.save(file, 'PNG', optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def data():
    """What shop.py needs."""
    return {
        'company': COMPANY, 'languages': LANGUAGES, 'customer': CUSTOMER,
        'crons_off': CRONS_OFF, 'logo': _logo(),
        'products': [
            {'name': name, 'price': price, 'type': kind, 'text': text, 'sequence': sequence,
             'picture': _picture(draw_on, colour)}
            for sequence, (name, price, kind, colour, draw_on, text) in enumerate(PRODUCTS, 1)],
    }
