"""Past runs again, and what differs between two of them; ``docs/reproduce.md`` has the rules."""
