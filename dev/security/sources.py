"""Lists from the source the routes, the methods that RPC may call, and the uses of `sudo`."""
import ast
from collections import Counter

from ..paths import ROOT

FOLDERS = ('controllers', 'models', 'wizards')
FILES = ('db.py', 'utils.py', '__init__.py')
#: what gives rights that the user may not have
ELEVATING = ('sudo', 'with_user')


def _files():
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob('*.py'))
    yield from (ROOT / name for name in FILES)


def trees():
    """:return: of each file its name, and its syntax"""
    for file in _files():
        yield str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding='utf-8'))


def _called(decorator):
    """:return: the last part of a decorator's name"""
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return node.attr if isinstance(node, ast.Attribute) else node.id


def _methods(tree):
    """:return: each class with each of its methods"""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield node, method


def _route(decorator):
    """:return: where a route is, for whom and by which methods, as the source has it"""
    if not isinstance(decorator, ast.Call) or not (decorator.args or decorator.keywords):
        return 'as Odoo has it'
    options = {option.arg: ast.unparse(option.value) for option in decorator.keywords}
    path = ast.unparse(decorator.args[0]) if decorator.args else 'as Odoo has it'
    told = [path, *(
        f'{name}={options[name]}' for name in ('auth', 'methods', 'csrf') if name in options)]
    return ', '.join(told).replace('const.', '')


def routes():
    """:return: the rows of the routes: the method, and where it is"""
    return [
        (f'{file}: {owner.name}.{method.name}', _route(decorator))
        for file, tree in trees() for owner, method in _methods(tree)
        for decorator in method.decorator_list if _called(decorator) == 'route']


def _is_model(owner):
    return any(
        isinstance(node, ast.Assign) and node.targets[0].id in ('_name', '_inherit')
        for node in owner.body if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name))


def public_methods():
    """:return: the rows of the methods that may be called by RPC: each one alone"""
    return [
        (f'{file}: {method.name}',)
        for file, tree in trees() for owner, method in _methods(tree)
        if _is_model(owner) and not method.name.startswith('_')
        and 'private' not in map(_called, method.decorator_list)]


def elevations():
    """:return: the rows of what runs with other rights: the function, and how often"""
    found = Counter()

    def walk(node, place):
        """:param str place: the file, and the outermost function"""
        for child in ast.iter_child_nodes(node):
            called = isinstance(child, ast.Call) and getattr(child.func, 'attr', '')
            if called in ELEVATING:
                found[place] += 1
            is_outermost = isinstance(child, ast.FunctionDef) and ': ' not in place
            walk(child, f'{place}: {child.name}' if is_outermost else place)

    for file, tree in trees():
        walk(tree, file)
    return [(name, str(count)) for name, count in sorted(found.items())]
