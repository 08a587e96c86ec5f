"""The package can be taken and used elsewhere."""
import ast
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import greenfield
from greenfield import Client

FOLDER = Path(greenfield.__file__).parent
FILES = sorted(FOLDER.rglob('*.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_imports_nothing_else(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1, f'line {node.lineno} leaves the package'
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names])
            for name in names:
                assert name.partition('.')[0] in {
                    *sys.stdlib_module_names, 'requests', 'urllib3',  # What requests stands on.
                }


def test_works_elsewhere_under_another_name(tmp_path, world):
    shutil.copytree(FOLDER, tmp_path / 'btcpay_api')
    script = (
        'import sys; from btcpay_api import Client, HttpTransport\n'
        'print(Client(HttpTransport(sys.argv[1])).get_health())')
    done = subprocess.run(
        [sys.executable, '-c', script, world.url], cwd=tmp_path, capture_output=True, text=True,
        check=True)
    assert done.stdout == 'True\n'


OPERATIONS = {
    name: method for name, method in inspect.getmembers(Client, inspect.isfunction)
    if not name.startswith('_')
}


@pytest.mark.parametrize('name', OPERATIONS)
def test_operations_name_their_endpoint_and_are_tried(name):
    assert re.search(r'\n        `(GET|POST|PUT|DELETE) /\S+`', OPERATIONS[name].__doc__)
    tests = [path.read_text(encoding='utf-8') for path in Path(__file__).parent.glob('client_*.py')]
    assert any(f'.{name}(' in text for text in tests)
