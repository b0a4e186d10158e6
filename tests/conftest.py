"""Real parts for every test: the shipped taxonomy, the segmenter, and the starter model, trained once in a folder that no test writes to."""

import os
import subprocess
import sys

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: two cores, and steady figures

import databases
import pytest

from models import store
from models.disk import locked
from training import labelled
from triage import taxonomy as taxonomies
from triage.desk import Desk, model_folder, open_desk
from triage.letter import Letter
from triage.register import book
from triage.tokens import Segmenter


@pytest.fixture(scope="session")
def taxonomy():
    return taxonomies.shipped()


@pytest.fixture(scope="session")
def segmenter():
    return Segmenter()


@pytest.fixture(scope="session")
def starter(taxonomy):
    return labelled.starter_letters(taxonomy)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """An office with the starter model, for reading only: trained once, by the first of the test processes that needs it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # coverage doubles the time
    with locked(shared, patience=600):
        command = [sys.executable, "-c", "from api.cli import main; main()", "init"]
        subprocess.run(command, env=untraced | {"TRIAGE_HOME": str(shared / "office")}, check=True, stdout=subprocess.DEVNULL)
    return shared / "office"


@pytest.fixture(scope="session")
def desk(home, taxonomy, segmenter) -> Desk:
    return open_desk(home, taxonomy, segmenter)


@pytest.fixture(scope="session")
def stored(home):
    return store.load(model_folder(home), store.current(model_folder(home)))


@pytest.fixture(scope="session")
def decide(desk):
    """Text in, decision out."""
    return lambda text, title="": desk.decide([Letter(text, title=title)])[0]


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server of our own."""
    if databases.binaries() is None:
        pytest.skip("no PostgreSQL on this machine: Debian's package postgresql brings one")
    with databases.server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """What TRIAGE_DATABASE says of an empty register: every test of it runs on both engines."""
    return "" if request.param == "sqlite" else request.getfixturevalue("postgresql").emptied()


@pytest.fixture
def opened(tmp_path, database):
    """Open the test's register, again and again if need be; all are closed afterwards."""
    made = []

    def opened(keys="", **options):
        if database and not made:
            book.upgrade(tmp_path, database)
        made.append(book.open_register(tmp_path, database, keys, **options))
        return made[-1]

    yield opened
    for register in made:
        register.close()


@pytest.fixture
def register(opened):
    return opened()
