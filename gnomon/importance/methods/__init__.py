"""The tests. One file is one test; the file name is its name in `--test`.

Each file defines `test`, a subclass of `gnomon.importance._test.ImportanceTest`. Belongs here: tests. Does not belong
here: selection rules (`_select.py`), samplers (`samplers/`), scores without an error rate (`baselines/`).
"""
