"""Checks answers against the server's own OpenAPI description (swagger/)."""
import json
import re

from jsonschema import Draft7Validator


class Swagger:
    """:param Path folder: with the swagger.template.*.json, which are parts of one document"""

    def __init__(self, folder):
        self.paths = {}
        self.components = {}
        for path in sorted(folder.glob('*.json')):
            part = json.loads(path.read_text(encoding='utf-8'))
            self.paths.update(part.get('paths', {}))
            for kind, items in part.get('components', {}).items():
                self.components.setdefault(kind, {}).update(items)
        self.schemas = _converted(self.components.get('schemas', {}))
        for name in _parts(self.components):
            # together, "nothing else" of each part would forbid what the other parts have
            self.schemas[name].pop('additionalProperties', None)

    def operation(self, method, path):
        """:return: (template, operation) for a path with or without its store, or None"""
        path = path.partition('?')[0]
        for candidate in (path, re.sub(r'^/api/v1/stores/[^/]+/', '/api/v1/', path)):
            # a path without placeholders is the better match
            for template in sorted(self.paths, key=lambda template: template.count('{')):
                pattern = re.sub(r'\{\w+\}', r'[^/]+', template)
                operation = self.paths[template].get(method.lower())
                if operation and re.fullmatch(pattern, candidate):
                    return template, operation
        return None

    def problems(self, method, path, status, answer):
        """What in an answer is not as described; refusals that are not described are passed over.

        :return: set of (field, what)
        """
        found = self.operation(method, path)
        if found is None:
            return {(f'{method} {path}', 'not described')} if status < 400 else set()
        response = found[1].get('responses', {}).get(str(status))
        if response is None:
            return {(f'{method} {path}', f'{status} not described')} if status < 400 else set()
        content = response.get('content', {}).get('application/json', {})
        schema = content.get('schema')
        if schema is None or answer is None:
            return set()
        schema = {**_converted(schema), 'definitions': self.schemas}
        return {
            (next((part for part in reversed(error.path) if isinstance(part, str)), ''),
             _what(error))
            for error in _leaves(Draft7Validator(schema).iter_errors(answer))
        }


def _leaves(errors):
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _what(error):
    if error.validator == 'type':
        described = error.validator_value
        described = described if isinstance(described, str) else described[0]
        return f'{type(error.instance).__name__}, described as {described}'
    if error.validator in ('required', 'additionalProperties'):
        return error.message
    return error.validator


def _converted(node):
    """OpenAPI 3.0 as JSON schema: references and nullable."""
    if isinstance(node, list):
        return [_converted(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key == '$ref' and isinstance(value, str):
            result[key] = value.replace('#/components/schemas/', '#/definitions/')
        elif key == 'properties' and isinstance(value, dict):
            result[key] = {name: _converted(item) for name, item in value.items()}
        elif key not in ('example', 'description', 'default', 'format'):
            result[key] = _converted(value)
    if 'allOf' in result:
        result.pop('additionalProperties', None)
        for part in result['allOf']:
            part.pop('additionalProperties', None)
    if result.pop('nullable', False):
        if 'type' not in result:
            return {'anyOf': [result, {'type': 'null'}]}
        result['type'] = [result['type'], 'null']
        if 'enum' in result:
            result['enum'] = [*result['enum'], None]
    return result


def _parts(node):
    """:return: names of the schemas that others are put together from"""
    if isinstance(node, list):
        return {name for item in node for name in _parts(item)}
    if not isinstance(node, dict):
        return set()
    own = {part['$ref'].rpartition('/')[2] for part in node.get('allOf', ()) if '$ref' in part}
    return own | {name for item in node.values() for name in _parts(item)}
