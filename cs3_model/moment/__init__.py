"""The moment of contact: what moved around the onset, what that proposes, and a learned choice among all candidates."""
