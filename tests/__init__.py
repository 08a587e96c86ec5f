from . import test_checkout
from . import test_checkout_failures
from . import test_smoke
