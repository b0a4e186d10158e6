"""The letters that we wrote ourselves: enough, varied, labelled, and nobody's but ours."""

import json
import re
from collections import Counter, defaultdict

import pytest

from training import labelled
from triage.errors import InputError, TaxonomyError
from triage.privacy import IDENTITY_NUMBER, MOBILE_PHONE

ALIKE = 0.30  # share of the shorter letter's character 4-grams that stand in the other


def grams(text, size=4):
    text = re.sub(r"\W", "", text)
    return {text[i : i + size] for i in range(len(text) - size + 1)}


def test_every_category_has_letters_enough(starter, taxonomy):
    counts = Counter(item.category for item in starter)
    assert set(counts) == set(taxonomy.categories)
    assert min(count for code, count in counts.items() if code != "other") >= 80
    assert counts["other"] >= 150


def test_letters_have_the_length_of_letters(starter):
    lengths = [len(item.letter.body) for item in starter if item.category != "other"]
    assert min(lengths) >= 20
    assert max(lengths) <= 1_500
    assert sum(length > 300 for length in lengths) / len(lengths) > 0.15


def test_purposes_and_second_matters_are_labelled(starter):
    purposes = Counter(item.purpose for item in starter)
    assert all(purposes[code] > 300 for code in ("appeal", "accusation", "suggestion", "inquiry"))
    assert sum(bool(item.second) for item in starter) / len(starter) > 0.25
    assert not [item.letter.id for item in starter if item.second == item.category]


def test_no_two_letters_share_a_skeleton(starter):
    """Every pair that shares many runs of four characters, over the whole corpus."""
    sets = [grams(item.letter.text) for item in starter]
    where = defaultdict(list)
    for number, gram_set in enumerate(sets):
        for gram in gram_set:
            where[gram].append(number)
    alike = []
    for number, gram_set in enumerate(sets):
        shared = Counter(other for gram in gram_set if len(where[gram]) < 40 for other in where[gram] if other < number)
        alike += [
            (starter[number].letter.id, starter[other].letter.id)
            for other, count in shared.items()
            if count > ALIKE * min(len(gram_set), len(sets[other])) and count > 8
        ]
    assert alike == []


def test_few_letters_open_or_end_alike(starter):
    openings = Counter(item.letter.body[:8] for item in starter)
    endings = Counter(item.letter.body[-10:] for item in starter)
    assert openings.most_common(1)[0][1] <= len(starter) * 0.01
    assert endings.most_common(1)[0][1] <= len(starter) * 0.01


def test_every_letter_has_a_writer_and_every_category_more_than_one(starter):
    writers = defaultdict(set)
    for item in starter:
        writers[item.category].add(item.writer)
    assert min(len(marks) for marks in writers.values()) >= 2


def test_numbers_that_point_at_a_person_are_obviously_invented(starter):
    for item in starter:
        for number in MOBILE_PHONE.findall(item.letter.text) + IDENTITY_NUMBER.findall(item.letter.text):
            assert "0000" in re.sub(r"\D", "", number), item.letter.id


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        ("not json", InputError, "starter.jsonl line 2: not JSON"),
        ('{"title": "", "body": "x"}', InputError, "line 2: the fields must be"),
        (json.dumps({"title": "", "body": "x", "category": "供暧", "second": "", "purpose": "appeal", "writer": "a"}), TaxonomyError, "line 2: category"),
        (json.dumps({"title": "", "body": "x", "category": "wages", "second": "wage", "purpose": "appeal", "writer": "a"}), TaxonomyError, "line 2: category"),
        (json.dumps({"title": "", "body": "x", "category": "wages", "second": "", "purpose": "ask", "writer": "a"}), InputError, 'line 2: purpose "ask"'),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path, taxonomy, line, error, says):
    path = tmp_path / "starter.jsonl"
    good = json.dumps({"title": "", "body": "x", "category": "wages", "second": "", "purpose": "appeal", "writer": "a"})
    path.write_text(f"{good}\n{line}\n", "utf-8")
    with pytest.raises(error, match=says):
        labelled.read_jsonl(path, taxonomy)
