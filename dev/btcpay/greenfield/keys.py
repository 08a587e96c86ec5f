"""API keys and the user they belong to."""
from ..errors import ApiError, Invalid, missing_permission, refusal
from ..permissions import UNRESTRICTED, authenticate, valid
from .http import Api

api = Api()


def key_json(key):
    return {'apiKey': key.key, 'label': key.label, 'permissions': list(key.permissions)}


@api('GET', '/api-keys/current')
def current(context):
    if context.caller.key is None:  # called with e-mail address and password
        raise refusal(404, 'api-key-not-found', 'The current API Key was not found')
    return key_json(context.caller.key)


@api('DELETE', '/api-keys/current')
def revoke_current(context):
    if context.caller.key is None:
        raise refusal(404, 'api-key-not-found', 'The current API Key was not found')
    context.server.delete_api_key(context.caller.key.key)


@api('POST', '/api-keys', policy=UNRESTRICTED)
def create(context):
    body = context.body
    label, permissions = body.text('label'), body.texts('permissions')
    body.check()
    problems = Invalid()
    for i, permission in enumerate(permissions or ()):
        if not valid(permission):
            problems.add(f'Permissions[{i}]', 'Invalid permission')
    problems.check()
    key = context.server.create_api_key(context.caller.user, label or '', permissions or [])
    return key_json(key)


@api('DELETE', '/api-keys/<apikey>', policy=UNRESTRICTED)
def revoke(context, apikey):
    key = context.server.api_keys.get(apikey)
    if key is None or key.user_id != context.caller.user.id:
        raise ApiError(404, {'code': 'apikey-not-found', 'message': 'This apikey does not exists'})
    context.server.delete_api_key(apikey)


def user_json(user):
    return {
        'id': user.id,
        'email': user.email,
        'name': None,
        'imageUrl': None,
        'emailConfirmed': False,
        'requiresEmailConfirmation': False,
        'approved': True,
        'requiresApproval': False,
        'roles': [],
        'invitationUrl': None,
        'created': int(user.created),
        'disabled': False,
        'storeQuota': None,
    }


@api('GET', '/users/me', policy='btcpay.user.canviewprofile')
def me(context):
    return user_json(context.caller.user)


@api('POST', '/users', anonymous=True)
def create_user(context):
    """On the real server the administrator's doing; here anyone with the merchant's key."""
    caller = authenticate(context.server, context.request)
    if not caller.has('btcpay.server.cancreateuser'):
        raise missing_permission('btcpay.server.cancreateuser')
    body = context.body
    email, password = body.text('email'), body.text('password')
    body.check()
    problems = Invalid()
    if not email or '@' not in email:
        problems.add('Email', 'Invalid email')
    if not password:
        problems.add('Password', 'Password is required')
    problems.check()
    return user_json(context.server.create_user(email, password))
