from . import elsewhere
from . import http
from . import workers
