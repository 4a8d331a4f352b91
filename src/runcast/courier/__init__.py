"""Carries records from journals to backends, in processes of its own."""
