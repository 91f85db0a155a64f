"""SmarterMail over its REST API, as a local server of ours speaks it."""
