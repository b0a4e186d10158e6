"""The register's schema, one step a file; ``triage.register.migrate`` takes them."""
