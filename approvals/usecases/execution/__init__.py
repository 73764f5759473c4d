"""How an approved change is carried out, at most once, a module a story.

:mod:`.execute` says which story an execution is in. Before the write: :mod:`.replanning`, :mod:`.start` (every check again, on
fresh reads) and :mod:`.send`. After it: :mod:`.read_back` where the reply was lost, :mod:`.follow` where it landed. Instead of
it: :mod:`.supersede` (drift), :mod:`.setbacks` (it waits), :mod:`.abandon` (a person closes it).
"""
