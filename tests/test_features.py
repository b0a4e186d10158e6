"""Words to TF-IDF, held against scikit-learn's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from models import vocabulary as vocabularies
from models.features import BREAK, Vocabulary, grams, words
from models.kernel import CHARACTER_WEIGHT
from models.vocabulary import learn_vocabulary

BATCH = [["拖欠", "工资", BREAK, "拖欠", "工资", "一年"], ["征地", "补偿", BREAK, "没", "给"], ["工资", "没", "给"], [], [BREAK]]


def dense(batch, vocabulary):
    matrix = vocabulary.matrix(words(batch))
    return csr_matrix((matrix.values, matrix.columns, matrix.indptr), shape=(len(batch), len(vocabulary))).toarray()


def of_sklearn(batch, kind):
    """The same block by scikit-learn: n-grams that never cross a break."""

    def analyse(tokens):
        runs = " ".join(" " if token == BREAK else token.replace(" ", "") for token in tokens).split("   ")
        if kind == "words":
            cut = [run.split() for run in runs]
            return [" ".join(run[i : i + n]) for run in cut for n in (1, 2) for i in range(len(run) - n + 1)]
        pieces = "".join(tokens).split(BREAK)
        return [piece[i : i + n] for piece in pieces for n in (1, 2, 3) for i in range(len(piece) - n + 1)]

    return TfidfVectorizer(analyzer=analyse, sublinear_tf=True).fit(batch).transform(batch).toarray()


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_values_are_those_of_scikit_learn(kind):
    vocabulary = learn_vocabulary([grams(words(BATCH))], len(BATCH), min_words=1, min_characters=1)
    ours, first = dense(BATCH, vocabulary), vocabulary.first_word
    block = ours[:, first:] if kind == "words" else ours[:, :first] / CHARACTER_WEIGHT
    theirs = of_sklearn(BATCH, kind)
    assert block.shape == theirs.shape
    np.testing.assert_allclose(block @ block.T, theirs @ theirs.T, atol=1e-6)
    np.testing.assert_allclose(np.sort(block, axis=1), np.sort(theirs, axis=1), atol=1e-6)


def test_words_and_characters_have_their_own_length():
    vocabulary = learn_vocabulary([grams(words(BATCH))], len(BATCH), min_words=1, min_characters=1)
    values = dense(BATCH[:3], vocabulary)
    np.testing.assert_allclose((values[:, : vocabulary.first_word] ** 2).sum(axis=1), CHARACTER_WEIGHT**2, atol=1e-5)
    np.testing.assert_allclose((values[:, vocabulary.first_word :] ** 2).sum(axis=1), 1, atol=1e-5)


def test_an_empty_letter_has_no_features():
    vocabulary = learn_vocabulary([grams(words(BATCH))], len(BATCH))
    assert dense([[]], vocabulary).sum() == 0


def test_an_empty_vocabulary_finds_nothing():
    vocabulary = Vocabulary(np.empty(0, np.uint64), np.empty(0, np.float32))
    matrix = vocabulary.matrix(words(BATCH))
    assert (len(matrix.columns), matrix.known.tolist()) == (0, [0.0] * len(BATCH))


def test_an_empty_batch_is_no_trouble():
    assert len(grams(words([])).keys) == 0


@given(st.lists(st.lists(st.sampled_from(["拖欠", "工资", "征地", "补偿", BREAK, "𠮷", "5g", "没"]), max_size=12), min_size=1, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None)
def test_a_letters_features_do_not_depend_on_its_batch(batch, random):
    vocabulary = learn_vocabulary([grams(words(BATCH))], len(BATCH), min_words=1, min_characters=1)
    together = dense(batch, vocabulary)
    order = list(range(len(batch)))
    random.shuffle(order)
    shuffled = dense([batch[i] for i in order], vocabulary)
    alone = np.vstack([dense([tokens], vocabulary) for tokens in batch])
    assert np.array_equal(together, alone)
    assert np.array_equal(together[order], shuffled)


def test_a_rare_character_of_the_upper_planes_is_one_character():
    found = grams(words([["𠮷屋"]]))
    assert {found.term(i) for i in range(len(found.keys))} == {"𠮷", "屋", "𠮷屋"}


@given(st.lists(st.lists(st.sampled_from(["拖欠", "工资", "征地", BREAK, "𠮷", "没"]), max_size=8), min_size=1, max_size=12), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_vocabulary_counted_in_parts_is_that_of_the_whole(batch, size):
    parts = [grams(words(batch[start : start + size])) for start in range(0, len(batch), size)]
    whole, counted = learn_vocabulary([grams(words(batch))], len(batch)), learn_vocabulary(parts, len(batch))
    assert np.array_equal(whole.keys, counted.keys)
    assert np.array_equal(whole.idf, counted.idf)


def test_a_vocabulary_has_a_bound_and_keeps_what_stands_in_most_letters():
    counts = np.array([5, 1, 9, 9, 2])
    keys, kept = vocabularies._most_frequent(np.arange(5, dtype=np.uint64), counts, most=3)
    assert keys.tolist() == [0, 2, 3]
    assert kept.tolist() == [5, 9, 9]


def test_what_stood_once_is_forgotten_when_too_much_is_counted():
    one = (np.array([1, 2, 3], np.uint64), np.array([1, 1, 4]))
    other = (np.array([2, 4], np.uint64), np.array([1, 1]))
    assert vocabularies._merged(one, other, most=3)[0].tolist() == [2, 3]
    assert vocabularies._merged(one, other)[0].tolist() == [1, 2, 3, 4]
