"""Mail servers: the port they all serve, and one module a server."""
