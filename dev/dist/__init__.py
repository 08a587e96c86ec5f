"""make dist: the module as a wheel and as a zip file, without what serves developers."""
from .build import build
