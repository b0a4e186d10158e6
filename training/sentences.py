"""A training run in three sentences that need no knowledge of statistics: is it better, where, and what happens to the letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.rows import BETTER, WORSE, interval, spread, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.evaluate import Comparison, Difference, Scores
    from training.report import Report

ENOUGH = 20  # held-out letters of a category: with fewer its figures are not worth naming it
NAMED = 5  # categories in one sentence
NAME = 16  # characters of a name in a sentence


def three(report: Report) -> tuple[str, str, str]:
    """Is the candidate better, which categories, and how many letters go on, to a person, elsewhere."""
    if not report.scores.letters:
        return ("没有留出的来信，看不出这个模型好不好。", "因此也看不出哪些类别分得好。", "上线之前，请先用另一份标注来信检验它。")
    if report.comparison is None:
        return _alone(report), _best_and_worst(report), _work(report)
    return _against(report.comparison), _moved(report, report.comparison), _work(report)


def _against(comparison: Comparison) -> str:
    found = comparison.overall["accuracy"]
    start = {BETTER: f"新模型比现用模型（{comparison.live}）更好", WORSE: f"新模型比现用模型（{comparison.live}）更差"}
    said = start.get(verdict(found), f"新模型与现用模型（{comparison.live}）看不出差别")
    where = f"在两者都没有学过的 {comparison.letters:,} 封来信中，每 100 封新模型分对 {_hundred(found.candidate)} 封，现用模型 {_hundred(found.live)} 封"
    return f"{said}：{where}，{_gap(found)}{_on_average(comparison)}。"


def _gap(found: Difference) -> str:
    if verdict(found) == BETTER:
        return f"多对 {_hundred(found.difference)} 封（误差范围 {_hundred(found.low)} 至 {_hundred(found.high)} 封）"
    if verdict(found) == WORSE:
        return f"少对 {_hundred(-found.difference)} 封（误差范围 {_hundred(-found.high)} 至 {_hundred(-found.low)} 封）"
    return f"相差在误差范围之内（{spread(found)}）"


def _on_average(comparison: Comparison) -> str:
    """The mean over categories, where it says something else than the letters do."""
    mean = comparison.overall.get("macro_f1")
    if mean is None or verdict(mean) == verdict(comparison.overall["accuracy"]):
        return ""
    return {BETTER: "；但各类别平均起来更好", WORSE: "；但各类别平均起来更差"}.get(verdict(mean), "；但各类别平均起来看不出差别")


def _alone(report: Report) -> str:
    scores = report.scores
    found = interval(round(scores.accuracy * scores.letters), scores.letters)
    why = "没有现用模型可以比较" if report.live is None else "新模型与现用模型没有答过同样的来信，不能逐封比较"
    around = f"（误差范围 {_hundred(found[0])} 至 {_hundred(found[1])} 封）" if found else ""
    return f"{why}：在没有学过的 {scores.letters:,} 封来信中，每 100 封新模型分对 {_hundred(scores.accuracy)} 封{around}。"


def _moved(report: Report, comparison: Comparison) -> str:
    better, mixed, worse, same = _sorted(comparison)
    if not (better or mixed or worse):
        return f"共 {len(same)} 个类别，没有哪个类别的变化超出误差范围。"
    parts = [f"变好的类别{_listed(report, better)}", f"变差的{_listed(report, worse)}"]
    parts += [f"有得有失的{_listed(report, mixed)}"] if mixed else []
    rest = f"；其余 {len(same)} 个看不出差别" if same else ""
    return "；".join(parts) + f"{rest}。"


def _sorted(comparison: Comparison) -> tuple[list[str], list[str], list[str], list[str]]:
    """Labels that got better, better in one way and worse in the other, worse, and neither; those that moved most come first."""
    better: list[str] = []
    mixed: list[str] = []
    worse: list[str] = []
    same: list[str] = []
    both = (comparison.recall, comparison.precision)
    labels = dict.fromkeys([*comparison.recall, *comparison.precision])
    for label in sorted(labels, key=lambda label: -max(abs(side[label].difference) for side in both if label in side)):
        said = {verdict(side[label]) for side in both if label in side}
        {(True, False): better, (True, True): mixed, (False, True): worse, (False, False): same}[BETTER in said, WORSE in said].append(label)
    return better, mixed, worse, same


def _listed(report: Report, labels: Sequence[str]) -> str:
    if not labels:
        return "没有"
    names = "、".join(_short(report.names.get(label, label)) for label in labels[:NAMED])
    return f"有 {len(labels)} 个：{names}" + (" 等" if len(labels) > NAMED else "")


def _best_and_worst(report: Report) -> str:
    enough = sorted((label for label, found in report.scores.categories.items() if found.letters >= ENOUGH), key=lambda label: -_f1(report.scores, label))
    if len(enough) < 2:
        return f"留出的来信满 {ENOUGH} 封的类别不到两个，还看不出哪些类别分得好。"
    some = min(3, len(enough) // 2)
    best, worst = ("、".join(_short(report.names.get(label, label)) for label in part) for part in (enough[:some], enough[: -some - 1 : -1]))
    return f"分得最好的类别是 {best}，最差的是 {worst}（只看留出的来信满 {ENOUGH} 封的 {len(enough)} 个类别）。"


def _f1(scores: Scores, label: str) -> float:
    return scores.categories[label].f1


def _work(report: Report) -> str:
    scores, live = report.scores, report.live
    sent = round(scores.sent * scores.letters)
    before = f"（现用模型 {live.sent:.1%}）" if live else ""
    alone = f"留出的 {scores.letters:,} 封来信中，{sent:,} 封（{scores.sent:.1%}）有把握直接分办{before}，{scores.letters - sent:,} 封请人复核"
    return f"{alone}{_flipped(report)}。"


def _flipped(report: Report) -> str:
    if report.comparison is None:
        return ""
    known = any(flip.department or flip.live_department for flip in report.flips)
    moved = sum(flip.department != flip.live_department for flip in report.flips)
    if not report.flips:
        return "；换上新模型，没有一封会改分到别处"
    if not known:
        return f"；换上新模型，{len(report.flips):,} 封会改分到别的类别"
    within = f"，另有 {len(report.flips) - moved:,} 封只改类别、不改单位" if len(report.flips) > moved else ""
    return f"；换上新模型，{moved:,} 封会改分到别的承办单位{within}" if moved else f"；换上新模型，没有一封会改分到别的承办单位{within}"


def _hundred(share: float) -> str:
    return f"{share * 100:.1f}"


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"
