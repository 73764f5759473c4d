"""The database engines: connections, statements and the faults that they report. No table is known here."""
