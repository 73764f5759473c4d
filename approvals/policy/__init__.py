"""Who must agree: the policy and its charters, the ruling on one request as a tree of clauses, and who may and could answer.

Reading order: :mod:`charter`, :mod:`policy`, :mod:`clauses`, :mod:`ruling`; then :mod:`eligibility` (whose answer may count) and
:mod:`feasibility` (whether enough people could answer at all). No vote is judged here.
"""
