"""Real parts for every test: the shipped taxonomy, the segmenter, and the starter model, trained once in a folder that no test writes to."""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: two cores, and steady figures

import pytest

from models import store
from models.disk import locked
from training import labelled, train
from triage import taxonomy as taxonomies
from triage.desk import Desk, model_folder, open_desk
from triage.letter import Letter
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
def home(tmp_path_factory, taxonomy, segmenter):
    """An office with the starter model, for reading only: trained once, by the first of the test processes that needs it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with locked(shared, patience=600):
        train.ensure_model(shared / "office", taxonomy, segmenter, lambda *_: None)
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
