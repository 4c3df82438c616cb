"""Later, never different."""
