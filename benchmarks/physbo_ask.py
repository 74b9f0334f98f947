"""One search of PHYSBO over a pool, for pool_speed.py: reads X and y from an .npz, prints seconds as JSON.

Runs in a Python that has PHYSBO and needs nothing of this project. The first len(y) rows of X are measured.
The Gaussian process is exact (no random features), the score is expected improvement, the rest PHYSBO's own.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import physbo


def main() -> None:
    data = np.load(sys.argv[1])
    known = np.arange(len(data["y"]))
    began = time.process_time()
    policy = physbo.search.discrete.Policy(test_X=data["X"], initial_data=(known, data["y"]))
    policy.set_seed(0)
    chosen = policy.bayes_search(
        max_num_probes=1, simulator=None, score="EI", interval=0, num_rand_basis=0, is_disp=False
    )
    print(json.dumps({"seconds": time.process_time() - began, "row": int(chosen[0])}))


if __name__ == "__main__":
    main()
