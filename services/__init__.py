"""Mail servers, incidents, remedies, access and the audit log. Knows no chat."""
