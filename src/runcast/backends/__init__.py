"""One folder or file per tracker; each is a plugin like any other and never imports another."""
