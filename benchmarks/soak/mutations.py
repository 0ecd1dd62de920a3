"""Read broken files in processes of their own: only answers or one-line refusals. Run by ``make soak``."""

from __future__ import annotations

import itertools
import multiprocessing
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator

from cxr_core.errors import InputRefused
from cxr_core.imaging import read_radiograph
from tests.mutations import mutated, opened

COUNT, SEED, BATCH = 20_000, 20261124, 500
MOST_SECONDS, MOST_MB = 5.0, 1500


def main(count: int = COUNT) -> int:
    """Print what came of them; status 1 where anything but an answer or a refusal did."""
    total: Counter[str] = Counter()
    bad: list[str] = []
    slowest, slow_file, peak = 0.0, "", 0.0
    for batch in range(count // BATCH):
        for answer in _watched(SEED + batch):
            total[answer["outcome"]] += 1
            if answer["outcome"] not in ("read", "refused"):
                bad.append(f"batch {batch}: {answer['what']}: {answer['outcome']}")
            if answer["seconds"] > slowest:
                slowest, slow_file = answer["seconds"], answer["what"]
            peak = max(peak, answer["peak_mb"])
    print(
        f"{sum(total.values()):,} broken files, seed {SEED}: {total['read']:,} read, "
        f"{total['refused']:,} refused in one line, {len(bad)} otherwise"
    )
    print(f"slowest {slowest:.2f} s (at most {MOST_SECONDS:g}): {slow_file}")
    print(f"peak memory {peak:.0f} MB (at most {MOST_MB})")
    for line in bad[:20]:
        print(line)
    return int(bool(bad) or slowest > MOST_SECONDS or peak > MOST_MB)


def _watched(seed: int) -> Iterator[dict]:
    """Yield what came of each file of a batch, read in a process of its own.

    A file that takes longer than it may, or takes the process with it, is an outcome, and the next file is
    read in a new process.
    """
    context = multiprocessing.get_context("spawn")
    done = 0
    while done < BATCH:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_read, args=(theirs, seed, done))
        process.start()
        theirs.close()
        ours.recv()  # its libraries are loaded
        while done < BATCH:
            # twice the limit: what is slower than the limit and ends is told with its time
            failure = None if ours.poll(2 * MOST_SECONDS) else "hangs"
            try:
                answer = None if failure else ours.recv()
            except EOFError:
                failure = "took the process with it"
            done += 1
            if failure:
                yield {"what": f"file {done - 1}", "outcome": failure, "seconds": 0.0, "peak_mb": 0.0}
                break
            yield answer
        process.kill()
        process.join()
        ours.close()


def _read(pipe, seed: int, skip: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    for what, data in itertools.islice(mutated(BATCH, seed), skip, None):
        start = time.perf_counter()
        try:
            for content in opened(data):
                read_radiograph(content).quality  # noqa: B018 - the gate looks when it is asked
            outcome = "read"
        except InputRefused as refusal:
            outcome = "more than one line" if "\n" in str(refusal) else "refused"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send({"what": what, "outcome": outcome, "seconds": seconds, "peak_mb": peak})


if __name__ == "__main__":
    sys.exit(main())
