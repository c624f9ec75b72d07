"""`python -m tests.launch.supervised GRACE_S CODE`: a supervisor of one program, which is Python code."""

import sys

from efcp.launch.supervisor import Program, Supervisor

if __name__ == "__main__":
    grace_s, code = sys.argv[1:]
    Supervisor([Program("child", [sys.executable, "-c", code])], float(grace_s)).run()
