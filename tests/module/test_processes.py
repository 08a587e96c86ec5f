"""Odoo runs in several processes, on several hosts: what one knows, all know by the database."""
import ast
from pathlib import Path

from odoo.tests import TransactionCase, tagged

ROOT = Path(__file__).parents[2]
OURS = ('controllers', 'greenfield', 'models', 'wizards', 'const.py', 'db.py', 'utils.py')
CACHES = {'cache', 'lru_cache', 'cached_property', 'ormcache', 'ormcache_context', 'local'}
CHANGING = {
    'add', 'append', 'clear', 'extend', 'insert', 'pop', 'popitem', 'remove', 'setdefault',
    'update',
}
#: the framework's own set of what no log shows, added to when the module is imported
KNOWN = {'PAYMENT_SENSITIVE_KEYS.update'}
#: what Odoo's own cache has: what changes with the registry only, which is loaded anew everywhere
#: then; and senders, of whose change all processes are told, see `TestSenders`
CACHED = {
    '_btcpay_get_columns', '_btcpay_get_fixed_names', '_btcpay_get_names', '_btcpay_read_senders',
}


def find_kept(tree):
    """Find what a module of ours keeps between two requests.

    :param ast.Module tree: the module
    :return: the lines and names
    """
    kept = []
    names = {
        target.id for node in tree.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name)
    } | {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    known = {
        decorator.func for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in CACHED
        for decorator in node.decorator_list if isinstance(decorator, ast.Call)
    }
    for node in ast.walk(tree):
        if node in known:
            continue
        match node:
            case ast.Global(names=found) | ast.Nonlocal(names=found):
                kept += [(node.lineno, name) for name in found]
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in CACHES:
                kept.append((node.lineno, name))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if (
                name in names and name.isupper() and method in CHANGING
            ):
                kept.append((node.lineno, f'{name}.{method}'))
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if (
                name in names
            ):
                kept.append((node.lineno, f'{name}[]'))
    return [item for item in kept if item[1] not in KNOWN]


@tagged('post_install', '-at_install')
class TestProcesses(TransactionCase):

    def test_when_code_of_ours_ends_then_its_process_keeps_nothing_that_others_do_not_have(self):
        files = [
            file for part in OURS
            for file in ([ROOT / part] if part.endswith('.py') else (ROOT / part).rglob('*.py'))
        ]
        self.assertGreater(len(files), 80)
        for file in files:
            with self.subTest(file=str(file.relative_to(ROOT))):
                self.assertFalse(find_kept(ast.parse(file.read_text())))

    def test_when_a_module_kept_something_then_it_would_be_found(self):
        for code in (
            'def f():\n    global known\n    known = 1', '@lru_cache\ndef f(): pass',
            '@tools.ormcache()\ndef f(): pass', 'KNOWN = {}\ndef f(x): KNOWN[x] = 1',
            'KNOWN = set()\ndef f(x): KNOWN.add(x)', 'state = threading.local()',
        ):
            with self.subTest(code=code):
                self.assertTrue(find_kept(ast.parse(code)))
