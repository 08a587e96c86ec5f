from . import clock  # Before anything takes the time.
from . import models
