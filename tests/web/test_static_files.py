"""Scripts lie under names that change with what they hold, and name one another so."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command

from pexec_site.static_files import modules_of

MODULES = Path(__file__).parents[2] / "static" / "js"
BY_CONTENT = re.compile(r"\w+\.[0-9a-f]{12}\.js")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    from django.test import override_settings

    root = tmp_path_factory.mktemp("static")
    storages = {"staticfiles": {"BACKEND": "pexec_site.static_files.ModuleStorage"}}
    ours = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    with override_settings(STATIC_ROOT=str(root), STORAGES=storages, STATICFILES_FINDERS=ours):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root / "js"


def imports(path):
    return re.findall(r'^import .* from "\./([^"]+)";', path.read_text(), re.MULTILINE)


def test_every_module_names_what_it_imports_by_its_content(collected):
    made = [path for path in collected.glob("*.js") if BY_CONTENT.fullmatch(path.name)]
    assert len(made) == len(list(MODULES.glob("*.js")))
    assert any(imports(path) for path in made)
    for path in made:
        for name in imports(path):
            assert BY_CONTENT.fullmatch(name), (path.name, name)
            assert (collected / name).is_file(), (path.name, name)


def test_a_page_is_told_of_every_module_it_needs_once():
    needed = modules_of("js/execution.js")
    assert needed[0] == "js/execution.js"
    assert len(set(needed)) == len(needed)
    assert {"js/words.js", "js/columns.js", "js/bars.js"} < set(needed)  # some by way of others
    for name in needed:
        assert {f"js/{other}" for other in imports(MODULES / Path(name).name)} <= set(needed)
