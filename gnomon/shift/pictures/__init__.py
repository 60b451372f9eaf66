"""Image sets. One file is one set; the file's name is its name on the command line.

Each file defines `read(options) -> Pictures`. Belongs here: files and their layout. Does not belong here: shifts.
"""
