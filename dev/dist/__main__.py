"""make dist"""
from ..paths import ROOT
from ..setup.console import say, step
from . import build
from .build import digest

with step('Wheel and zip file'):
    files = build()
for file in files:
    say(f'{file.relative_to(ROOT)}  {file.stat().st_size // 1000} kB  sha256 {digest(file)}')
