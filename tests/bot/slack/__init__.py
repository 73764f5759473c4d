"""Tests of the approvers' door, most of them against the strict stand-in for Slack."""
