"""Readers of the files that tasks of the paper need: each returns a ``Dataset`` or one sentence.

``catalogue.py`` knows which task needs which file; the other files know one format each.
"""
