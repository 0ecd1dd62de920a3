import json
import subprocess
import sys

CODE = """
from threadpoolctl import threadpool_info
import numpy
from cxr_core.{module} import {name}
{call}
print([pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"])
"""


def threads(module: str, name: str, call: str) -> list[int]:
    code = CODE.format(module=module, name=name, call=call)
    # two where there is but one core as well
    environment = {"OPENBLAS_NUM_THREADS": "2", "SECOND_READ_ENGINE": "openvino", "PATH": ""}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return json.loads(answer.stdout)


def test_products_run_on_one_thread_once_an_engine_is_there():
    assert set(threads("model", "shared_predictor", "")) == {2}
    assert set(threads("model", "shared_predictor", "shared_predictor()")) == {1}
