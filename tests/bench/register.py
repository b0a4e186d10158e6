"""How many letters a second the register takes: one a transaction and a hundred, plain and sealed, beside a bare commit of one row.

``python tests/bench/register.py [ROUNDS]``. The rounds go through all cases in turn, so that a noisy machine is noisy for each of them.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

import databases
from registers import KEY, TEXT, entry
from sqlalchemy import text

from triage.register import book, entries

LETTERS = 200


def registers(stack):
    """Engine and sealing by name, each with a register of its own."""
    server = stack.enter_context(databases.server(fsync=True)) if databases.binaries() else None
    for name, database in (("sqlite", ""), ("postgresql", "server")):
        for sealed, keys in (("plain", ""), ("sealed", KEY)):
            if database and server is None:
                continue
            home, place = Path(stack.enter_context(tempfile.TemporaryDirectory())), server.create() if database else ""
            book.upgrade(home, place)
            register = book.open_register(home, place, keys)
            stack.callback(register.close)
            yield f"{name} {sealed}", register


def bare(register, _):
    for _ in range(LETTERS):
        with register.writing() as connection:
            connection.execute(text("INSERT INTO retention (days, who, at) VALUES (1, '', '')"))


def single(register, mark):
    for number in range(LETTERS):
        entries.enter(register, [entry(f"{TEXT * 20}{mark}", f"{mark}-{number}", sender=f"{number}")], "bench")


def hundreds(register, mark):
    for start in range(0, LETTERS, 100):
        entries.enter(register, [entry(f"{TEXT * 20}{mark}", f"{mark}-h{number}", sender=f"{number}") for number in range(start, start + 100)], "bench")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with ExitStack() as stack:
        opened = dict(registers(stack))
        rates = {}
        for turn in range(rounds):
            for name, register in opened.items():
                for case in (bare, single, hundreds):
                    started = time.perf_counter()
                    case(register, turn)
                    rates.setdefault((name, case.__name__), []).append(LETTERS / (time.perf_counter() - started))
    for (name, case), found in rates.items():
        ratio = median(one / other for one, other in zip(found, rates[name, "bare"], strict=True))
        print(f"{name:18} {case:9} {median(found):8,.0f} a second  {ratio:5.2f} of a bare commit  ({min(found):,.0f} to {max(found):,.0f})")


if __name__ == "__main__":
    main()
