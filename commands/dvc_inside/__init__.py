"""The inside of DVC: all that is used of it here beside its command line and its files, and the only place for it.

DVC promises none of it to anyone, so a newer DVC may change it; ``tests/test_dvc_inside.py`` then names what it changed
and what we use that for. What DVC complains of leaves here as a :class:`~commands.dvc_inside.errors.DvcError`.
"""
