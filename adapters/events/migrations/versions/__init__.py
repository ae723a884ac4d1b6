"""One module a change of the tables; a released one is never edited.

They refuse to import the tables' modules, which move on while history stays.
Alembic runs them in the order of their `down_revision`.
"""
