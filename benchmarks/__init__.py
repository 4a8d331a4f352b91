"""Speed, measured: ``make bench``. Every ratio comes from one run; absolutes vary between machines."""
