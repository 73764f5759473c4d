"""What operators do: pause, resume, and put a policy in force."""
