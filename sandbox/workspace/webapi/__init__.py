"""The app's side of the workspace: the Web API methods, as strict as Slack's."""
