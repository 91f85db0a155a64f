"""The HTTP API's endpoints, by the resource they work on."""
