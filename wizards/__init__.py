from . import btcpay_connect_wizard
