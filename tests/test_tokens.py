"""jieba's segmentation, at Rust speed, with our own words."""

import pytest

from triage.errors import TaxonomyError
from triage.normalise import HAN, normalise
from triage.tokens import BREAK, Segmenter, read_dictionary


def test_words_of_petition_work_stay_whole(segmenter):
    for word in ("参战退役人员", "买断工龄", "三供一业", "回迁房", "征地补偿款", "协解人员"):
        assert word in segmenter.tokens(f"我们反映{word}的问题")


def test_punctuation_and_bare_numbers_become_one_break(segmenter):
    assert segmenter.tokens("停水,3天!没人管") == ["停水", BREAK, "天", BREAK, "没人管"]


def test_letters_with_digits_are_words_and_lower_case(segmenter):
    assert "5g" in segmenter.tokens("5G基站")
    assert "p2p" in segmenter.tokens("P2P平台")


def test_an_empty_text_has_no_words(segmenter):
    assert segmenter.tokens("") == []


def test_segmentation_agrees_with_jieba_itself(starter):
    """On Chinese runs of all starter letters, without our own words on either side: the share of letters cut the same is pinned at 1."""
    import logging
    import re

    import jieba
    import rjieba

    jieba.setLogLevel(logging.WARNING)
    theirs, ours = jieba.Tokenizer(), rjieba.Jieba()
    theirs.cache_file = None
    runs = [run for labelled in starter[::4] for run in re.findall(f"[{HAN}]+", normalise(labelled.letter.text))]
    assert len(runs) > 5_000
    different = [run for run in runs if list(theirs.cut(run, HMM=True)) != ours.cut(run, True)]
    assert different == []


@pytest.mark.parametrize(("line", "says"), [("征地补偿款", "line 1"), ("征地 多", "line 1"), ("征地 0", "line 1"), ("征地 1 n", "line 1")])
def test_a_bad_line_of_the_dictionary_is_named(tmp_path, line, says):
    path = tmp_path / "dictionary.txt"
    path.write_text(line, "utf-8")
    with pytest.raises(TaxonomyError, match=says):
        Segmenter(path)


def test_a_dictionary_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "dictionary.txt"
    path.write_bytes("征地补偿款 3".encode("gb18030"))
    with pytest.raises(TaxonomyError, match="UTF-8"):
        read_dictionary(path)


def test_an_office_adds_its_own_words(tmp_path):
    path = tmp_path / "dictionary.txt"
    path.write_text("# 本地\n云岭湾新区 50\n", "utf-8")
    assert "云岭湾新区" in Segmenter(path).tokens("我住云岭湾新区")
