"""Networks of the method. They take plain arguments and know no presets, weight files or downloads."""
