"""A model folder: whole or not at all, checked before use, and never code."""

import json
import os
import pickle
import random

import numpy as np
import pytest
from offices import nearest_mean

from models import store
from models.features import words

BATCH = [["拖欠", "工资"], ["工资", "一分", "没给"], ["征地", "补偿"], ["土地", "征收"]] * 5
QUESTIONS = {"category": ["wages", "wages", "land", "land"] * 5, "purpose": ["appeal", "accusation"] * 10}


@pytest.fixture(scope="module")
def small():
    return nearest_mean(words(BATCH), QUESTIONS)


@pytest.fixture
def folder(tmp_path, small):
    store.save(tmp_path, "v1", small, ["x"] * len(small.vocabulary), {"source": "test"})
    store.make_current(tmp_path, "v1")
    return tmp_path


def test_a_loaded_model_scores_as_the_saved_one(folder, small):
    loaded = store.load(folder, "v1").model
    for head in small.heads:
        saved = small.scores(small.read(words(BATCH)), head)
        assert np.array_equal(saved, loaded.scores(loaded.read(words(BATCH)), loaded.head(head.name)))


def test_arrays_are_mapped_so_that_processes_share_their_pages(folder):
    steps = store.load(folder, "v1").model.weights.steps
    assert isinstance(steps.base.base, np.memmap)
    assert steps.ctypes.data % 64 == 0  # each row begins with a line of the cache


def test_a_folder_that_was_never_finished_is_not_listed(folder):
    (folder / ".saving-v2").mkdir()
    (folder / "not-a-model").mkdir()
    assert store.versions(folder) == ["v1"]


def test_no_model_at_all_is_none(tmp_path):
    assert store.versions(tmp_path / "none") == []
    assert store.current(tmp_path) is None


def test_saving_the_same_version_twice_is_refused(folder, small):
    with pytest.raises(OSError, match="v1"):
        store.save(folder, "v1", small, [], {})


@pytest.mark.parametrize("name", ["../../etc", "", ".hidden", "a/b", "a" * 65])
def test_a_version_is_a_name_and_never_a_path(folder, name):
    with pytest.raises(store.RefusedModelError, match="version"):
        store.load(folder, name)


@pytest.mark.parametrize("name", [*store.ARRAYS, "vocabulary.txt"])
def test_a_missing_file_is_named(folder, name):
    (folder / "v1" / name).unlink()
    with pytest.raises(store.RefusedModelError, match=name):
        store.load(folder, "v1")


@pytest.mark.parametrize("name", [*store.ARRAYS, "vocabulary.txt"])
def test_a_truncated_file_is_named(folder, name):
    path = folder / "v1" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(store.RefusedModelError, match=name):
        store.load(folder, "v1")


def test_any_flipped_bit_is_refused(folder):
    """200 random bits over all files of the folder, the card among them."""
    chance = random.Random(7)
    files = sorted((folder / "v1").iterdir())
    for _ in range(200):
        path = chance.choice(files)
        sound = path.read_bytes()
        place = chance.randrange(len(sound))
        path.write_bytes(sound[:place] + bytes([sound[place] ^ (1 << chance.randrange(8))]) + sound[place + 1 :])
        if path.name == store.CARD:
            _loads_as_before_or_refuses(folder, sound, path)
        else:
            with pytest.raises(store.RefusedModelError, match=path.name):
                store.load(folder, "v1")
        path.write_bytes(sound)


def _loads_as_before_or_refuses(folder, sound, path):
    """A flipped bit of the card is refused, since the card carries its own checksum."""
    with pytest.raises(store.RefusedModelError, match=store.CARD):
        store.load(folder, "v1")


def rewrite(folder, name, content):
    """Replace a file and put its new checksum on the card, as somebody who forges a model would."""
    import hashlib

    (folder / "v1" / name).write_bytes(content)
    card = json.loads((folder / "v1" / store.CARD).read_text("utf-8"))
    card["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_card(folder, card)


def write_card(folder, card):
    card.pop("checksum", None)
    (folder / "v1" / store.CARD).write_bytes(store.sealed(card))


def bytes_of(array, allow_pickle=False):
    import io

    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch exploded",))


def test_a_pickle_is_refused_before_it_is_opened(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in (pickle.dumps(Bomb()), bytes_of(np.array([Bomb()], dtype=object), allow_pickle=True)):
        rewrite(folder, "keys.npy", content)
        with pytest.raises(store.RefusedModelError, match=r"keys\.npy"):
            store.load(folder, "v1")
    assert not (tmp_path / "exploded").exists()


def zipped(content, size=1):
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", content * size)
    return buffer.getvalue()


def headed(shape, kind="<f4"):
    """An array of four bytes that claims another shape or type."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(4)


FOREIGN = {
    "an archive of arrays": zipped(bytes_of(np.ones(3, np.float32))),
    "an archive with an object": zipped(bytes_of(np.array([{}], dtype=object), allow_pickle=True)),
    "a zip bomb": zipped(bytes(1_000_000), 50),
    "more rows than the file has": headed("(1000000000, 1000)"),
    "more rows than a computer has": headed(f"({10**24},)"),
    "fewer than no rows": headed("(-1,)"),
    "a shape of words": headed("('a',)"),
    "an array of objects": headed("(1,)", "|O"),
    "nothing": b"",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("name", ["weights.npy", "keys.npy"])
def test_what_is_no_plain_array_is_refused_without_unpacking_it(folder, name, content):
    rewrite(folder, name, content)
    with pytest.raises(store.RefusedModelError, match=name):
        store.load(folder, "v1")


def test_shapes_that_contradict_each_other_are_refused(folder):
    rewrite(folder, "idf.npy", bytes_of(np.ones(3, np.float32)))
    with pytest.raises(store.RefusedModelError, match="contradict"):
        store.load(folder, "v1")


def test_weights_of_another_type_are_refused(folder, small):
    rewrite(folder, "weights.npy", bytes_of(small.weights.steps.astype(np.float64)))
    with pytest.raises(store.RefusedModelError, match="float64"):
        store.load(folder, "v1")


@pytest.mark.parametrize("name", ["idf.npy", "units.npy", "intercepts.npy"])
def test_values_that_are_no_numbers_are_refused(folder, name):
    values = np.load(folder / "v1" / name)
    values[0] = np.nan
    rewrite(folder, name, bytes_of(values))
    with pytest.raises(store.RefusedModelError, match="not numbers"):
        store.load(folder, "v1")


@pytest.mark.parametrize(
    ("change", "says"),
    [({"format": 99}, "Upgrade"), ({"files": {}}, "lacks"), ({"heads": 3}, "lacks"), ({"heads": [{"name": "category"}]}, "card.json")],
    ids=["newer", "no files", "no heads", "foreign head"],
)
def test_a_foreign_or_newer_card_is_refused(folder, change, says):
    card = json.loads((folder / "v1" / store.CARD).read_text("utf-8")) | change
    write_card(folder, card)
    with pytest.raises(store.RefusedModelError, match=says):
        store.load(folder, "v1")


def test_a_card_may_not_point_outside_its_folder(folder):
    card = json.loads((folder / "v1" / store.CARD).read_text("utf-8"))
    card["files"]["../v1/keys.npy"] = card["files"]["keys.npy"]
    write_card(folder, card)
    with pytest.raises(store.RefusedModelError, match="outside"):
        store.load(folder, "v1")


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"\xff\xfe"])
def test_a_card_that_is_no_card_is_refused(folder, content):
    (folder / "v1" / store.CARD).write_bytes(content)
    with pytest.raises(store.RefusedModelError, match=store.CARD):
        store.load(folder, "v1")


def test_a_folder_without_a_card_says_what_to_do(tmp_path):
    with pytest.raises(store.RefusedModelError, match="triage init"):
        store.load(tmp_path, "v9")
