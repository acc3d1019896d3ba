"""From raw samples of several modalities to a stack."""
