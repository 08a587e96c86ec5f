"""No file is too long, and nothing is written that nobody calls."""
import ast
import re
import subprocess
from collections import Counter

from dev.dist.backend import module_files
from dev.paths import ROOT

LONGEST = 400
WRITTEN = {'.py', '.js', '.xml', '.html', '.css', '.sh', '.cjs'}
#: not written by us line by line
GENERATED = {'static/description/index.html'}
#: decorators by which Odoo calls what is defined
CALLED_BY_ODOO = {'route', 'constrains', 'onchange', 'ondelete', 'autovacuum'}
#: what is called by its name from outside the module: by Odoo, `http.client`, `requests`, urllib3
CALLED_FROM_OUTSIDE = {
    'ConnectionCls', '_compute_display_name', '_table_query', 'migrate', 'post_init_hook',
    'readable', 'readinto', 'resolve_redirects', 'response_class', 'uninstall_hook',
}
WORD = re.compile(r'\w+')
HERE = 'dev/house/files_test.py'
OVERRULED = re.compile(
    r'(noqa: [A-Z0-9, ]+\d|pylint: *disable(-next)?=[\w-]+|type: ignore\[[\w-]+\]|'
    r'eslint-disable\S*)(?P<reason>.*)')


def sources():
    """What is read of the module: all but tests, documents and translations."""
    for path in module_files():
        if path.endswith(('.py', '.xml', '.js', '.csv', '.sql')) and not path.startswith('tests/') \
                and not path.startswith('static/tests/'):
            yield path, (ROOT / path).read_text()


def tracked():
    return subprocess.run(['git', 'ls-files'], cwd=ROOT, text=True, check=True,
                          capture_output=True).stdout.splitlines()


def test_when_a_file_is_written_then_it_has_less_than_400_lines():
    long = {}
    for path in tracked():
        file = ROOT / path
        if file.suffix in WRITTEN and file.is_file() and path not in GENERATED:
            lines = len(file.read_text().splitlines())
            if lines >= LONGEST:
                long[path] = lines
    assert not long


def test_when_a_linter_is_overruled_then_the_reason_stands_beside_it():
    bare = []
    for path in tracked():
        file = ROOT / path
        if file.suffix not in ('.py', '.js', '.cjs') or not file.is_file() or path == HERE:
            continue
        before = ''
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = OVERRULED.search(line)
            # On a line of its own, for a whole file, the docstring below says it
            if found and not found['reason'].strip() and not before.lstrip().startswith('#') \
                    and not line.startswith('# ruff'):
                bare.append(f'{path}:{number}')
            before = line
    assert not bare


def _is_called_by_odoo(node):
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(called, 'attr', getattr(called, 'id', '')) in CALLED_BY_ODOO:
            return True
    return False


def _is_odoos_class(node):
    names = {target.id for line in node.body if isinstance(line, ast.Assign)
             for target in line.targets if isinstance(target, ast.Name)}
    return bool(names & {'_name', '_inherit'})


def _overrides(node):
    """An override says so: it calls what it overrides, or its docstring tells."""
    calls = any(isinstance(part, ast.Call) and getattr(part.func, 'id', '') == 'super'
                for part in ast.walk(node))
    return calls or bool(re.match('(Override|Overwrite)', ast.get_docstring(node) or ''))


def _assigned(node):
    """Names that a module or a class gives a value."""
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else \
            [line.target] if isinstance(line, ast.AnnAssign) else []
        for target in targets:
            if isinstance(target, ast.Name) and not target.id.startswith('_'):
                yield target.id


def definitions(path, text):
    """Yield each name that is defined for others to call or read."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            if not node.name.startswith('__') and not _is_called_by_odoo(node) \
                    and not _overrides(node):
                yield node.name
        elif isinstance(node, ast.ClassDef):
            if not path.startswith('controllers/') and not _is_odoos_class(node):
                yield node.name
            yield from _assigned(node)
    if path != '__manifest__.py':
        yield from _assigned(tree)


def dead():
    """Names that are written down where they are defined, and nowhere else."""
    written, defined = Counter(), {}
    for path, text in sources():
        if path.endswith('.py'):
            defined[path] = Counter(definitions(path, text))
            text = re.sub(r'^from \S+ import (\([^)]*\)|.*)$', '', text, flags=re.M)
        written.update(WORD.findall(text))
    everywhere = sum(defined.values(), Counter())
    return [f'{path}: {name}' for path, names in defined.items() for name in names
            if written[name] <= everywhere[name] and name not in CALLED_FROM_OUTSIDE]


def test_when_something_is_defined_then_the_module_calls_it():
    assert dead() == []
