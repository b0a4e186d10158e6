"""Text in, text out: what changes, and the look-alikes that must not."""

import re
import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage import normalise as rules
from triage.characters import codes_of, narrowed, text_of
from triage.normalise import normalise
from triage.signs import ROUGH

CHANGES = [
    ("lone surrogate", "拆\ud800迁", "拆迁"),
    ("NUL and controls", "征\x00地\x07补\x9f偿", "征地补偿"),
    ("zero width", "拆\u200b迁\u200d办\ufeff", "拆迁办"),
    ("soft hyphen, variation selector, tag characters", "低\u00ad保\ufe0f户\U000e0041", "低保户"),
    ("bidi override", "\u202e举报\u202c", "举报"),
    ("full width", "ＡＢＣ１２３，（甲）", "ABC123,(甲)"),
    ("ideographic blank", "尊敬的领导：　您好", "尊敬的领导: 您好"),
    ("compatibility radical", "⼀⼆", "一二"),
    ("circled number, square unit", "①占地３０㎡", "1占地30m2"),
    ("zalgo", "求" + "\u0336\u0301" * 250 + "助", "求助"),
    ("mojibake", "鎷嗚縼琛ュ伩", "拆迁补偿"),
    ("Excel's escape", "第一行_x000D_第二行", "第一行 第二行"),
    ("entities", "&lt;征地&gt;&nbsp;&amp;&#34;补偿&#34;", '<征地> &"补偿"'),
    ("entities wrapped twice", "&amp;amp;lt;甲", "<甲"),
    ("tags", "<div class='a'>一<br/>二</div><b>三</b>", "一\n二\n三"),
    ("script", "停水<script>alert('x')</script>三天", "停水三天"),
    ("comment", "停水<!-- 注 -->三天", "停水三天"),
    ("traditional", "聯席會議討論土地徵收補償", "联席会议讨论土地征收补偿"),
    ("pinyin note", "聯(lián)席會議", "联席会议"),
    ("pinyin note, full-width brackets, two syllables", "联席（lián xí）会议", "联席会议"),
    ("pinyin note with tone number", "拆(chai1)迁(qian1)", "拆迁"),
    ("address", "详见https://example.com/a?b=1谢谢", "详见 谢谢"),
    ("address without scheme", "见www.example.com 谢谢", "见 谢谢"),
    ("base64", "附件" + "QUJDRA" * 200 + "完", "附件 完"),
    ("blanks and tabs", " 甲 \t\u3000 乙 \r\n\r\n\r\n 丙 ", "甲 乙\n丙"),
    ("repeated punctuation", "还我工资！！！！。。。。......12.50元……", "还我工资!。.12.50元."),
    ("pinyin note, brackets twice", "甲((lián)", "甲"),
    ("spaced out", "要求 拆 迁 办 赔偿", "要求 拆迁办 赔偿"),
    ("identity number in full width", "身份证１１０１０１１９９００１０１０００Ｘ", "身份证*"),
    ("masked number", "身份证号码*****************", "身份证号码*"),
]
STAYS = [
    "GB/T 50378",
    "(2020)12号",
    "〔2018〕33号",
    "3(1)班",
    "八(3)班",
    "123456.50元",
    "2019年11月17日00:50",
    "2019-11-17",
    "3<5, 7>2",
    "《信访工作条例》",
    "<<条例>>",
    "重庆(chongqing)路",
    "A区B栋",
    "12345热线",
    "C&A专柜",
    "乾坤路",
    "甲 乙",
    "1:2比例",
]


@pytest.mark.parametrize(("written", "read"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_noise_is_removed(written, read):
    assert normalise(written) == read


@pytest.mark.parametrize("text", STAYS)
def test_look_alikes_stay(text):
    assert normalise(text) == text


def test_a_full_width_comma_becomes_an_ascii_comma():
    assert normalise("停水，停电") == "停水,停电"


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from([*"a甲。、《“é\u0301\u0316각\u1100\u1161\u11a8①㎡，\u3099か⼀ﾊﾟ\u0338=<\U0001d15e"]), max_size=12).map("".join)
    )
)
@settings(max_examples=800, deadline=None)
def test_compatibility_forms_are_those_of_the_whole_text(text):
    assert rules.compatibility_forms(text) == unicodedata.normalize("NFKC", text)


def test_nothing_invisible_comes_out_of_compatibility_forms():
    """Over all of Unicode that is assigned and not letters as they are: a character whose compatibility form is invisible is itself dropped first."""
    for code in (code for code in range(0x110000) if unicodedata.category(chr(code)) not in {"Cn", "Co"}):
        if unicodedata.normalize("NFKC", chr(code)) == chr(code) and unicodedata.category(chr(code))[0] in "LNPS":
            continue
        read = rules.stacked_marks(rules.compatibility_forms(rules.lone_surrogates_and_controls(chr(code))))
        assert rules.lone_surrogates_and_controls(read) == read, hex(code)
        assert rules.compatibility_forms(read) == read, hex(code)


def test_every_rule_leaves_plain_text_alone():
    plain = "村里修路占了我家的地,三年没有补偿。"
    assert [rule(plain) for rule in rules.RULES] == [plain] * len(rules.RULES)


FRAGMENTS = [
    "&amp;",
    "&lt;",
    "&#8203;",
    "&#38;",
    "<b>",
    "</b>",
    "<",
    ">",
    "(lián)",
    "(",
    ")",
    "聯",
    "＜",
    "１３８",
    "0000",
    " ",
    "　",
    "_x000D_",
    "!",
    "！",
    "https://a",
    "138-0000-",
    "一",
    "\ud800",
    "\u200b",
    "鎷嗚縼琛ュ伩",
    "A" * 60,
    "*",
    "\u0301",
    "-",
    "&",
    ";",
]


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)))
@settings(max_examples=800, deadline=None)
@example("&am&#8203;p;lt;b&gt;")
@example("138  0000--0000")
@example("<<b>b>甲</b</b>>")
@example("甲((lián)")
@example("&##38;lt;")
def test_normalising_twice_is_normalising_once(text):
    once = normalise(text)
    assert normalise(once) == once


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from([*FRAGMENTS, "、", "“", "甲", "龥", "@", "w", "7"]), max_size=30).map("".join),
        st.text(st.sampled_from("甲乙 \n\t(a1ü_!/"), max_size=30),
    )
)
@settings(max_examples=800, deadline=None)
@example("䷀䷀")
@example("https://a.b")
@example("甲 (lián)乙")
@example("😀😀")
@example("a" * 120)
@example("000000０000")
@example("\x1b\x1b")
@example("\r")
@example("\xa0")
@example("-" * 130)
@example("ꀀ甲 乙 丙")
def test_a_rule_that_is_not_asked_for_would_change_nothing(text):
    """Whatever the rules before it made of the text; and a text without any sign is left as ``plain`` makes it."""
    read = text
    for rule in rules.RULES:
        asked = rules.signs_of(read) & rules._asks()[rule]
        assert asked or rule(read) == read, rule.__name__
        read = rule(read)
    if not rules.signs_of(text) & ~ROUGH:
        assert read == rules.plain(text) == normalise(text)


def test_no_character_that_counts_as_usual_is_changed_by_a_rule():
    usual = [chr(code) for code in range(0x10000) if rules._table()[code] == 0 and not chr(code).isspace()]
    assert len(usual) > 15_000
    text = "".join(f"{character}甲" for character in usual if character not in "&<>")
    assert [rule.__name__ for rule in rules.RULES if rule(text) != text] == []


@given(st.text(st.sampled_from("甲 \t\n\r\u1680\u2028"), max_size=20))
@settings(max_examples=400, deadline=None)
def test_a_run_of_blanks_is_one_and_a_line_end_when_it_has_one(text):
    lines = (" ".join(line.split()) for line in text.splitlines())
    assert rules.plain(text) == "\n".join(filter(None, lines))


@given(st.text(st.one_of(st.sampled_from("甲a7_!!/<&。…． \n"), st.characters()), max_size=20))
@settings(max_examples=400, deadline=None)
@example("甲\U0002a6e0\U0002a6e0")
def test_a_run_of_one_mark_is_one_mark(text):
    once = rules.plain(text)
    assert re.search(r"([^\w\s<>&/])\1|__", once) is None
    assert re.sub(r"[^\w<>&/]", "", once).replace("_", "") == re.sub(r"[^\w<>&/]", "", text_of(narrowed(codes_of(text)))).replace("_", "")
    assert rules.plain(once) == once


@given(st.text(st.sampled_from("甲乙\U00020000 \t\na,"), max_size=30))
@settings(max_examples=400, deadline=None)
@example("甲 乙 丙丁 甲 乙")
@example("B甲 乙 丙A")
def test_three_characters_and_more_that_blanks_set_apart_stand_together(text):
    spaced = re.compile(rf"(?<![{rules.HAN}])[{rules.HAN}](?:[ \t]{{1,3}}[{rules.HAN}]){{2,}}(?![{rules.HAN}])")
    assert rules.spaced_out(text) == spaced.sub(lambda run: re.sub(r"[ \t]", "", run[0]), text)


@given(st.lists(st.one_of(st.text(max_size=20), st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)), max_size=6))
@settings(max_examples=200, deadline=None)
def test_a_letter_is_read_the_same_alone_and_in_any_batch(texts):
    codes, bounds = rules.normalised(texts)
    assert [text_of(codes[begin:end]) for begin, end in pairwise(bounds)] == [normalise(text) for text in texts]


def test_wide_forms_become_what_nfkc_makes_of_them():
    for character in map(chr, range(0x2000, 0x10000)):
        narrow = text_of(narrowed(codes_of(character)))
        assert narrow in {character, unicodedata.normalize("NFKC", character)}, hex(ord(character))
    assert text_of(narrowed(codes_of("！～\u3000"))) == "!~ "


@pytest.mark.parametrize(
    "hostile",
    [
        "&#8" * 20_000 + "203;" * 20_000,
        "&amp;" * 40_000,
        "<b" * 60_000,
        "<" * 100_000,
        "(lián" * 20_000,
        "1" * 100_000,
        "拆 " * 50_000,
        "a" * 400_000,
        "&#82" * 12_000 + "03;" * 12_000,
        "!" * 100_000,
        "\u0301" * 100_000,
        "<script>" * 12_000,
        "<!--" * 25_000,
    ],
    ids=[
        "nested entity",
        "ampersands",
        "open tags",
        "brackets",
        "open notes",
        "digits",
        "spaced",
        "letters",
        "telescoped entity",
        "marks",
        "combining",
        "open scripts",
        "open comments",
    ],
)
def test_hostile_text_takes_no_longer_than_its_length(hostile):
    normalise(hostile[:500])  # compiled by now
    began = time.process_time()
    normalise(hostile)
    assert time.process_time() - began < 4.0  # a rule that is quadratic takes minutes here; a linear one takes tenths
