"""One training script, every experiment tracker."""
