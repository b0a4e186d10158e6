"""Machine code that is kept belongs to the sources that it was made of."""

import importlib
import sys

import numpy as np

from models.ahead import fetch
from models.compiled import _sources, compiled

INNER = "from models.compiled import compiled\n\n\n@compiled\ndef step(number):\n    return number + {step}\n"
OUTER = "from models.compiled import compiled\nfrom inner_of_a_test import step\n\n\n@compiled\ndef twice(number):\n    return step(step(number))\n"


def called(folder, step):
    (folder / "inner_of_a_test.py").write_text(INNER.format(step=step))
    _sources.cache_clear()
    for name in ("inner_of_a_test", "outer_of_a_test"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module("outer_of_a_test").twice


def test_a_function_is_compiled_anew_when_what_it_calls_has_changed(tmp_path):
    (tmp_path / "outer_of_a_test.py").write_text(OUTER)
    sys.path.insert(0, str(tmp_path))
    try:
        first = called(tmp_path, 1)
        assert first(5) == 7
        kept = called(tmp_path, 1)
        assert (kept(5), kept.stats.cache_hits.total()) == (7, 1)
        changed = called(tmp_path, 10)
        assert (changed(5), changed.stats.cache_hits.total()) == (25, 0)
    finally:
        sys.path.remove(str(tmp_path))
        _sources.cache_clear()


@compiled
def read_after_asking(numbers, places):
    for place in places:
        fetch(numbers, place)
    return numbers.sum()


def test_asking_for_memory_ahead_changes_nothing_and_no_place_is_wrong():
    numbers = np.arange(64, dtype=np.int16).reshape(8, 8)
    assert read_after_asking(numbers, np.array([0, 63, 64, -1, 1 << 40])) == 2016
    assert numbers.tolist() == np.arange(64).reshape(8, 8).tolist()
