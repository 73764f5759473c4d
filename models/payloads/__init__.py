"""Payloads: the shapes that cross the wire, what they mean as nouns, and what nouns look like to the other side.

Here a stranger's words are distrusted once: unknown fields, other types and over-long texts are refused, nothing is
converted on the quiet. What may be asked for is judged later, by the court. The agents' and alerts' door calls here.
"""

from models.payloads.alertmanager import AlertmanagerPayload, delivery_of
from models.payloads.escalation import EscalationPayload, escalation_of
from models.payloads.problems import ProblemPayload, problem_of, status_of
from models.payloads.shapes import read
from models.payloads.views import MOST_LISTED, EscalationPageView, EscalationView, view_of

__all__ = [
    "MOST_LISTED",
    "AlertmanagerPayload",
    "EscalationPageView",
    "EscalationPayload",
    "EscalationView",
    "ProblemPayload",
    "delivery_of",
    "escalation_of",
    "problem_of",
    "read",
    "status_of",
    "view_of",
]
