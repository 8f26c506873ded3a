"""Run the code of a model card, the first argument, for one photo after the other, as ``photo.jpg`` where it runs.

It prints a list of what the code printed for each photo, as JSON.
"""

import contextlib
import io
import json
import shutil
import sys

if __name__ == "__main__":
    code, *photos = sys.argv[1:]
    printed = []
    for photo in photos:
        shutil.copy(photo, "photo.jpg")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(code, "card", "exec"), {"__name__": "__main__"})
        printed.append(output.getvalue())
    json.dump(printed, sys.stdout)
