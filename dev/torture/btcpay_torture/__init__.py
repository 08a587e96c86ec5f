from . import clock  # Before anything takes the time.
from . import bus
from . import models
from .hooks import post_init_hook
