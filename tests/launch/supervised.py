"""`python -m tests.launch.supervised GRACE_S CODE [PREPARE]`: a supervisor of one program of Python code.

With PREPARE, code too, SIGHUP reloads; a program that mentions the descriptor for it announces itself.
"""

import sys

from efcp.launch.supervisor import READY_FD, Program, Supervisor

if __name__ == "__main__":
    grace_s, code, *prepare = sys.argv[1:]
    program = Program("child", [sys.executable, "-c", code], announces=READY_FD in code)
    reloading = [sys.executable, "-c", *prepare] if prepare else None
    Supervisor([program], float(grace_s), reloading).run()
