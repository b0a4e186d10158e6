"""Near-duplicates: forms with another name, second sendings. All letters are invented."""

import random
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.duplicates import ALIKE, PART, SIZE, groups

FORM = (
    "尊敬的领导：我是柳荫小区的业主{name}，开发商松月置业承诺{date}交付的地下车库至今没有通车，消防通道被堆放的建材占住，"
    "物业说要等验收，验收单位说没有收到申请。请住建局查明情况，督促开发商尽快交付，并把结果告诉全体业主。联系电话{phone}"
)
WATER = "青石桥镇的自来水从上个月起发黄，烧开以后有一层白沫，镇水厂说水管正在换，换到哪一天谁也不知道。请水务局给个准话。"


def form(name="", date="", phone=""):
    return FORM.format(name=name, date=date, phone=phone)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(form("贺南星", "2023年5月1日", "13900000002"), id="another name, date and number"),
        pytest.param(form("李青", "2022年12月", "13800000001").replace("，", " , ").replace("。", "！！\n"), id="other marks and blanks"),
        pytest.param("第三次反映：" + form("李青", "2022年12月", "13800000001") + "请尽快答复！", id="sent again with a word more"),
        pytest.param(form("李青", "2022年12月", "13800000001").replace("车库", "車庫"), id="traditional characters"),
        pytest.param("<p>" + form("李青", "2022年12月", "13800000001") + "</p>", id="out of a web form"),
    ],
)
def test_a_letter_sent_again_with_small_changes_is_a_near_duplicate(other):
    assert groups([form("李青", "2022年12月", "13800000001"), WATER, other]).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(form("李青", "五月"), WATER, id="two matters"),
        pytest.param(
            "尊敬的领导您好，小区的路灯坏了没有人修，请尽快处理，谢谢", "尊敬的领导您好，村里的水渠塌了没有人管，请尽快处理，谢谢", id="one greeting and ending"
        ),
        pytest.param("", "", id="empty"),
        pytest.param(" \n", "\u200b", id="nothing to see"),
        pytest.param("12345", "54321", id="only digits"),
        pytest.param("！！！", "。。。", id="only marks"),
        pytest.param("停水", "停电", id="short"),
        pytest.param("路灯不亮", "路灯不灭", id="four characters"),
    ],
)
def test_letters_that_only_look_alike_stay_apart(one, other):
    assert groups([one, other]).tolist() == [0, 1]


@pytest.mark.parametrize("text", ["停水", "12345", "路灯不亮", WATER])
def test_the_same_text_is_one_group_however_short(text):
    assert groups([text, "请修路", f" {text} "]).tolist() == [0, 1, 0]


def test_no_letters_have_no_groups():
    assert groups([]).tolist() == []


def test_our_starter_letters_are_all_different_but_for_a_few_words(starter):
    texts = [item.letter.text for item in starter]
    sizes = np.bincount(groups(texts))
    assert sizes.max() == 2
    assert (sizes > 1).sum() <= 2


def runs(text):
    bare = re.sub(r"[\W\d_]", "", text)
    return {bare[at : at + SIZE] for at in range(len(bare) - SIZE + 1)}


def test_groups_are_what_comparing_every_pair_would_find(starter):
    """Letters edited at one to forty places, so that pairs of every similarity are there; a pair just above the line may be missed, one below it is never joined."""
    chance = random.Random(7)
    texts = []
    for item in starter[:3000:60]:
        for edits in (0, 1, 3, 10, 40):
            letters = list(item.letter.text)
            for at in chance.sample(range(len(letters)), min(edits, len(letters) // 4)):
                letters[at] = chr(chance.randrange(0x4E00, 0x9000))
            texts.append("".join(letters))
    found, sets = groups(texts), [runs(text) for text in texts]
    alike = {pair: len(sets[pair[0]] & sets[pair[1]]) / len(sets[pair[0]] | sets[pair[1]]) for pair in combinations(range(len(texts)), 2)}
    assert all(found[one] == found[other] for (one, other), share in alike.items() if share >= ALIKE + 0.1)
    joined = {(one, other) for one, other in alike if found[one] == found[other]}
    linked = {at for pair in joined if alike[pair] >= ALIKE for at in pair}
    assert {at for pair in joined for at in pair} == linked
    assert sum(ALIKE > share > ALIKE - 0.2 for share in alike.values()) > 10


def test_thousands_of_copies_of_one_form_are_one_group():
    chance = random.Random(1)
    names = ["".join(chr(chance.randrange(0x4E00, 0x9000)) for _ in range(3)) for _ in range(1500)]
    found = groups([WATER, *(form(name, f"{at}年") for at, name in enumerate(names))])
    assert found.tolist() == [0] + [1] * len(names)


def test_letters_too_long_for_one_part_are_compared_with_those_of_the_next(starter):
    text = "".join(item.letter.text for item in starter)
    long = [text[start : start + 90_000] for start in range(0, 180_000, 90_000)]
    pairs = PART // 180_000 + 1
    assert groups([f"{long[at % 2]}第{'甲' * at}次" for at in range(2 * pairs)]).tolist() == [0, 1] * pairs


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.sampled_from("路灯水电不亮停了 ，1\u200b\ud800"), max_size=12), max_size=12))
def test_groups_are_numbered_by_their_first_member_and_the_same_each_time(texts):
    found = groups(texts)
    firsts = [number for at, number in enumerate(found.tolist()) if number not in found[:at]]
    assert firsts == list(range(len(firsts)))
    assert np.array_equal(found, groups(texts))
