"""What the perception node hears, as tools of the Model Context Protocol for language models: `cs3 mcp`."""
