"""The letter register 登记簿: letters, decisions, corrections, returns and the audit trail, on SQLite or PostgreSQL.

``book.open_register`` opens it; ``entries``, ``verdicts``, ``listing``, ``retention``, ``figures``, ``labels`` and ``backup`` work on it.
"""
