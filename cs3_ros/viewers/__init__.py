"""What a perception node sees, hears and decides, in Rerun."""
