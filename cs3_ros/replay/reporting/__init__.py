"""What came of a replay: scores, findings, pictures, videos, recordings and the report."""
