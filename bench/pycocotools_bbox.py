"""pycocotools on the data of bench_detection_boxes: seconds and the first of the twelve numbers.

  MOECNN_BENCH_COCO=DIR build/release/bench/bench_detection_boxes
  python bench/pycocotools_bbox.py DIR

Timed are evaluate(), accumulate() and summarize(), not the reading of files.
"""

import contextlib
import io
import sys
import time

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def main():
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(f"{sys.argv[1]}/truth.json")
        run = COCOeval(truth, truth.loadRes(f"{sys.argv[1]}/results.json"), "bbox")
        begin = time.perf_counter(), time.process_time()
        run.evaluate()
        run.accumulate()
        run.summarize()
        seconds, processor = time.perf_counter() - begin[0], time.process_time() - begin[1]
    print(f"pycocotools: {seconds:.2f} s ({processor:.2f} s of processor time), AP {float(run.stats[0])!r}")


if __name__ == "__main__":
    main()
