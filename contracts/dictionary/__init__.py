"""The data dictionary: the standard as pages that people browse, in Khmer and English.

It refuses to fetch or run anything from elsewhere: a folder of files that works from a disk, without a server, and
without JavaScript apart from the search. ``spean contract docs`` writes it.
"""
