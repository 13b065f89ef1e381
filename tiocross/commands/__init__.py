"""The command line: each command checks its arguments, then calls the library and prints.

`arguments` states what the commands take, without importing what they need; the module of the name of a command has its
`prepare`, which raises for bad input before anything is written and gives what does the work.
"""
