"""What an archive costs: `triage archive` beside the script that everyone writes, and beside segmenting alone, in one run.

    python tests/bench/archive.py LETTERS.csv[.gz] [--part speed|kills|memory|pieces] [--letters 20000] [--script 2000] [--kills 30] [--home FOLDER]

LETTERS (columns id, title, body; also from TRIAGE_REAL_LETTERS) are repeated up to the number asked for. Ratios count; the machine is noisy.
``speed`` compares, ``kills`` kills the command at random moments and compares the outputs, ``memory`` watches all processes of one run,
``pieces`` says where the time of one process goes.
The script gets fewer letters, because it is slow; its letters per second are those of predicting alone, its training is not counted.
Beside each rate stands the CPU time of a letter, which other work on the machine moves less.
"""

import argparse
import csv
import gzip
import json
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import watch

from training.labelled import starter_letters
from triage import taxonomy as taxonomies
from triage.archive import chunks, deciding, outputs, parts, plan, sources
from triage.archive.flat import flat, headers
from triage.columns import letter_columns
from triage.letter import Letter
from triage.tables import read_table
from triage.tokens import Segmenter

COMMAND = [sys.executable, "-c", "from api.cli import main; main()", "archive"]
BUSY = "import time\nbegan, turns = time.perf_counter(), 0\nwhile time.perf_counter() - began < 5: turns += sum(range(1000)) > 0\nprint(turns)"


def repeated(path, count, target):
    """Write ``count`` letters with ids of their own."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        letters = [(row["title"], row["body"]) for row in csv.DictReader(file)]
    with target.open("w", encoding="utf-8", newline="") as file:
        rows = ((f"{number:09}", *letter) for number, letter in enumerate(islice(cycle(letters), count)))
        csv.writer(file).writerows([("编号", "标题", "内容"), *rows])
    return [Letter(body, title=title) for title, body in islice(cycle(letters), count)]


def script(letters):
    """pandas, `jieba.lcut`, scikit-learn: letters per second, and milliseconds of CPU a letter."""
    import jieba
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    jieba.setLogLevel(logging.WARNING)
    labelled = starter_letters(taxonomies.shipped())
    model = make_pipeline(TfidfVectorizer(tokenizer=jieba.lcut, token_pattern=None), LinearSVC())
    model.fit([item.letter.text for item in labelled], [item.category for item in labelled])
    frame = pd.DataFrame({"内容": [letter.text for letter in letters]})
    began, cpu = time.perf_counter(), time.process_time()
    frame["类别"] = model.predict(frame["内容"])
    return len(letters) / (time.perf_counter() - began), (time.process_time() - cpu) / len(letters) * 1_000


def segmenting(letters):
    """The same tokenizer alone, on one core: letters per second, and milliseconds of CPU a letter."""
    segmenter = Segmenter()
    began, cpu = time.perf_counter(), time.process_time()
    for letter in letters:
        segmenter.tokens(letter.text)
    return len(letters) / (time.perf_counter() - began), (time.process_time() - cpu) / len(letters) * 1_000


def busy(loops):
    """Turns of busy loops that run side by side."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) for _ in range(loops)]
    return sum(int(process.communicate()[0]) for process in running)


def archive(source, target, jobs, home):
    """(letters per second, milliseconds of CPU a letter, GiB of all processes); the start of the command counts."""
    target.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output, seconds, memory = watch.run([*COMMAND, str(source), "-o", str(target), "-j", str(jobs), "--json"], TRIAGE_HOME=str(home))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    letters = sum(json.loads(output)[name] for name in ("letters", "refused"))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return letters / seconds, cpu / letters * 1_000, memory


def killed(source, target, home, kills):
    """Kill the command at random moments and give it again, until it was killed so often: what it had in place when it was whole, and how often that was."""
    chance, done, outputs = random.Random(1), 0, []
    environment = os.environ | {"TRIAGE_HOME": str(home)}
    line = [*COMMAND, str(source), "-o", str(target), "-j", "2"]
    while done < kills or not outputs:
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
            if done < kills:
                time.sleep(chance.uniform(0.5, 6))
                done += process.poll() is None
                process.send_signal(signal.SIGKILL)
        if target.exists() and not target.with_name(f".{target.name}.job").exists():
            outputs.append(target.read_bytes())
            target.unlink()
    return done, outputs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters_file", nargs="?", type=Path, default=os.environ.get("TRIAGE_REAL_LETTERS"), metavar="LETTERS")
    parser.add_argument("--part", choices=("speed", "kills", "memory", "pieces"), default="speed")
    parser.add_argument("--letters", type=int, default=20_000)
    parser.add_argument("--script", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "in.csv")
        letters = repeated(Path(options.letters_file), options.letters, source)
        print(f"{len(letters):,} letters of {sum(len(letter.text) for letter in letters) / len(letters):.0f} characters, {os.cpu_count()} cores", flush=True)
        {"speed": speed, "kills": survival, "memory": memory, "pieces": pieces}[options.part](source, letters, options)


def memory(source, _, options):
    rate, cpu, most = archive(source, source.with_name("out.csv"), 2, options.home)
    print(f"2 workers: {rate:,.0f} letters/s, {cpu:.2f} ms of CPU, {most:.2f} GiB of all processes")


def pieces(source, letters, options):
    """Microseconds of CPU a letter, the best of three, each piece alone and in one process."""
    office = deciding.Office(options.home, plan.live(options.home))
    desk, header = deciding.desk(office), read_table(source, lenient=True)
    where = chunks.layout(header.columns, letter_columns(header), header.columns)
    rows = best("read and cut", len(letters), lambda: [row for piece, _ in chunks.cut(read_table(source, lenient=True).rows) for row in piece])
    decided = best(
        "decide, 32 at a time", len(letters), lambda: [one for start in range(0, len(letters), 32) for one in desk.decide(letters[start : start + 32])]
    )
    cells = best("make cells", len(letters), lambda: [[*deciding._placed(row[1], where), *flat(one)] for row, one in zip(rows, decided, strict=True)])
    best("hash the input", len(letters), lambda: sources.fingerprint(sources.Source("in.csv", (source,))))
    for form in (parts.CSV, parts.PARQUET):
        task = parts.Task(source.parent, office, form, (), deciding.decide_rows)
        best(f"write parts for {form}", len(letters), lambda task=task: parts.write_part(task, 0, deciding.Decided(cells, {"letters": len(cells)})))
        best(f"put together {form}", len(letters), lambda form=form: outputs.assemble(source.parent, source.with_name("out"), names(header), form))
        print(f"  {source.with_name('out').stat().st_size / len(letters):,.0f} bytes a letter, of {source.stat().st_size / len(letters):,.0f} in the input")


def names(header):
    return [*header.columns, *headers(header.columns, language="zh", sources=False)]


def best(name, letters, work):
    took = []
    for _ in range(3):
        began = time.process_time()
        result = work()
        took.append(time.process_time() - began)
    print(f"{name}: {min(took) / letters * 1e6:.1f}", flush=True)
    return result


def survival(source, _, options):
    archive(source, source.with_name("whole.csv"), 2, options.home)
    kills, outputs = killed(source, source.with_name("killed.csv"), options.home, options.kills)
    same = all(output == source.with_name("whole.csv").read_bytes() for output in outputs)
    print(f"killed {kills} times, whole {len(outputs)} times: the output is {'the same to the byte' if same else 'NOT THE SAME'}")


def speed(source, letters, options):
    folder = source.parent
    loops = busy(1), busy(2)
    one, cpu_one, memory_one = archive(source, folder / "one.csv", 1, options.home)
    two, cpu_two, memory_two = archive(source, folder / "two.csv", 2, options.home)
    (theirs, cpu_theirs), (alone, cpu_alone) = script(letters[: options.script]), segmenting(letters[: 5 * options.script])
    print(f"archive, 1 worker: {one:,.0f} letters/s, {cpu_one:.2f} ms of CPU, {memory_one:.2f} GiB")
    print(f"archive, 2 workers: {two:,.0f} letters/s, {cpu_two:.2f} ms of CPU, {memory_two:.2f} GiB")
    print(f"2 workers are {two / one:.2f} times 1; two busy loops are {loops[1] / loops[0]:.2f} times one")
    print(f"the script everyone writes: {theirs:,.0f} letters/s, {cpu_theirs:.2f} ms of CPU: {cpu_theirs / cpu_one:.1f} times that of the archive")
    print(f"segmenting alone: {alone:,.0f} letters/s, {cpu_alone:.2f} ms of CPU; the archive takes {cpu_one / cpu_alone:.1f} times as much")
    archive(source, folder / "in.xlsx", 2, options.home)
    rate, cpu, memory = archive(folder / "in.xlsx", folder / "out.parquet", 2, options.home)
    print(f"XLSX to Parquet, 2 workers: {rate:,.0f} letters/s, {cpu:.2f} ms of CPU, {memory:.2f} GiB")


if __name__ == "__main__":
    main()
