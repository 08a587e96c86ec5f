"""Chromium, wkhtmltopdf and fonts: the system's, or Debian's unpacked in the cache.

Each program gets a wrapper in .dev/bin, which is first on Odoo's PATH. What cannot be had is only
reported: browser tests are skipped then, and the demo's mails go without PDF.
"""
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from ..paths import BIN, CACHE
from .apt import release, unpack
from .console import SetupError, say

REVISION = 1  # counts changes of what is unpacked
FONTS = ['fonts-dejavu-core', 'fonts-liberation', 'fonts-vlgothic']  # the last one for Japanese
# The C library has to be the system's; the others are drawn in but not used without a screen
NOT_NEEDED = (r'libc6|libc-bin|libcrypt1|libllvm.*|libz3-.*|libgl1-mesa-dri|.*perl.*|iso-codes|'
              r'adwaita-icon-theme|systemd.*|libsystemd-shared|dpkg|passwd|tar|procps|mount|adduser|'
              r'debconf|libpam-.*|dbus.*|dconf-.*|x11-utils|xkb-data|at-spi2-common|fonts-.*|usrmerge')
PROGRAMS = {
    'chromium': {
        'names': ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser'],
        'packages': ['chromium'], 'path': 'usr/lib/chromium/chromium', 'environment': {},
        'without': 'Browser tests will be skipped.',
    },
    'wkhtmltopdf': {
        'names': ['wkhtmltopdf'],
        'packages': ['wkhtmltopdf'], 'path': 'usr/bin/wkhtmltopdf',
        'environment': {'QT_QPA_PLATFORM': 'offscreen',
                        'QT_PLUGIN_PATH': '{tree}/usr/lib/{triplet}/qt5/plugins',
                        # Qt makes it: its own choice is a folder in /tmp, which stays
                        'XDG_RUNTIME_DIR': '{tree}/run'},
        'without': "Odoo's mails will go without PDF.",
    },
}
FONT_CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


def _tree(name):
    return CACHE / 'programs' / f'{name}-{REVISION}'


def fetch(name, packages, depends=True):
    """Unpack packages below the cache unless they are there."""
    tree = _tree(name)
    if tree.exists():
        return tree
    apt = release()
    if depends:
        packages = apt.with_depends(packages, NOT_NEEDED)
    fresh = tree.with_name(f'{tree.name}.new-{os.getpid()}')
    unpack(apt.download(packages), fresh)
    apt.forget_downloads()
    try:
        fresh.rename(tree)
    except OSError:  # another clone was quicker
        shutil.rmtree(fresh)
    return tree


def _system_program(names):
    """A program of the system, not a wrapper of ours."""
    path = os.pathsep.join(
        part for part in os.environ.get('PATH', os.defpath).split(os.pathsep) if Path(part) != BIN)
    found = (shutil.which(name, path=path) for name in names)
    return next((program for program in found if program), None)


def _font_config():
    fonts = fetch('fonts', FONTS, depends=False)
    file = fonts / 'fonts.conf'
    file.write_text(FONT_CONFIG.format(fonts=fonts / 'usr/share/fonts', cache=fonts / 'cache'))
    return file


def _triplet(tree):
    return next(tree.glob('usr/lib/*-linux-gnu*')).name


def libraries(tree):
    """The path of the libraries unpacked at `tree`."""
    triplet = _triplet(tree)
    parts = (f'usr/lib/{triplet}', f'usr/lib/{triplet}/pulseaudio', f'lib/{triplet}')
    return ':'.join(f'{tree}/{part}' for part in parts)


def _environment(tree, more):
    """What a program unpacked at `tree` needs to find its parts."""
    return {'LD_LIBRARY_PATH': libraries(tree), **{
        key: value.format(tree=tree, triplet=_triplet(tree)) for key, value in more.items()}}


def script(file, program, environment):
    """Write a script that starts a program with an environment, in place of whatever is there."""
    lines = ''.join(f'export {key}={shlex.quote(str(value))}\n'
                    for key, value in environment.items())
    fresh = file.with_name(f'.{file.name}.{os.getpid()}')
    fresh.write_text(f'#!/bin/sh\n{lines}exec {shlex.quote(str(program))} "$@"\n')
    fresh.chmod(0o755)
    fresh.replace(file)


def _wrap(name, program, environment):
    BIN.mkdir(parents=True, exist_ok=True)
    wrapper = BIN / name
    script(wrapper, program, environment)
    done = subprocess.run([wrapper, '--version'], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=60)
    if done.returncode:
        wrapper.unlink()
        raise SetupError(f'{program} does not start: {done.stderr.strip()[-300:]}', '')
    return done.stdout.strip()


def ready():
    """Whether all wrappers are there and what they call still is."""
    for name in PROGRAMS:
        wrapper = BIN / name
        if not wrapper.exists():
            return False
        program = shlex.split(wrapper.read_text().splitlines()[-1])[1]
        if not os.access(program, os.X_OK):
            return False
    return True


def install():
    """Wrap each program; say which cannot be had, and what follows."""
    for name, wanted in PROGRAMS.items():
        try:
            environment = {'FONTCONFIG_FILE': _font_config()}
            program = _system_program(wanted['names'])
            if not program:
                tree = fetch(name, wanted['packages'])
                program = tree / wanted['path']
                environment |= _environment(tree, wanted['environment'])
            say(f'  {_wrap(name, program, environment)}')
        except SetupError as error:
            say(f'  No {name}: {error.why.strip()}\n  {wanted["without"]} With the system\'s own '
                f'package it works: apt-get install -y {name}')
