"""Read broken files in processes of their own: only answers or one-line refusals. Run by ``make soak``."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections import Counter

from cxr_core.errors import InputRefused
from cxr_core.imaging import read_radiograph
from tests.mutations import mutated, opened

COUNT, SEED, BATCH = 20_000, 20261124, 500
MOST_SECONDS, MOST_MB = 5.0, 1500


def main(count: int = COUNT) -> int:
    """Print what came of them; status 1 where anything but an answer or a refusal did."""
    context = multiprocessing.get_context("spawn")
    total: Counter[str] = Counter()
    slowest, peak, bad = 0.0, 0.0, []
    for batch in range(count // BATCH):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_read, args=(theirs, SEED + batch))
        process.start()
        theirs.close()
        # a batch of 500 takes seconds; a hang is found, whichever file it is
        if not ours.poll(BATCH * MOST_SECONDS):
            bad.append(f"batch {batch}: hangs")
            process.kill()
            continue
        try:
            outcome = ours.recv()
        except EOFError:
            bad.append(f"batch {batch}: the process died")
            continue
        process.join()
        total.update(outcome["kinds"])
        slowest, peak = max(slowest, outcome["slowest"]), max(peak, outcome["peak_mb"])
        bad += outcome["bad"]
    read, refused = total["read"], total["refused"]
    print(
        f"{read + refused} broken files, seed {SEED}: {read} read, {refused} refused in one line, {len(bad)} otherwise"
    )
    print(f"slowest {slowest:.2f} s (at most {MOST_SECONDS:g}), peak memory {peak:.0f} MB (at most {MOST_MB})")
    for line in bad[:20]:
        print(line)
    return int(bool(bad) or slowest > MOST_SECONDS or peak > MOST_MB)


def _read(pipe, seed: int) -> None:
    kinds: Counter[str] = Counter()
    bad, slowest = [], 0.0
    for what, data in mutated(BATCH, seed):
        start = time.perf_counter()
        try:
            for content in opened(data):
                read_radiograph(content)
            kinds["read"] += 1
        except InputRefused as refusal:
            kinds["refused"] += 1
            if "\n" in str(refusal):
                bad.append(f"{what}: more than one line")
        except Exception as error:
            bad.append(f"{what}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send({"kinds": kinds, "bad": bad, "slowest": slowest, "peak_mb": peak})


if __name__ == "__main__":
    sys.exit(main())
