"""Reading JSON bodies, with the server's own words for what is wrong with them."""
import json
import re
from decimal import Decimal, InvalidOperation

from ..errors import unreadable

REQUIRED = {'path': 'request', 'message': 'The request field is required.'}


class Body:
    """A JSON object.

    The getters return None for what is absent or null. What cannot be converted is collected;
    ``check`` refuses the request then.

    :param bytes raw: the request's body
    :raise ApiError: 422 if it is not JSON
    """

    def __init__(self, raw):
        self.raw = raw.decode('utf-8', 'replace')
        self.problems = []
        if not self.raw.strip():
            self.data = {}
            return
        try:
            self.data = json.loads(self.raw, parse_float=Decimal)
        except ValueError as error:
            message = _parse_message(self.raw, getattr(error, 'pos', 0))
            raise unreadable([{'path': '', 'message': message}, REQUIRED]) from None
        if not isinstance(self.data, dict):
            raise unreadable([
                {'path': '', 'message': 'The supplied value is invalid.'}, REQUIRED])

    @property
    def empty(self):
        return not self.raw.strip()

    def value(self, path):
        """:param str path: 'amount', 'checkout.speedPolicy' …; names are found in any case"""
        value = self.data
        for name in path.split('.'):
            if not isinstance(value, dict):
                return None
            value = next((v for k, v in value.items() if k.lower() == name.lower()), None)
        return value

    def has(self, name):
        return any(key.lower() == name.lower() for key in self.data)

    def text(self, path):
        value = self.value(path)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (dict, list)):
            return self._invalid(path)
        return json.dumps(value) if isinstance(value, bool) else str(value)

    def decimal(self, path):
        """A number, or a string of one."""
        value = self.value(path)
        if value is None:
            return None
        if isinstance(value, (int, str, Decimal)) and not isinstance(value, bool):
            try:
                number = Decimal(value.strip() if isinstance(value, str) else value)
            except InvalidOperation:
                return self._invalid(path)
            if number.is_finite():
                return number
        return self._invalid(path)

    def integer(self, path):
        value = self.decimal(path)
        if value is not None and value != value.to_integral():
            return self._invalid(path)
        return None if value is None else int(value)

    def boolean(self, path):
        value = self.value(path)
        if isinstance(value, str) and value.lower() in ('true', 'false'):
            value = value.lower() == 'true'
        return value if value is None or isinstance(value, bool) else self._invalid(path)

    def texts(self, path):
        """A list of strings."""
        value = self.value(path)
        if value is None or (
            isinstance(value, list) and all(isinstance(item, str) for item in value)
        ):
            return value
        return self._invalid(path)

    def object(self, path):
        value = self.value(path)
        return value if value is None or isinstance(value, dict) else self._invalid(path)

    def enum(self, path, values, type_name, nullable=True):
        """One of some names, in any case.

        :param str type_name: what the server calls the type in its message
        """
        value = self.value(path)
        if value is None:
            return None
        for name in values:
            if isinstance(value, str) and value.lower() == name.lower():
                return name
        if nullable:
            type_name = f'System.Nullable`1[{type_name}]'
        line, position = self._end_of(path, value)
        self._invalid(path, (
            f"Error converting value {json.dumps(value)} to type '{type_name}'. "
            f"Path '{path}', line {line}, position {position}."
        ), required_first=nullable)
        return None

    def _end_of(self, path, value):
        """:return: line and position right after a value in the raw body"""
        name = path.rpartition('.')[2]
        found = re.search(
            rf'"{re.escape(name)}"\s*:\s*' + re.escape(json.dumps(value)), self.raw, re.IGNORECASE)
        end = found.end() if found else len(self.raw)
        before = self.raw[:end]
        return before.count('\n') + 1, end - (before.rfind('\n') + 1)

    def _invalid(self, path, message='The supplied value is invalid.', required_first=False):
        problem = {'path': path, 'message': message}
        self.problems += [REQUIRED, problem] if required_first else [problem, REQUIRED]

    def check(self):
        """:raise ApiError: 422 if something could not be converted"""
        if self.problems:
            unique = []
            for problem in self.problems:
                if problem not in unique:
                    unique.append(problem)
            raise unreadable(unique)


def _parse_message(raw, position):
    line = raw.count('\n', 0, position) + 1
    name = re.match(r'[\w$]+(\s*)', raw[position:])
    previous = raw[:position].rstrip()[-1:]
    if name and previous in ('{', ','):
        # the server reads property names without quotes
        end = position + name.end()
        if name.group(1) and raw[end:end + 1] != ':':
            column = end - (raw.rfind('\n', 0, end) + 1)
            return (
                "Invalid character after parsing property name. Expected ':' but got: "
                f"{raw[end:end + 1]}. Path '', line {line}, position {column}."
            )
    column = position - (raw.rfind('\n', 0, position) + 1)
    if position >= len(raw):
        return f"Unexpected end when reading JSON. Path '', line {line}, position {column}."
    return (
        f'Unexpected character encountered while parsing value: {raw[position]}. '
        f"Path '', line {line}, position {column}."
    )
