"""Real parts for every test: the shipped taxonomy, the segmenter, and the starter model, trained once in a folder that no test writes to."""

import os
import shutil

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: two cores, and steady figures

import databases
import pytest
from hypothesis import settings
from offices import FOUR, TRACED, made_ready, office_of

from models import store
from models.disk import locked
from training import labelled
from training.labelled import LabelledLetter
from triage import taxonomy as taxonomies
from triage.desk import Desk, model_folder, open_desk
from triage.letter import Letter
from triage.register import book
from triage.tokens import Segmenter

# The same tree gives the same answer: drawn texts are the same in every run. `pytest --hypothesis-profile explore` draws others.
settings.register_profile("steady", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def _untraced():
    """Coverage follows the tests, and not the processes that they start unless they ask for it: those take twice the time."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        TRACED[name] = os.environ.pop(name)


@pytest.fixture
def traced(monkeypatch):
    """Coverage follows the processes of this test: where they are what is tested."""
    for name, value in TRACED.items():
        monkeypatch.setenv(name, value)


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
def some(starter):
    """Sixty letters of each of four categories, not as the starter letters are but cut short: what an office may have labelled."""
    letters = [item for code in FOUR for item in [one for one in starter if one.category == code and len(one.letter.body) > 60][:60]]
    return [LabelledLetter(Letter(item.letter.body[: len(item.letter.body) * 2 // 3], id=item.letter.id), item.category) for item in letters]


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder of all test processes of this run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def home(shared):
    """An office with the starter model, for reading only: trained once, by the first of the test processes that needs it."""
    with locked(shared, patience=600):
        return made_ready(shared / "office")


@pytest.fixture(scope="session")
def small_home(shared):
    """An office of four categories with its starter model, for reading only; trained once."""
    with locked(shared, patience=600):
        folder = shared / "small"
        if not folder.exists():
            office_of(folder)
        return made_ready(folder)


@pytest.fixture(scope="module")
def office(small_home, tmp_path_factory):
    """The office of four categories, to be changed by the tests of one file."""
    return shutil.copytree(small_home, tmp_path_factory.mktemp("staff") / "office")


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
