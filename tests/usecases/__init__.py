"""The verbs on real stores: stories, races, crashes."""
