from . import main
from . import modal
from . import onboarding
from . import pay_again
from . import pay_rest
from . import payment_request
from . import portal
from . import post_processing
