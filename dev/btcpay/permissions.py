"""Which policy a key has for which store; policies imply others."""
from .errors import missing_permission, refusal

STORE = 'btcpay.store.'
UNRESTRICTED = 'unrestricted'
#: what an administrator may still do in a store that was deleted
OF_DELETED = ('btcpay.store.canviewstoresettings', 'btcpay.store.canviewinvoices')

#: the policies right below each policy
IMPLIED = {
    'btcpay.store.canmodifystoresettings': (
        'btcpay.store.canmanagepullpayments',
        'btcpay.store.canmodifyinvoices',
        'btcpay.store.canviewstoresettings',
        'btcpay.store.webhooks.canmodifywebhooks',
        'btcpay.store.canmodifypaymentrequests',
        'btcpay.store.canmanagepayouts',
        'btcpay.store.canmodifyofferings',
        'btcpay.store.canuselightningnode',
    ),
    'btcpay.store.canmanagepullpayments': (
        'btcpay.store.cancreatepullpayments',
        'btcpay.store.canarchivepullpayments',
    ),
    'btcpay.store.cancreatepullpayments': ('btcpay.store.cancreatenonapprovedpullpayments',),
    'btcpay.store.cancreatenonapprovedpullpayments': ('btcpay.store.canviewpullpayments',),
    'btcpay.store.canmodifypaymentrequests': ('btcpay.store.canviewpaymentrequests',),
    'btcpay.store.canmodifyofferings': ('btcpay.store.canviewofferings',),
    'btcpay.store.canuselightningnode': (
        'btcpay.store.canviewlightninginvoice',
        'btcpay.store.cancreatelightninginvoice',
    ),
    'btcpay.store.canmodifyinvoices': (
        'btcpay.store.canviewinvoices',
        'btcpay.store.cancreateinvoice',
        'btcpay.store.cancreatelightninginvoice',
    ),
    'btcpay.store.canviewstoresettings': (
        'btcpay.store.canviewinvoices',
        'btcpay.store.canviewpaymentrequests',
        'btcpay.store.canviewreports',
        'btcpay.store.canviewpullpayments',
        'btcpay.store.canviewpayouts',
    ),
    'btcpay.store.canmanagepayouts': ('btcpay.store.canviewpayouts',),
    'btcpay.server.canmodifyserversettings': (
        'btcpay.server.canuseinternallightningnode',
        'btcpay.server.canmanageusers',
    ),
    'btcpay.server.canmanageusers': ('btcpay.server.cancreateuser',),
    'btcpay.user.canmodifyprofile': ('btcpay.user.canviewprofile',),
    'btcpay.user.canmanagenotificationsforuser': ('btcpay.user.canviewnotificationsforuser',),
}

#: policies that nothing implies
OTHERS = ('btcpay.user.candeleteuser', 'btcpay.server.canviewusers', UNRESTRICTED)

ALL = {*IMPLIED, *OTHERS, *(policy for implied in IMPLIED.values() for policy in implied)}


def implies(policy, wanted):
    """:return: whether having one policy is having the other"""
    if policy in (UNRESTRICTED, wanted):
        return True
    return any(implies(child, wanted) for child in IMPLIED.get(policy, ()))


def valid(permission):
    """:return: whether 'policy' or 'policy:storeId' is something a key can have"""
    policy, colon, scope = permission.partition(':')
    return policy in ALL and (not colon or (bool(scope) and policy.startswith(STORE)))


class Caller:
    """Who makes a request.

    :param User user: whose key it is, or who gave e-mail address and password
    :param list permissions: of the key; None for the user in person, who may do everything
    """

    def __init__(self, user, permissions=None, key=None):
        self.user = user
        self.key = key
        self.permissions = [UNRESTRICTED] if permissions is None else permissions

    def has(self, policy, store_id=None):
        """Whether the key has a policy, for the store if one is given, else for any."""
        for permission in self.permissions:
            own, _, scope = permission.partition(':')
            if implies(own, policy) and (not scope or store_id is None or scope == store_id):
                return True
        return False

    def has_unscoped(self, policy):
        """Whether the key has it for all stores, those to come too."""
        return any(
            implies(permission, policy) for permission in self.permissions
            if ':' not in permission
        )

    def may(self, policy, store):
        """Whether the caller may do it in a store of their own."""
        if store and store.deleted and not (self.user.admin and policy in OF_DELETED):
            return False
        return bool(store) and store.owner_id == self.user.id and self.has(policy, store.id)


def authenticate(server, request):
    """:return: the Caller
    :raise ApiError: 401
    """
    header = request.headers.get('Authorization', '').strip()
    scheme, _, value = header.partition(' ')
    if scheme.lower() == 'token' and value.strip():
        key = server.api_keys.get(value.strip())
        if key is None:
            raise refusal(401, 'unauthenticated', 'ApiKey authentication failed: Unknown API Key')
        return Caller(server.users[key.user_id], key.permissions, key)
    if scheme.lower() == 'basic' and request.authorization:
        user = server.authenticate(
            request.authorization.username, request.authorization.password)
        if user is None:
            raise refusal(401, 'unauthenticated', 'Basic authentication failed: Failed')
        return Caller(user)
    raise refusal(
        401, 'unauthenticated', 'Authentication is required for accessing this endpoint')


def require(caller, policy, store):
    """:raise ApiError: 403, also where there is no such store"""
    if not caller.may(policy, store):
        raise missing_permission(policy)
