"""Every operation of the HTTP service, a thousand times as its description allows and a thousand times against it; hostile texts; bodies that are none.

``python tests/bench/fuzz.py HOME [EXAMPLES]`` with the folder of an office that has a model (``triage init``), which is read and not written.
Fails at the first answer that the description does not allow, at any fault of the service, and at a hostile text that is not decided.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import fuzzing
from doors import door, key

from triage import taxonomy
from triage.desk import open_desk
from triage.tokens import Segmenter


def main(office, examples=1_000):
    desk = open_desk(Path(office), taxonomy.load(Path(office)), Segmenter())
    with tempfile.TemporaryDirectory() as folder:
        headers = key(Path(folder), "局办公室", "steward")
        with door(desk, Path(folder)) as client:
            fuzzing.unlimited(client.app)
            letter = client.post("/v1/letters", json={"text": "小区停水三天了"}, headers=headers).json()["id"]
            for operation in fuzzing.operations(client.app):
                tell(operation.label, fuzzing.call(operation, headers, letter, int(examples)))
            for path in ("/v1/classify", "/v1/letters"):
                seen, slowest = fuzzing.texts(client, path, headers, int(examples))
                tell(f"hostile texts to {path}", seen, f"slowest {slowest * 1_000:.0f} ms")
                tell(f"bodies to {path}", fuzzing.bodies(client, path, headers, int(examples)))


def tell(what, seen, more=""):
    print(f"{what}: {seen.total()} calls,", ", ".join(f"{count} x {status}" for status, count in sorted(seen.items())), more, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
