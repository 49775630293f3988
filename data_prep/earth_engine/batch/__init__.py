"""Batch exports of whole cells: tasks, ledger, files to answers."""
