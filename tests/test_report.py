"""The report of a training run: says the right thing, harms nobody whatever the names hold, and loads nothing."""

import base64
import dataclasses
import hashlib
import json
import math
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from models.calibration import Curve
from models.classifier import Head
from training import evaluate, rows, sentences
from training import report as reports
from training.evaluate import Answers, CategoryScores, Comparison, Difference, Flip, Scores
from training.report import FileFindings, Mistake, Promise, Report, ReportSource, SendFrom, Setting, Target
from triage.errors import StorageError

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>\"'&{{7*7}}" + "很长的类别名称" * 20
CLOSING = "</script><!--<script>\u2028\ud800\u202e"


def scores_of(labels, *, letters=1200, accuracy=0.9, seed=0):
    """Figures as an evaluation gives them, made up, with a few large categories and many small ones."""
    chance = np.random.default_rng(seed)
    n = len(labels)
    sizes = chance.multinomial(letters, chance.dirichlet(np.full(n, 1.5)))
    confusion = [chance.multinomial(size, _shares(i, n, accuracy, seed)).tolist() for i, size in enumerate(sizes)]
    matrix = np.array(confusion).reshape(n, n)
    right, said = np.diag(matrix), matrix.sum(axis=0)
    categories = {label: _category(int(right[i]), int(sizes[i]), int(said[i])) for i, label in enumerate(labels)}
    reliability = [(p, min(1.0, p + 0.02 * math.sin(9 * p)), int(letters * p**3 / 3) + 1) for p in (0.15, 0.25, 0.35, 0.46, 0.55, 0.65, 0.75, 0.85, 0.97)]
    curve = [(share, 1 - (1 - accuracy) * share**2) for share in np.linspace(0.01, 1, 100).tolist()]
    return Scores(
        letters,
        float(right.sum() / letters),
        float(np.mean([c.f1 for c in categories.values()])),
        0.012,
        0.953,
        1.6,
        0.72,
        0.961,
        tuple(labels),
        categories,
        confusion,
        reliability,
        curve,
    )


def _shares(i, n, accuracy, seed):
    chance = np.random.default_rng((seed, i))
    near = chance.dirichlet(np.full(n, min(1.0, 5 / n)))
    near[i] = 0
    return accuracy * (np.arange(n) == i) + (1 - accuracy) * near / near.sum() if n > 1 and near.sum() else (np.arange(n) == i).astype(float)


def _category(right, letters, said):
    return CategoryScores(
        letters, said, right / said if said else None, right / letters if letters else None, 2 * right / (letters + said) if letters + said else 0.0
    )


def difference(candidate, live, *, noise=0.01, larger_is_better=True):
    gap = candidate - live
    low, high = gap - noise, gap + noise
    return Difference(candidate, live, gap, low, high, worse=high < 0 if larger_is_better else low > 0)


def compared(scores, live, noise=0.12):
    recall, precision = (_sides(scores, live, side, noise) for side in ("recall", "precision"))
    overall = {
        "accuracy": difference(scores.accuracy, live.accuracy),
        "macro_f1": difference(scores.macro_f1, live.macro_f1),
        "candidates": difference(1.6, 1.7, larger_is_better=False),
    }
    return Comparison("2026-10-02T09-00-00Z-51aa", scores.letters, overall, recall, precision)


def _sides(scores, live, side, noise):
    pairs = {label: (getattr(found, side), getattr(live.categories[label], side)) for label, found in scores.categories.items()}
    return {label: difference(*pair, noise=noise) for label, pair in pairs.items() if None not in pair}


def report_of(names, **changes):
    """A whole report over some categories, as after a training run."""
    labels = list(names)
    scores = scores_of(labels, letters=max(600, 40 * len(labels)), seed=1)
    promise = Promise(
        [Target(0.90, 0.95, 980, 220, 0.928), Target(0.95, 0.95, 860, 340, 0.961), Target(0.98, 0.95, 510, 690, None)],
        {label: SendFrom(None if i % 9 == 8 else 0.5 + i % 7 / 20, 12 + i) for i, label in enumerate(labels)},
        0.95,
        0.953,
        1.61,
    )
    full = Report(
        version="2026-11-22T16-15-30Z-7f3a",
        created="2026-11-22 16:15",
        who="林小满",
        sources=[ReportSource("2026年来信.xlsx", "9f" * 32, 8292), ReportSource("更正.csv", "0a" * 32, 311)],
        settings=[Setting("SVM 的 C", "1.0", "宏平均 F1 0.925"), Setting("词的长度", "1–2", "宏平均 F1 0.921")],
        letters={label: 3 * found.letters for label, found in scores.categories.items()},
        names=names,
        findings=FileFindings(12, 241, 37, 5),
        scores=scores,
        promise=promise,
        terms={label: [("拖欠 工资", 2.461), ("包工头", 0.812), ("路灯", 0.5), ("没给", 0.185), ("小区", -0.115)] for label in labels},
        mistakes=[Mistake(f"2026-{i:06d}", names[labels[i % len(labels)]], names[labels[(i + 1) % len(labels)]], 0.3 + i % 60 / 100) for i in range(120)],
    )
    return dataclasses.replace(full, **changes)


def with_live(names, **changes):
    """The same, with a live model to compare with."""
    labels, shown = list(names), list(names.values())
    full = report_of(names)
    live = scores_of(labels, letters=full.scores.letters, accuracy=0.87, seed=2)
    flips = [
        Flip(
            f"2026-{i:06d}",
            shown[i % len(shown)],
            f"第{i % 4}局",
            shown[(i * i + 1) % len(shown)],
            f"第{i % 5}局",
            shown[(i * i + 1) % len(shown)] if i % 3 else shown[0],
        )
        for i in range(140)
    ]
    return dataclasses.replace(full, **{"live": live, "comparison": compared(full.scores, live), "flips": flips} | changes)


SEVEN = {name: name for name in ("城乡建设", "劳动和社会保障", "教育文体", "商贸旅游", "环境保护", "卫生计生", "交通运输")}
MANY = {f"label_{i:03d}": f"第{i}类事项" for i in range(300)}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """The page as a browser's parser sees it: tags with attributes, and the text outside scripts and styles."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.words, self.code = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.code if self.open and self.open[-1] in {"script", "style"} else self.words).append(data)

    @property
    def text(self):
        return "".join(self.words)


@pytest.fixture(scope="module")
def hostile():
    names = {"a": HOSTILE, "b": CLOSING, "c": "正常", "d": "{{ report.who }}"}
    return reports.html(with_live(names, who=HOSTILE, version=CLOSING, mistakes=[Mistake(HOSTILE, CLOSING, HOSTILE, 0.9)]))


@pytest.mark.parametrize("made", [report_of, with_live])
def test_every_tag_is_closed_where_it_should_be(made):
    page = Page(reports.html(made(SEVEN)))
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_loads_nothing():
    page = Page(reports.html(with_live(SEVEN)))
    loading = {"src", "srcset", "action", "data", "poster", "background", "style", "onload", "onerror"}
    assert not [tag for tag in page.tags if loading & set(tag[1])]
    assert not {"link", "img", "iframe", "object", "embed", "form", "base", "audio", "video"} & {tag for tag, _ in page.tags}
    assert all(attributes["href"].startswith("#") for tag, attributes in page.tags if tag == "a")
    assert "http" not in page.text
    assert not re.search(r"url\(|@import|@font-face", page.code[0])


def test_only_the_scripts_that_we_ship_may_run():
    page = Page(reports.html(with_live(SEVEN)))
    policy = next(attributes["content"] for _, attributes in page.tags if attributes.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    style, _, library, script = page.code
    for text in (style, library, script):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy


def test_the_chart_library_is_the_published_file_with_its_licences():
    """Apache ECharts 6.1.0, dist/echarts.min.js of the npm package."""
    assert hashlib.sha256((reports.STATIC / "echarts.min.js").read_bytes()).hexdigest() == "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"
    assert {"echarts-LICENSE", "echarts-NOTICE", "echarts-LICENSE-d3", "echarts-LICENSE-zrender"} <= {path.name for path in reports.STATIC.iterdir()}


def test_a_hostile_name_is_text_and_nothing_else(hostile):
    page = Page(hostile)
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert HOSTILE in page.text
    assert "{{7*7}}" in page.text
    assert "49" not in page.text[: page.text.index("主要指标")].replace("2026", "")
    assert not [tag for tag in page.tags if any(name.startswith("on") for name in tag[1])]


def test_names_in_the_charts_come_back_as_they_were(hostile):
    drawn = next(text for text in Page(hostile).code if text.startswith("{"))
    assert not set("<>&") & set(drawn)
    assert json.loads(drawn)["names"] == [HOSTILE, CLOSING.replace("\ud800", "?"), "正常", "{{ report.who }}"]


def test_the_page_can_always_be_encoded(hostile):
    assert hostile.encode()


def test_no_field_of_the_report_can_hold_a_letter():
    """Only names, ids, counts and figures; terms are the vocabulary's."""
    fields = {
        field.name
        for kind in (Report, ReportSource, Setting, Target, SendFrom, Promise, Mistake, FileFindings, Flip, Scores, Comparison, Difference, CategoryScores)
        for field in dataclasses.fields(kind)
    }
    assert not {"text", "body", "title", "content", "excerpt", "snippet", "words"} & fields


def test_chinese_has_chinese_punctuation():
    text = Page(reports.html(with_live(SEVEN)) + reports.html(report_of(SEVEN))).text
    assert not re.search(r"[一-鿿][,;:!?()]|[,;:!?()][一-鿿]", text)


def told(found, live, **changes):
    scores = dataclasses.replace(scores_of(list(SEVEN), letters=1000), accuracy=found, sent=0.7)
    before = dataclasses.replace(scores_of(list(SEVEN), letters=1000), accuracy=live, sent=0.6)
    versus = Comparison("v1", 1000, {"accuracy": difference(found, live)} | changes.pop("overall", {}), changes.pop("recall", {}), changes.pop("precision", {}))
    return sentences.three(report_of(SEVEN, scores=scores, live=before, comparison=versus, **changes))


@pytest.mark.parametrize(
    ("found", "live", "overall", "said"),
    [
        (
            0.92,
            0.90,
            {},
            "新模型比现用模型（v1）更好：在两者都没有学过的 1,000 封来信中，每 100 封新模型分对 92.0 封，现用模型 90.0 封，多对 2.0 封（误差范围 1.0 至 3.0 封）。",
        ),
        (
            0.88,
            0.90,
            {},
            "新模型比现用模型（v1）更差：在两者都没有学过的 1,000 封来信中，每 100 封新模型分对 88.0 封，现用模型 90.0 封，少对 2.0 封（误差范围 1.0 至 3.0 封）。",
        ),
        (
            0.903,
            0.90,
            {},
            "新模型与现用模型（v1）看不出差别：在两者都没有学过的 1,000 封来信中，每 100 封新模型分对 90.3 封，现用模型 90.0 封，相差在误差范围之内（−0.7 至 +1.3）。",
        ),
        (0.92, 0.90, {"macro_f1": difference(0.7, 0.8)}, "；但各类别平均起来更差。"),
        (0.90, 0.90, {"macro_f1": difference(0.8, 0.7)}, "；但各类别平均起来更好。"),
        (0.88, 0.90, {"macro_f1": difference(0.8, 0.8)}, "；但各类别平均起来看不出差别。"),
        (0.92, 0.90, {"macro_f1": difference(0.8, 0.7)}, "（误差范围 1.0 至 3.0 封）。"),
    ],
)
def test_the_first_sentence_says_whether_it_is_better(found, live, overall, said):
    assert told(found, live, overall=overall)[0].endswith(said)


UP, DOWN, LEVEL = difference(0.9, 0.8), difference(0.8, 0.9), difference(0.8, 0.8)


@pytest.mark.parametrize(
    ("recall", "precision", "said"),
    [
        ({"城乡建设": LEVEL, "教育文体": LEVEL}, {"城乡建设": LEVEL}, "共 2 个类别，没有哪个类别的变化超出误差范围。"),
        ({"城乡建设": UP, "教育文体": LEVEL}, {}, "变好的类别有 1 个：城乡建设；变差的没有；其余 1 个看不出差别。"),
        ({"城乡建设": DOWN}, {"城乡建设": LEVEL}, "变好的类别没有；变差的有 1 个：城乡建设。"),
        ({"城乡建设": UP}, {"城乡建设": DOWN}, "变好的类别没有；变差的没有；有得有失的有 1 个：城乡建设。"),
        (dict.fromkeys(SEVEN, UP), {}, "变好的类别有 7 个：城乡建设、劳动和社会保障、教育文体、商贸旅游、环境保护 等；变差的没有。"),
        ({"城乡建设": UP, "教育文体": difference(0.9, 0.5)}, {"交通运输": DOWN}, "变好的类别有 2 个：教育文体、城乡建设；变差的有 1 个：交通运输。"),
    ],
)
def test_the_second_sentence_names_what_got_better_and_worse(recall, precision, said):
    assert told(0.9, 0.9, recall=recall, precision=precision)[1] == said


def flip(department="甲局", category="环境保护", live_department="乙局"):
    return Flip("1", "城乡建设", live_department, category, department)


WORK = "留出的 1,000 封来信中，700 封（70.0%）有把握直接分办（现用模型 60.0%），300 封请人复核"


@pytest.mark.parametrize(
    ("flips", "said"),
    [
        ([], "；换上新模型，没有一封会改分到别处。"),
        ([flip(), flip()], "；换上新模型，2 封会改分到别的承办单位。"),
        ([flip(), flip("乙局")], "；换上新模型，1 封会改分到别的承办单位，另有 1 封只改类别、不改单位。"),
        ([flip("乙局")], "；换上新模型，没有一封会改分到别的承办单位，另有 1 封只改类别、不改单位。"),
        ([flip("", live_department="")], "；换上新模型，1 封会改分到别的类别。"),
    ],
)
def test_the_third_sentence_says_where_the_letters_go(flips, said):
    assert told(0.9, 0.9, flips=flips)[2] == WORK + said


def test_without_a_live_model_the_sentences_speak_of_the_new_one_alone():
    scores = dataclasses.replace(scores_of(list(SEVEN), letters=1000), accuracy=0.9, sent=0.7)
    first, second, third = sentences.three(report_of(SEVEN, scores=scores))
    assert first == "没有现用模型可以比较：在没有学过的 1,000 封来信中，每 100 封新模型分对 90.0 封（误差范围 88.0 至 91.7 封）。"
    assert re.fullmatch(r"分得最好的类别是 \S+、\S+、\S+，最差的是 \S+、\S+、\S+（只看留出的来信满 20 封的 \d 个类别）。", second)
    assert third == "留出的 1,000 封来信中，700 封（70.0%）有把握直接分办，300 封请人复核。"


def test_two_models_that_never_answered_the_same_letters_are_not_compared():
    full = with_live(SEVEN, comparison=None, flips=())
    assert sentences.three(full)[0].startswith("新模型与现用模型没有答过同样的来信，不能逐封比较：")
    assert "没有逐封比较" in Page(reports.html(full)).text


def test_few_or_no_letters_are_no_praise():
    assert "不到两个" in sentences.three(report_of(SEVEN, scores=scores_of(list(SEVEN), letters=20)))[1]
    none = dataclasses.replace(
        scores_of(["a"], letters=20), letters=0, accuracy=math.nan, macro_f1=math.nan, sent=math.nan, sent_precision=None, reliability=[], precision_by_share=[]
    )
    none = dataclasses.replace(none, categories={"a": CategoryScores(0, 0, None, None, 0.0)}, confusion=[[0]])
    full = report_of({"a": "甲"}, scores=none, mistakes=(), promise=Promise([], {}, 0.95, math.nan, math.nan))
    assert sentences.three(full)[0] == "没有留出的来信，看不出这个模型好不好。"
    assert "nan" not in Page(reports.html(full)).text.lower()


@pytest.mark.parametrize(("right", "of", "low", "high"), [(0, 10, 0.0, 0.2775), (9, 10, 0.5958, 0.9821), (10, 10, 0.7225, 1.0), (450, 500, 0.8706, 0.9234)])
def test_intervals_are_wilsons(right, of, low, high):
    assert rows.interval(right, of) == pytest.approx((low, high), abs=1e-4)


def test_an_interval_of_no_letters_is_none():
    assert rows.interval(0, 0) is None


def test_every_chart_has_its_numbers_in_a_table():
    full = with_live(SEVEN)
    page = Page(reports.html(full))
    assert [tag for tag, _ in page.tags].count("table") >= 9
    for row in rows.categories(full):
        assert rows.percent(row.found.recall) in page.text
        assert rows.percent(row.live.recall) in page.text
    for _, right, letters in full.scores.reliability:
        assert rows.percent(right) in page.text
        assert rows.count(letters) in page.text
    for confusion in rows.confusions(full)[: rows.CONFUSIONS]:
        assert re.search(rf"{confusion.right}\s*{confusion.said}\s*{confusion.letters}", page.text)


def answers_of(labels, letters=400, sureness=4.0, seed=0):
    chance = np.random.default_rng(seed)
    truth = np.random.default_rng(9).integers(len(labels), size=letters)
    margins = chance.normal(size=(letters, len(labels)))
    margins[np.arange(letters), truth] += sureness
    odds = np.exp(margins)
    return Answers(labels, tuple(f"2026-{i:04d}" for i in range(letters)), truth, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32))


def test_what_the_evaluation_measures_is_what_the_page_tells(taxonomy):
    labels = tuple(taxonomy.categories)[:8]
    head = Head("category", labels, 0, Curve(), 0.05, (0.6,) * 8)
    candidate, live = answers_of(labels, sureness=4.0, seed=1), answers_of(labels, sureness=2.0, seed=2)
    compared = evaluate.compare((candidate, head), (live, head), "v1")
    full = report_of(
        {code: category.name for code, category in taxonomy.categories.items()},
        scores=evaluate.scores(candidate, head),
        live=evaluate.scores(live, head),
        comparison=compared,
        flips=evaluate.flips(candidate, live, taxonomy),
    )
    text = Page(reports.html(full)).text
    assert sentences.three(full)[0].startswith("新模型比现用模型（v1）更好：在两者都没有学过的 400 封来信中")
    assert f"{len(full.flips)} 封会改分到别的承办单位" in text
    assert rows.signed(compared.overall["sent_precision"].difference) in text
    assert [row.name for row in rows.figures(full) if not row.verdict] == ["平均候选个数"]


def test_confusions_are_counted_from_the_matrix():
    scores = Scores(10, 0.7, 0.7, 0.0, 1.0, 1.0, 1.0, 0.7, ("a", "b"), {"a": _category(4, 6, 5), "b": _category(3, 4, 5)}, [[4, 2], [1, 3]], [], [])
    found = rows.confusions(report_of({"a": "甲", "b": "乙"}, scores=scores))
    assert [(row.right, row.said, row.letters, row.share) for row in found] == [("a", "b", 2, 2 / 6), ("b", "a", 1, 1 / 4)]


def test_categories_keep_the_order_of_the_names_and_one_without_a_name_shows_its_code():
    names = dict(list(SEVEN.items())[::-1][:5])
    full = dataclasses.replace(report_of(SEVEN), names=names)
    assert rows.order(full)[:5] == list(names)
    assert set(rows.order(full)) == set(SEVEN)
    assert rows.charts(full)["names"][5] in SEVEN


def test_moves_say_how_many_become_right_and_how_many_stop_being_right():
    flips = [Flip(str(i), "甲", "", "乙", "", truth) for i, truth in enumerate(["乙", "乙", "甲", "丙", ""])]
    move, other = rows.moves([Flip("9", "丁", "", "乙", ""), *flips])
    assert (move.live_category, len(move.ids), move.mended, move.broken) == ("甲", 5, 2, 1)
    assert other.live_category == "丁"


def test_the_surest_mistakes_come_first_and_what_is_left_off_is_said():
    many = [Mistake(f"{i:05d}", "甲", "乙", i / 1000) for i in range(rows.LISTED + 7)]
    text = Page(reports.html(report_of(SEVEN, mistakes=many))).text
    assert text.index("00506") < text.index("00505")
    assert "分错 507 封" in text
    assert "列出前 500 封" in text


def test_three_hundred_categories_are_ready_in_two_seconds():
    full = with_live(MANY)
    start = time.process_time()
    page = reports.html(full)
    assert time.process_time() - start < 2
    assert len(page) < 2_000_000


def test_the_file_is_the_page(tmp_path):
    full = with_live(SEVEN)
    reports.write(full, tmp_path / "报告.html")
    assert (tmp_path / "报告.html").read_bytes().decode() == reports.html(full)
    assert [path.name for path in tmp_path.iterdir()] == ["报告.html"]


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_says_why(tmp_path):
    """A folder in the file's place stops the last step, the rename."""
    (tmp_path / "report.html" / "kept").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"report\.html: cannot be written"):
        reports.write(report_of(SEVEN), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(StorageError, match="Choose another place"):
        reports.write(report_of(SEVEN), tmp_path / "nowhere" / "report.html")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to look at the page with")
@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_a_browser_draws_every_chart_and_has_nothing_to_complain_about(which, hostile, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(hostile if which == "hostile" else reports.html(with_live(SEVEN)), "utf-8", newline="\n")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=3000",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    seen = subprocess.run([CHROMIUM, *options, "--dump-dom", path.as_uri()], capture_output=True, check=True, timeout=60)
    dom = seen.stdout.decode()
    assert "CONSOLE" not in seen.stderr.decode("utf-8", "replace")
    assert "<title>taken" not in dom
    for chart in ("matrix", "reliability", "shares", "recall", "precision"):
        assert re.search(rf'<div class="chart" id="{chart}"[^>]*>\s*<div[^>]*><svg', dom), chart
