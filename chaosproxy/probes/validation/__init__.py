"""Is a server that speaks the OpenAI API fit for production: twenty calls, its metrics, its log."""
