"""The doors: HTTP and command line."""
