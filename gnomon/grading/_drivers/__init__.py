"""What runs inside a jail beside a program under test: it loads the program, calls it, and says what came out.

Belongs here: files of the standard library only, sent as text (`gnomon.grading._programs_drivers`); nothing in them may
be secret. Does not belong here: judging. Expected answers never reach these files' processes, except the checker's,
which runs no untrusted code.
"""
