"""Refusals, in the shapes the Greenfield API answers with."""


class ApiError(Exception):
    """A refusal of the API.

    :param int status: HTTP status of the answer
    :param payload: JSON body, None for an empty one
    """

    def __init__(self, status, payload=None):
        super().__init__(payload)
        self.status = status
        self.payload = payload
        #: whether it comes before the endpoint is reached: it lacks what endpoints add to answers
        self.early = status in (401, 403, 500)

    @property
    def message(self):
        """All messages of the refusal as one sentence a person can read."""
        items = self.payload if isinstance(self.payload, list) else [self.payload or {}]
        return ' '.join(item.get('message', '') for item in items)


def refusal(status, code, message):
    """A refusal with a code, as most 400, 401 and 404 are.

    :return: an ApiError to raise
    """
    return ApiError(status, {'code': code, 'message': message})


def missing_permission(policy):
    """403, also the answer for a store or an invoice that does not exist."""
    return ApiError(403, {
        'missingPermission': policy,
        'code': 'missing-permission',
        'message': (
            f'Insufficient API Permissions. Please use an API key with permission "{policy}". '
            "You can create an API key in your account's settings / Api Keys."
        ),
    })


def unreadable(problems):
    """422 for a request that could not be read, which no endpoint gets to see.

    :return: an ApiError to raise
    """
    error = ApiError(422, problems)
    error.early = True
    return error


class Invalid:
    """Collects what is wrong with a request, for one 422 with the whole list."""

    def __init__(self):
        self.problems = []

    def add(self, path, message):
        self.problems.append({'path': path, 'message': message})

    def check(self):
        """:raise ApiError: 422 if anything was added"""
        if self.problems:
            raise ApiError(422, self.problems)
