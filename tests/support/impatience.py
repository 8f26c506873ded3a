"""Make the Hub's client wait a hundredth of its time before it tries again: it tries as often, and as it does.

A file of its own, since whoever imports the client has it read the environment.
"""

from __future__ import annotations

import runpy
import sys
import time
from types import SimpleNamespace

from huggingface_hub import file_download
from huggingface_hub.utils import _http

impatient = SimpleNamespace(**vars(time) | {"sleep": lambda seconds: time.sleep(seconds / 100)})
for module in (_http, file_download):
    assert vars(module)["time"] is time
    vars(module)["time"] = impatient

if __name__ == "__main__":  # runs the module that the arguments name, as python -m does
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
