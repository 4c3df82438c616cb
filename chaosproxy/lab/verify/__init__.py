"""Is what the lab says what a provider says? By our readers, by the SDKs' types, against a live upstream."""
