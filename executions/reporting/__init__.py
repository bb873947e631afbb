"""What was and is of one execution, read for reports, REST and the command line.

The caller has found the execution through `selectors`, so who may see it is settled.
"""
