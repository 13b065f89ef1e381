"""The paper's experiment, and the comparison of training methods on its task.

A recipe says how one row of a table is trained: those of the paper are in `recipes`, the recommended one and those of
the literature in `methods`; `starts` trains them. A `Study` in `run` says what is measured, and `Run` measures it:
`experiment` and `comparison` make the two studies. `tables`, `figures` and `results` write what comes out; `crew` holds
the processes and threads. This room may use every other one but `lab` and `commands`.
"""
